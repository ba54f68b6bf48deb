"""TLV: the seven answers of one Mastercard reading, indexed; against ber-tlv (PyPI), unchanged, on the same port."""

import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from figure import Figure, port_instructions, port_run

# PPSE, application FCI, GPO, the data record, the two certificate records (1408-bit keys), GENERATE AC: a whole
# reading with the lengths that cards send. The peer copies octet by octet, so long values cost it most.
_SOURCE = """
import time
from till.emv import tlv
from ber_tlv.tlv import Tlv
def T(tag, *parts):
    value = b"".join(parts)
    n = len(value)
    return bytes.fromhex(tag) + (bytes([n]) if n < 128 else bytes([0x81, n])) + value
def P(tag, text):
    return T(tag, bytes.fromhex(text))
AID = "A0000000041010"
ANSWERS = [
    T("6F", T("84", b"2PAY.SYS.DDF01"), T("A5", T("BF0C", T("61", P("4F", AID), T("50", b"Debit MasterCard"),
      P("87", "01"), P("9F0A", "00010101"))))),
    T("6F", P("84", AID), T("A5", T("50", b"Debit MasterCard"), T("9F12", b"Debit MasterCard"), P("87", "01"),
      P("9F11", "01"), T("5F2D", b"en"), P("9F38", "9F35019F4001"), T("BF0C", P("9F5D", "030000"), P("9F4D", "0B0A")))),
    T("77", P("82", "1980"), P("94", "080101001001010120010200")),
    T("70", P("9F42", "0978"), P("5F25", "170401"), P("5F24", "240430"), P("5A", "5413330089600119"), P("5F34", "01"),
      P("9F07", "FFC0"), P("9F08", "0002"), P("8C", "9F02069F03069F1A0295055F2A029A039C019F37049F35019F45029F4C08"
      "9F34039F21039F7C14"), P("8D", "910A8A0295059F37049F4C08"), P("8E", "000000000000000042031E031F03"),
      P("9F0D", "B450840000"), P("9F0E", "0000000000"), P("9F0F", "B470848000"), P("5F28", "0280"), P("9F4A", "82"),
      P("57", "5413330089600119D24122010000000000000F")),
    T("70", P("8F", "05"), P("9F32", "03"), T("92", bytes(range(36))), T("90", bytes(range(176)))),
    T("70", P("9F47", "03"), T("9F48", bytes(range(42))), T("9F46", bytes(range(176)))),
    T("77", P("9F27", "80"), P("9F36", "0003"), P("9F10", "0110A0000F040000000000000000000000FF"),
      P("9F26", "1122334455667788")),
]
def ours():
    for answer in VIEWS:
        tlv.index(answer, 0, len(answer), {})
def peer():
    for answer in ANSWERS:
        Tlv.parse(answer)
def best(work, times):
    least = None
    for _ in range(9):
        start = time.ticks_us()
        for _ in range(times):
            work()
        took = time.ticks_diff(time.ticks_us(), start) / times
        least = took if least is None or took < least else least
    return least
VIEWS = [memoryview(a) for a in ANSWERS]
found = {}
for answer in VIEWS:
    one = tlv.index(answer, 0, len(answer), {})
    for tag in one:
        found[tag] = bytes(tlv.slice_of(answer, one[tag]))
def check(parsed):
    for tag, value in parsed:
        if isinstance(value, list):
            check(value)
        else:
            assert found[tag] == value, hex(tag)
for answer in ANSWERS[2:]:
    check(Tlv.parse(answer))
"""

_TIMED = "print(best(ours, 200), best(peer, 10))"


def _instructions(source: str, work: str, rounds: int) -> float | None:
    """Instructions of one call of `work`, the start of the port taken off; None without valgrind."""
    counts = [port_instructions(f"{source}\nfor _ in range({n}):\n    {work}()\n") for n in (rounds, 3 * rounds)]
    return None if None in counts else (counts[1] - counts[0]) / (2 * rounds)


def measure() -> list[Figure]:
    spec = find_spec("ber_tlv")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the peer ber-tlv is not installed: make setup")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(spec.submodule_search_locations[0], Path(folder) / "ber_tlv")
        source = f"import sys\nsys.path.insert(0, {folder!r})\n{_SOURCE}"
        ours, peer = (float(x) for x in port_run(source + _TIMED).split())
        counted = [_instructions(source, "ours", 100), _instructions(source, "peer", 5)]
    note = "the seven answers of one reading, every tag indexed"
    if counted[0] and counted[1]:
        note += f"; {counted[1] / counted[0]:.1f} by instructions"
    return [Figure("tlv", ours, peer, "ber-tlv", peer / ours, "µs", note)]
