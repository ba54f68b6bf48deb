"""Commands to the card, and what its status words mean (ISO 7816-4, EMV Book 1 §11, Book 3 §6)."""

from micropython import const

from till.core.errors import CardBlocked, CardOther, CardSeePhone, CardTryAgain

OK = const(0x9000)
CONDITIONS_NOT_SATISFIED = const(0x6985)

# A card that answers everything with "more" or "wrong length" is not worth a longer queue at the till.
COMMANDS_MAX = const(64)
CHAIN_MAX = const(4)

ARQC = const(0x80)
AAC = const(0x00)


def select(name, following: bool = False) -> bytes:
    """SELECT by DF name (1–16 octets); `following`: the next application with that partial name."""
    return b"\x00\xa4\x04" + (b"\x02" if following else b"\x00") + bytes((len(name),)) + bytes(name) + b"\x00"


def get_processing_options(options) -> bytes:
    """GET PROCESSING OPTIONS with the PDOL's data (at most 252 octets), wrapped in tag 83."""
    length = len(options)
    if length > 252:
        raise CardOther("PDOL asks for too much")
    head = bytes((0x83, length)) if length < 0x80 else bytes((0x83, 0x81, length))
    return b"\x80\xa8\x00\x00" + bytes((len(head) + length,)) + head + bytes(options) + b"\x00"


def read_record(sfi: int, record: int) -> bytes:
    """READ RECORD `record` (1–255) of the file with short identifier `sfi` (1–30)."""
    return bytes((0x00, 0xB2, record, sfi << 3 | 4, 0x00))


def generate_ac(kind: int, data) -> bytes:
    """GENERATE AC: ask for ARQC or AAC over the CDOL1 data (at most 252 octets)."""
    return bytes((0x80, 0xAE, kind, 0x00, len(data))) + bytes(data) + b"\x00"


def exchange(command: bytes, card):
    """Generator: send one command, collect the whole answer in `card` (a CardData).

    Follows 61xx with GET RESPONSE and 6Cxx with the right Le, both bounded. Returns `(position, sw)`: where the
    answer lies in `card`, and its final status word. Raises CardTryAgain for what is no answer, CardOther for a
    card that never comes to an end.
    """
    start = card.length
    chained = 0
    corrected = False
    while True:
        card.commands += 1
        if card.commands > COMMANDS_MAX:
            raise CardOther("too many commands")
        answer = yield command
        end = len(answer) - 2
        if end < 0:
            raise CardTryAgain("answer without a status word")
        sw1 = answer[end]
        sw2 = answer[end + 1]
        if sw1 == 0x6C and not corrected and not end:
            corrected = True
            command = command[:-1] + bytes((sw2,))
            continue
        card.append(answer[:end])
        if sw1 != 0x61:
            return start << 12 | card.length - start, sw1 << 8 | sw2
        chained += 1
        if chained > CHAIN_MAX:
            raise CardOther("endless answer")
        command = bytes((0x00, 0xC0, 0x00, 0x00, sw2))


# What a status word means: after one command (its INS octet first), after any, or by its first octet alone. Then what
# can be done, and the words for the log. One string, as the catalogues: it stays in flash.
_MEANINGS = """
A4 6283 blocked application blocked
A4 6A81 blocked card blocked
A4 6A82 other not found
A8 6984 other another interface
A8 6985 other conditions not satisfied
A8 6986 phone see phone
6581 again memory failure
6700 other wrong length
6982 other security status
6983 blocked blocked
6985 other conditions not satisfied
6A80 other wrong data
6A81 other function not supported
6A82 other file not found
6A83 other record not found
6A86 other wrong P1 P2
6A88 other data not found
6D00 other instruction not supported
6E00 other class not supported
6F00 again no diagnosis
62xx again warning
63xx again warning
64xx again execution error
65xx again execution error
67xx other wrong length
68xx other not supported
69xx other not allowed
6Axx other wrong parameters
6Bxx other wrong parameters
6Cxx again wrong Le
6Dxx other instruction not supported
6Exx other class not supported
6Fxx again no diagnosis
"""
_ERRORS = {"again": CardTryAgain, "other": CardOther, "blocked": CardBlocked, "phone": CardSeePhone}
_COMMANDS = {0xA4: "SELECT", 0xA8: "GET PROCESSING OPTIONS", 0xB2: "READ RECORD", 0xAE: "GENERATE AC"}


def error_of(command: bytes, sw: int):
    """The CardError (not raised) that status word `sw` means after `command`."""
    kind, text = "again", "unknown status word"
    for key in ("%02X %04X" % (command[1], sw), "%04X" % sw, "%02Xxx" % (sw >> 8)):
        start = _MEANINGS.find("\n%s " % key)
        if start >= 0:
            start += len(key) + 2
            kind, _, text = _MEANINGS[start : _MEANINGS.find("\n", start)].partition(" ")
            break
    return _ERRORS[kind]("%s %04X %s" % (_COMMANDS.get(command[1], "command"), sw, text))


def must(command: bytes, card):
    """Generator: `exchange` that returns the position alone. Raises the error of any status word but 9000."""
    position, sw = yield from exchange(command, card)
    if sw != OK:
        raise error_of(command, sw)
    return position
