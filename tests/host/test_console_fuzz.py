"""Whatever comes over the USB line: the console on the Unix port answers in form or drops it, and goes on."""

import json
import os
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fuzz import examples
from support.port import Port

LINE_MAX = 17408

SOURCE = """
import asyncio, gc
from till.core.errors import InvalidValue, TillError
from till.services.console import Console

class Out:
    def __init__(self):
        self.parts = []
    def write(self, text):
        self.parts.append(text)

class Log:
    def __init__(self):
        self.errors = 0
    def error(self, where, e):
        self.errors += 1

class Service:
    # Members of a request are checked where they are used; this one stands for all of them.
    always = ("status", "logs")
    at_rest = ("ticket",)

    async def status(self, request):
        return {"state": "provisioned"}
    async def logs(self, request):
        if not isinstance(request.get("since"), int):
            raise InvalidValue("since")
        return {"lines": []}
    async def ticket(self, request):
        raise TillError("no", key="error.cancelled")

line = open(FIFO, "r+b")  # the USB line, both ends of it
out, log = Out(), Log()
service = Service()
console = Console(line, out, log, lambda: service, lambda: True)
task = None

async def _all(number):
    global task
    if task is None:
        task = asyncio.create_task(console.run())
    mark = '"id": %d' % number
    while not any(mark in part for part in out.parts) or console._work is not None:
        if task.done():
            raise RuntimeError("the console has ended")
        await asyncio.sleep_ms(0)

def feed(data, number):
    # The bytes, then the end of the line, then a good request: all that was written until that is answered.
    out.parts = []
    line.write(data + b'\\n{"id": %d, "do": "status"}\\n' % number)
    asyncio.run(_all(number))
    return ["".join(out.parts), log.errors]

def used():
    gc.collect()
    return gc.mem_alloc()
"""

KEY = re.compile(r"error\.[a-z_]+")
FUZZ = settings(
    max_examples=examples(700),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["status", "logs", "ticket", "repl", "run", "__init__", "_answer", ""])


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    fifo = tmp_path_factory.mktemp("console") / "line"
    os.mkfifo(fifo)
    with Port(f"FIFO = {str(fifo)!r}\n" + SOURCE, heap="768K") as port:
        yield port


_numbers = iter(range(1_000_000, 2_000_000))


def answers(port: Port, data: bytes) -> list[dict]:
    """What the console made of `data`, each answer checked for its form, and that the good request after it is met."""
    number = next(_numbers)
    written, errors = port.call("feed", data, number, timeout=10)
    assert errors == 0, "an error that nobody had foreseen"
    records = written.split("\x1e")
    assert records[0] == "", "nothing but records is written"
    found = []
    for record in records[1:]:
        assert record.endswith("\n") and record.count("\n") == 1
        assert len(record) < 1024, "an answer is not as long as what was asked"
        answer = json.loads(record)
        assert answer["id"] is None or isinstance(answer["id"], int)
        if not answer["ok"]:
            assert set(answer) == {"id", "ok", "error", "detail"}
            assert KEY.fullmatch(answer["error"])
            assert isinstance(answer["detail"], str)
        found.append(answer)
    good = {"id": number, "ok": True, "state": "provisioned"}
    assert found.count(good) == 1
    found.remove(good)
    assert len(found) <= data.count(b"\n") + 1, "one answer a line at most"
    return found


@FUZZ
@given(data=st.binary(max_size=400))
def test_fuzz_any_bytes(port, data):
    assert not any(answer["ok"] for answer in answers(port, data))


@FUZZ
@given(request=values)
def test_fuzz_any_json(port, request):
    found = answers(port, json.dumps(request).encode())
    assert [answer["ok"] for answer in found] == [False]


@FUZZ
@given(do=names | values, number=values, members=st.dictionaries(st.text(max_size=8), values, max_size=4))
def test_fuzz_requests(port, do, number, members):
    request = members | {"do": do, "id": number}
    (answer,) = answers(port, json.dumps(request).encode())
    allowed = do == "status" or (do == "logs" and isinstance(members.get("since"), int))
    if answer["ok"]:
        assert allowed
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 1 << 30:
        assert answer["id"] == number


@FUZZ
@given(
    at=st.integers(0, 200),
    new=st.binary(max_size=6),
    drop=st.integers(0, 6),
    lines=st.lists(st.sampled_from([b"", b"\r", b" ", b"\x00", b"\x03", b"\x1e", b"{}", b"[]", b"{\n}"]), max_size=4),
)
def test_fuzz_a_good_request_changed_somewhere(port, at, new, drop, lines):
    good = b'{"id": 7, "do": "logs", "since": 0, "to": "\xe4\xb8\xad\xe6\x96\x87 \\u4e2d \\" \\\\"}'
    at %= len(good)
    answers(port, b"\n".join([*lines, good[:at] + new + good[at + drop :], *lines]))


@settings(FUZZ, max_examples=examples(60))
@given(
    piece=st.sampled_from(
        [b"[", b'{"a":', b"1", b'"', b"0,", b"[0,", b'"a":1,', b" ", b"\xff", b"\\u0041", b"-", b"1e9"]
    ),
    head=st.sampled_from([b"", b"[", b"{", b'{"do":"status","id":', b'{"do":"status","x":[', b'{"do":"']),
    size=st.integers(1, 2 * LINE_MAX) | st.sampled_from([LINE_MAX - 1, LINE_MAX, LINE_MAX + 1]),
)
def test_fuzz_long_lines(port, piece, head, size):
    line = (head + piece * (size // len(piece) + 1))[:size]
    found = answers(port, line)
    assert len(found) == 1 and not found[0]["ok"]
    if size > LINE_MAX:
        assert (found[0]["id"], found[0]["detail"]) == (None, "line too long")


def test_it_does_not_grow(port):
    def some() -> int:
        for i in range(40):
            answers(port, b"\xff" * (i * 500) + b'\n{"id": 1, "do": "nothing"}\n[1, 2')
        return port.call("used")

    before = some()
    assert some() - before < 512
