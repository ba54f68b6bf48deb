"""Nothing that identifies a card or opens a door may be found in what a whole run leaves behind.

Searched: the terminal's console, its flash and NVS, the acquirer's log and database. Not searched: the bench's trace of
what the virtual card itself says over the air, which is the card's, not the terminal's.
"""

import base64
import json
from pathlib import Path

import pytest
from microtill.acquirer import issuers
from microtill.simulator.script import Player, parse
from microtill.simulator.texts import texts
from microtill.simulator.world import PASSWORD, World
from support.search import forms, found, pan_forms, vault_contents, vault_secrets
from support.typing import type_text
from support.worlds import until

PANS = (issuers.VISA_PAN, issuers.MASTERCARD_PAN, issuers.UNIONPAY_PAN, issuers.PHONE_PAN, issuers.NO_FUNDS_PAN)

RUN = """
key 1 2 OK
wait "请挥卡"
tap visa
wait "交易成功"
remove
key OK
key 3 OK
wait "请挥卡"
tap mastercard
wait "交易成功"
remove
key OK
key 4 OK
wait "请挥卡"
tap phone
wait "交易成功"
remove
key OK
key 5 OK
wait "请挥卡"
tap nofunds
wait "交易拒绝"
remove
key OK
key 6 OK
wait "请挥卡"
host drop-response
tap unionpay
wait "结果未知" 60
remove
host up
wait "上笔已冲正" 120
key OK
wait "输入金额收款"
"""


@pytest.mark.parametrize("alignment", range(3))
def test_the_search_finds_what_is_there(alignment):
    pan = issuers.VISA_PAN
    before = b"x" * alignment
    packed = bytes.fromhex("0" + pan + "0")  # one nibble off
    for planted in (pan.encode(), bytes.fromhex(pan), packed, base64.b64encode(before + pan.encode() + b"tail")):
        assert found({"here": before + planted + b"!"}, {"pan": pan_forms(pan)}) == ["pan in here"]
    secret = bytes(range(200, 232))
    for planted in (secret, secret.hex().encode(), base64.urlsafe_b64encode(before + secret + b"tail")):
        assert found({"here": before + planted}, {"key": forms(secret)}) == ["key in here"]
    assert found({"here": b"476173******0119"}, {"pan": pan_forms(pan)}) == []


def test_a_whole_run_leaves_no_secret(tmp_path):
    state, home = tmp_path / "terminal", tmp_path
    with World(state=state) as world:
        assert world.acquirer
        world.provision()
        world.wait_at_rest()
        Player(world, tmp_path, tmp_path).play(parse(RUN))
        world.bench.reset()
        world.wait_at_rest()
        where = {"console": "\n".join(world.bench.console_lines()).encode()}
        home = Path(world.acquirer.home.path)
        secrets = json.loads((home / "secrets.json").read_text("utf-8"))
        session = world.acquirer.session
        world.bench.power_cut()
        for path in (*state.rglob("*"), *home.glob("*.db*"), *home.glob("*.log")):
            if path.is_file():
                where[path.name] = path.read_bytes()
    assert {"flash.bin", "acquirer.db", "acquirer.log"} <= where.keys()
    wanted = {f"PAN …{pan[-4:]}": pan_forms(pan) for pan in PANS}
    wanted["Wi-Fi password"] = forms(PASSWORD.encode())
    wanted["session token"] = forms(session.encode())
    for name in ("bdk", "pan_key", "token_key", "code_key", "totp_key"):
        wanted[name] = forms(bytes.fromhex(secrets[name]))
    assert found(where, wanted) == []
    # The last four digits are there: the search looked at what the run wrote.
    assert b"0119" in where["flash.bin"]
    assert any(b"0119" in data for name, data in where.items() if name.startswith("acquirer.db"))


def test_a_technicians_day_leaves_no_secret(tmp_path):
    """Bound by Wi-Fi and activation code typed at the keypad, and asked for all that the console tells."""
    state = tmp_path / "terminal"
    with World(state=state) as world:
        assert world.acquirer
        serial = world.console.wait_ready()["serial"]
        number = world.console.send("trust", token=world.acquirer.trust)
        until(world, "screen.trust")
        while world.console.poll(number) is None:
            world.key("OK")
        until(world, "screen.not_provisioned")
        world.key("MENU", "2")
        until(world, "screen.wifi_list")
        world.key("1")
        until(world, "screen.wifi_password")
        type_text(world, PASSWORD)
        world.key("OK")
        until(world, "screen.wifi_joined", seconds=120)
        world.key("OK")
        until(world, "screen.not_provisioned")
        code = world.acquirer.new_code(serial)
        world.key("MENU", "1")
        until(world, "screen.activation_code")
        world.key(*code, "OK")
        until(world, "screen.ticket", seconds=120)
        while world.shows(*texts("screen.ticket")):
            world.key("OK")
        world.wait_at_rest()
        Player(world, tmp_path, tmp_path).play(parse(RUN[: RUN.index("key 3")]))
        for do in ("status", "logs", "selftest", "echo", "backup", "key_request"):
            world.console.request(do)
        world.bench.reset()
        world.wait_at_rest()
        where = {"console": "\n".join(world.bench.console_lines()).encode()}
        home = Path(world.acquirer.home.path)
        keys = json.loads((home / "secrets.json").read_text("utf-8"))
        world.bench.power_cut()
        held = vault_contents(state)
        for path in (*state.rglob("*"), *home.glob("*.db*"), *home.glob("*.log")):
            if path.is_file():
                where[path.name] = path.read_bytes()
    wanted = {"Wi-Fi password": forms(PASSWORD.encode()), "activation code": forms(code.encode())}
    wanted["PAN"] = pan_forms(issuers.VISA_PAN)
    for name in ("bdk", "pan_key", "token_key"):
        wanted[name] = forms(bytes.fromhex(keys[name]))
    wanted |= vault_secrets(held)
    assert found(where, wanted) == []
    assert found({"vault": b"".join(held.values())}, wanted) == [
        "Wi-Fi password in vault",
        "signing key in vault",
        "transaction keys in vault",
        "one-shot key in vault",
    ], "the search knows what to look for"
