"""The house's own lint: it must find what it says, and the checkout must be clean of it."""

from pathlib import Path

import pytest
from microtill.release import lint


@pytest.mark.parametrize(
    "source",
    [
        "from collections import deque\ndeque((), maxlen=3)",
        "try:\n    f()\nexcept TimeoutError:\n    g()",
        "zip(a, b, strict=True)",
        "'x'.removeprefix('y')",
        "n.bit_length()",
        "int.from_bytes(b, 'big', signed=True)",
        "b.decode('utf-8', errors='ignore')",
        "async def f():\n    async with asyncio.timeout(1):\n        g()",
        "struct.pack('<c', b)",
        "def f(a, /): g()",
        "match x:\n    case 1: f()",
        "h.hexdigest()",
        "import ssl",
        "from requests import get",
        "import typing",
        "import random",
        "try:\n    f()\nexcept OSError:\n    pass",
    ],
)
def test_what_the_port_lacks_is_found(source):
    assert list(lint.port_problems(source))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("till/core/money.py", "from till.crypto import hmac"),
        ("till/crypto/p256.py", "import till.storage.vault"),
        ("till/emv/tlv.py", "from till import drivers"),
        ("till/flows/sale.py", "from till.drivers.keypad import Keypad"),
        ("till/flows/sale.py", "import machine"),
        ("till/services/clock.py", "from machine import RTC"),
        ("till/ui/canvas.py", "from till.flows import sale"),
        ("till/services/clock.py", "from till.app import run"),
    ],
)
def test_the_dependency_rule_is_kept(path, source):
    assert list(lint.layer_problems(Path(path), source))


def test_what_is_allowed_is_not_refused():
    assert not list(lint.layer_problems(Path("till/emv/tlv.py"), "from till.core.errors import CardError"))
    assert not list(lint.layer_problems(Path("main.py"), "import machine"))
    assert not list(lint.port_problems("import struct\nstruct.pack('<BI', 1, 2)\nasyncio.wait_for(f(), 1)"))


def test_the_checkout_is_clean():
    assert lint.problems() == []
