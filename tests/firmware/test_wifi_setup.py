import asyncio

from fake_nvs import FakeNvs
from till.core.errors import InvalidValue
from till.flows.text_entry import Typing
from till.services.networks import Networks
from till.services.wifi_setup import WifiSetup
from till.storage.vault import Vault


class Rng:
    def bytes(self, n):
        return bytes(range(n))


class Wifi:
    """Stands in for the task that keeps the terminal on Wi-Fi."""

    reason = "reason.wifi_password"
    held = False
    retried = 0

    def __init__(self, air=()):
        self.air = air

    def start_radio(self):
        self.radio = True

    def retry(self):
        self.retried += 1

    async def scan(self):
        return list(self.air)

    async def join(self, ssid, password):
        return password == "right-one"


def found(ssid, rssi, security=3, hidden=False):
    return (ssid if isinstance(ssid, bytes) else ssid.encode(), b"\0" * 6, 1, rssi, security, hidden)


def setup(air=(), networks=None):
    return WifiSetup(Wifi(air), networks)


def test_a_scan_is_a_list_for_people():
    air = (
        found("weak", -90),
        found("strong", -40),
        found("strong", -70),
        found("海河大学", -65, 0),
        found("", -30),
        found("hidden", -30, 3, True),
        found("   ", -30),
        found(b"\xc4\xe3\xba\xc3", -30),  # no UTF-8
        found("a\nb", -30),
        found("\u202ereversed", -30),
        found("middle", -79),
    )
    assert asyncio.run(setup(air).scan()) == [
        ("strong", 3, True),
        ("海河大学", 2, False),
        ("middle", 1, True),
        ("weak", 0, True),
    ]
    assert len(asyncio.run(setup([found("n%d" % n, -n) for n in range(60)]).scan())) == 20


def test_joining_is_tried_as_it_was_typed():
    one = setup()
    one.begin()
    assert one._wifi.held
    assert asyncio.run(one.join("ssid", "right-one")) == ""
    assert asyncio.run(one.join("ssid", "wrong-one")) == "reason.wifi_password"
    for ssid, password in (("", "right-one"), ("x" * 33, "right-one"), ("ssid", "short"), ("ssid", "x" * 64)):
        try:
            asyncio.run(one.join(ssid, password))
        except InvalidValue:
            continue
        raise AssertionError(ssid)
    one.end()
    assert not one._wifi.held and one._wifi.retried == 1


def test_two_networks_are_kept_the_last_chosen_first():
    networks = Networks(Vault(FakeNvs(), "SIM-1", Rng()))
    one = setup((), networks)
    for name in ("a", "b", "c", "b"):
        one.keep(name, "password-" + name)
    assert networks.all() == [("b", "password-b"), ("c", "password-c")]
    one.keep("b", "new-password")
    assert networks.all() == [("b", "new-password"), ("c", "password-c")]


def typed(keys, most=63):
    typing = Typing(most)
    for key in keys:
        {"<": lambda: typing.move(-1), ">": lambda: typing.move(1), "-": typing.delete, "m": typing.change_mode}.get(
            key, lambda key=key: typing.tap(key)
        )()
    return typing


def test_letters_come_as_on_a_telephone():
    assert typed("44>33>555>555>666").text == "hello"
    assert typed("9999").text == "z" and typed("99999").text == "9" and typed("999999").text == "w"
    assert typed("0").text == " " and typed("00").text == "0" and typed("000").text == "!"
    assert typed("1").text == "1" and typed("111").text == "-"
    assert typed("m2>22").text == "AB" and typed("mm22>000").text == "22000"
    assert typed("mmm2").text == "a"
    # All that is printable in ASCII can be typed.
    every = set()
    for mode in ("", "m", "mm"):
        for key in "0123456789":
            for taps in range(1, 31):
                every.add(typed(mode + key * taps).text[-1])
    assert every == {chr(c) for c in range(32, 127)}


def test_the_cursor_moves_and_what_is_before_it_goes():
    typing = typed("2>22>222<<")
    assert (typing.text, typing.cursor) == ("abc", 1)
    typing.tap("9")
    assert typing.text == "awbc"
    typing.tap("9")
    assert typing.text == "axbc" and typing.cursor == 2
    typing.delete()
    assert typing.text == "abc" and typing.cursor == 1
    typing.move(-1)
    typing.move(-1)
    typing.delete()
    assert typing.text == "abc" and typing.cursor == 0
    typing.clear()
    assert (typing.text, typing.cursor) == ("", 0)


def test_what_is_shown_is_dots_but_for_the_letter_that_is_being_chosen():
    typing = typed("2>22")
    assert typing.open and typing.shown(False) == "•b" and typing.shown(True) == "ab"
    typing.settle()
    assert typing.shown(False) == "••"
    typing.move(-1)
    assert typing.shown(False) == "•│•" and typing.shown(True) == "a│b"
    assert typed("mm7").shown(False) == "•", "a digit is not chosen among others"


def test_there_is_an_end_to_it():
    typing = typed("2>2>2", most=3)
    assert not typing.tap("9") and typing.text == "aaa"
    assert typing.tap("2") and typing.text == "aab", "the last one may still change"
