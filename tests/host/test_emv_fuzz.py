"""Cards that lie: whatever they answer, the firmware ends with a reading or a typed error, soon and in its heap."""

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from microtill.bench.cards import Counters, make
from microtill.bench.cards.card import Card
from pyemv import tlv as pyemv_tlv
from support.emv_port import EmvPort
from support.fuzz import examples
from support.port import Port, PortRaised

# apdu.COMMANDS_MAX of the firmware, and one for the answer that ends it.
COMMANDS_MAX = 64
EXPECTED = {"CardError", "InvalidValue"}
SETTINGS = settings(
    max_examples=examples(300),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def port():
    with EmvPort(heap="256K") as port:
        yield port


class Scripted(Card):
    """Answers from a function of (number, honest answer)."""

    def __init__(self, honest: Card, change):
        super().__init__()
        self._honest = honest
        self._change = change
        self.commands = 0

    def reset(self) -> None:
        self._honest.activate()
        self.commands = 0

    def answer(self, capdu: bytes) -> bytes:
        self.commands += 1
        honest = self._honest.transceive(capdu)
        assert honest is not None
        return self._change(self.commands - 1, honest)


def endure(port: EmvPort, card: Scripted) -> None:
    """One reading: it ends, with what is expected, and leaves nothing of the card behind."""
    try:
        reading = port.read(card, limit_commands=COMMANDS_MAX + 1)
    except PortRaised as raised:
        assert EXPECTED & set(raised.names), raised.names
    else:
        assert len(reading["field55"]) <= 255
        assert reading["cryptogram"] == "ARQC"
        assert reading["pan"].encode() not in reading["field55"]
        assert bytes.fromhex(reading["pan"] + "F" * (len(reading["pan"]) % 2)) not in reading["field55"]
    assert card.commands <= COMMANDS_MAX
    assert port.call("kept") == b""


mutation = st.tuples(
    st.integers(0, 7),  # which answer
    st.sampled_from(["set", "cut", "insert", "replace", "repeat", "sw"]),
    st.integers(0, 300),
    st.binary(max_size=8),
)


def mutated(honest: bytes, kind: str, at: int, octets: bytes) -> bytes:
    at %= len(honest) + 1
    match kind:
        case "set":
            return honest[:at] + octets + honest[at + len(octets) :]
        case "cut":
            return honest[:at]
        case "insert":
            return honest[:at] + octets + honest[at:]
        case "replace":
            return octets
        case "repeat":
            return honest[:-2] + honest
    return honest[:-2] + (octets + b"\x90\x00")[:2]


@pytest.mark.parametrize("spec", ["visa", "mastercard", "unionpay", "phone"])
@SETTINGS
@given(mutations=st.lists(mutation, min_size=1, max_size=3))
def test_fuzz_mutated_answers(port, spec, mutations):
    def change(number: int, honest: bytes) -> bytes:
        for which, kind, at, octets in mutations:
            if which == number:
                honest = mutated(honest, kind, at, octets)
        return honest

    endure(port, Scripted(make(spec, Counters()), change))


@SETTINGS
@given(answers=st.lists(st.binary(max_size=258), min_size=1, max_size=4))
def test_fuzz_nonsense(port, answers):
    endure(port, Scripted(make("visa", Counters()), lambda number, _: answers[number % len(answers)]))


# TLV that is well-formed and wrong: random tags of interest with random values in the right templates.
_TAGS = (
    "82 94 57 5A 5F24 5F25 5F34 8C 8E 9F10 9F26 9F27 9F36 9F38 9F6C 9F6E 9F7C 9F42 9F0E 50 84 87 4F 9F2A 9F4B DF8101"
)
tags = st.sampled_from(_TAGS.split(" "))


def encode(tag: str, value: bytes) -> bytes:
    length = bytes((len(value),)) if len(value) < 128 else bytes((0x81, len(value)))
    return bytes.fromhex(tag) + length + value


objects = st.lists(st.tuples(tags, st.binary(max_size=40)), max_size=8).map(
    lambda items: b"".join(encode(tag, value) for tag, value in items)
)


@pytest.mark.parametrize("spec", ["visa", "mastercard"])
@SETTINGS
@given(which=st.integers(2, 5), template=st.sampled_from(["70", "77", "6F", "80"]), inner=objects, keep=st.booleans())
def test_fuzz_wrong_values_in_the_right_places(port, spec, which, template, inner, keep):
    def change(number: int, honest: bytes) -> bytes:
        if number != which:
            return honest
        body = pyemv_body(honest) if keep else b""
        return encode(template, (body + inner)[:255]) + b"\x90\x00"

    endure(port, Scripted(make(spec, Counters()), change))


def pyemv_body(honest: bytes) -> bytes:
    with suppress(pyemv_tlv.DecodeError):
        ((_, inside),) = pyemv_tlv.decode(honest[:-2], flatten=False).items()
        return pyemv_tlv.encode(inside) if isinstance(inside, dict) else b""
    return b""


def test_fuzz_cards_that_never_end(port):
    """Every way to say "more": GET RESPONSE for ever, a directory and a file locator as long as they can be."""
    many = encode("61", encode("4F", bytes.fromhex("A0000000031010")))
    directory = encode("6F", encode("84", b"2PAY.SYS.DDF01") + encode("A5", encode("BF0C", many * 17)))
    for change in (
        lambda n, honest: b"\x61\xff",
        lambda n, honest: b"\x6c\x00",
        lambda n, honest: honest if n < 2 else b"\xaa" * 256 + b"\x61\x00",
        lambda n, honest: directory + b"\x90\x00" if n == 0 else b"\x61\x10",
        lambda n, honest: directory + b"\x90\x00" if n == 0 else b"\x6a\x82",
    ):
        card = Scripted(make("visa", Counters()), change)
        with pytest.raises(PortRaised) as caught:
            port.read(card, limit_commands=COMMANDS_MAX + 1)
        assert "CardError" in caught.value.names
        assert card.commands <= COMMANDS_MAX
    fci = encode("6F", encode("84", bytes.fromhex("A0000000031010")) + encode("A5", encode("9F38", b"\x9f\x66\x04")))
    slowly = [b"\x61\x01"] * 4 + [fci + b"\x90\x00"] + [b"\x61\x01"] * 4 + [b"\x69\x85"]
    card = Scripted(make("visa", Counters()), lambda n, _: slowly[(n - 1) % 10] if n else directory + b"\x90\x00")
    with pytest.raises(PortRaised, match="CardOther"):
        port.read(card, limit_commands=COMMANDS_MAX + 1)
    assert card.commands == COMMANDS_MAX
    afl = encode("77", encode("82", b"\x18\x80") + encode("94", bytes.fromhex("10011800") * 30))
    record = encode("70", encode("9F46", bytes(240)))

    def endless_records(number: int, honest: bytes) -> bytes:
        return honest if number < 2 else (afl if number == 2 else record) + b"\x90\x00"

    with pytest.raises(PortRaised) as caught:
        port.read(Scripted(make("mastercard", Counters()), endless_records), limit_commands=COMMANDS_MAX + 1)
    assert caught.value.names[0] == "CardOther"


def test_fuzz_no_heap_is_lost_to_hostile_cards(port):
    card = Scripted(make("mastercard", Counters()), lambda n, honest: honest if n < 3 else b"\xff" * 256 + b"\x90\x00")
    before = None
    for i in range(200):
        with pytest.raises(PortRaised):
            port.read(card)
        if i == 10:
            before = port.call("free")
    assert before is not None and port.call("free") >= before - 256


TLV_SOURCE = """
from till.emv import tlv
def index(data):
    found = tlv.index(memoryview(data), 0, len(data), {})
    return [[tag, bytes(tlv.slice_of(data, place))] for tag, place in sorted(found.items())]
"""


@pytest.fixture(scope="module")
def parser():
    with Port(TLV_SOURCE) as port:
        yield port


tlv_tree = st.recursive(
    st.tuples(tags, st.binary(max_size=140)).map(lambda t: encode(*t)),
    lambda inner: st.tuples(st.sampled_from(["70", "77", "A5", "BF0C", "61"]), st.lists(inner, max_size=3)).map(
        lambda t: encode(t[0], b"".join(t[1])[:255])
    ),
    max_leaves=8,
)


broken_tree = st.tuples(tlv_tree, mutation).map(lambda t: mutated(t[0], *t[1][1:]))


def reference(data: bytes) -> dict[int, bytes] | None:
    """A second reading of EMV Book 3 Annex B, as slow and plain as can be; None for what is refused."""
    found: dict[int, bytes] = {}

    def walk(data: bytes) -> bool:
        pos = 0
        while pos < len(data):
            if data[pos] == 0:
                pos += 1
                continue
            start = pos
            if data[pos] & 0x1F == 0x1F:
                pos += 1
                if pos < len(data) and data[pos] == 0x80:
                    return False
                while pos < len(data) and data[pos] & 0x80:
                    pos += 1
            pos += 1
            tag = data[start:pos]
            if pos >= len(data) or len(tag) > 3:
                return False
            length = data[pos]
            pos += 1
            if length > 0x80:
                octets = length & 0x7F
                if octets > 2 or pos + octets > len(data):
                    return False
                length = int.from_bytes(data[pos : pos + octets], "big")
                pos += octets
            elif length == 0x80:
                return False
            value = data[pos : pos + length]
            if len(value) != length:
                return False
            pos += length
            if tag[0] & 0x20:
                if not walk(value):
                    return False
            elif found.setdefault(int.from_bytes(tag, "big"), value) != value:
                return False
        return True

    return found if walk(data) else None


@SETTINGS
@given(
    data=st.one_of(
        st.binary(max_size=80), tlv_tree, st.tuples(tlv_tree, mutation).map(lambda t: mutated(t[0], *t[1][1:]))
    )
)
def test_fuzz_tlv_agrees_with_a_second_implementation(parser, data):
    expected = reference(data)
    try:
        found = dict(map(tuple, parser.call("index", data)))
    except PortRaised as raised:
        assert raised.names[0] == "TlvError"
        assert expected is None
    else:
        assert found == expected
