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

_SELECT = "SELECT"
_GPO = "GET PROCESSING OPTIONS"


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


# The same word means different things after different commands; the rest goes by its first octet.
_MEANING = {
    (_SELECT, 0x6283): (CardBlocked, "application blocked"),
    (_SELECT, 0x6A81): (CardBlocked, "card blocked"),
    (_SELECT, 0x6A82): (CardOther, "not found"),
    (_GPO, 0x6984): (CardOther, "another interface"),
    (_GPO, CONDITIONS_NOT_SATISFIED): (CardOther, "conditions not satisfied"),
    (_GPO, 0x6986): (CardSeePhone, "see phone"),
}
_ANY = {
    0x6581: (CardTryAgain, "memory failure"),
    0x6700: (CardOther, "wrong length"),
    0x6982: (CardOther, "security status"),
    0x6983: (CardBlocked, "blocked"),
    CONDITIONS_NOT_SATISFIED: (CardOther, "conditions not satisfied"),
    0x6A80: (CardOther, "wrong data"),
    0x6A81: (CardOther, "function not supported"),
    0x6A82: (CardOther, "file not found"),
    0x6A83: (CardOther, "record not found"),
    0x6A86: (CardOther, "wrong P1 P2"),
    0x6A88: (CardOther, "data not found"),
    0x6D00: (CardOther, "instruction not supported"),
    0x6E00: (CardOther, "class not supported"),
    0x6F00: (CardTryAgain, "no diagnosis"),
}
_CLASS = {
    0x62: (CardTryAgain, "warning"),
    0x63: (CardTryAgain, "warning"),
    0x64: (CardTryAgain, "execution error"),
    0x65: (CardTryAgain, "execution error"),
    0x67: (CardOther, "wrong length"),
    0x68: (CardOther, "not supported"),
    0x69: (CardOther, "not allowed"),
    0x6A: (CardOther, "wrong parameters"),
    0x6B: (CardOther, "wrong parameters"),
    0x6C: (CardTryAgain, "wrong Le"),
    0x6D: (CardOther, "instruction not supported"),
    0x6E: (CardOther, "class not supported"),
    0x6F: (CardTryAgain, "no diagnosis"),
}


def error_of(command: bytes, sw: int):
    """The CardError (not raised) that status word `sw` means after `command`."""
    name = {0xA4: _SELECT, 0xA8: _GPO, 0xB2: "READ RECORD", 0xAE: "GENERATE AC"}.get(command[1], "command")
    kind, text = (
        _MEANING.get((name, sw)) or _ANY.get(sw) or _CLASS.get(sw >> 8) or (CardTryAgain, "unknown status word")
    )
    return kind("%s %04X %s" % (name, sw, text))


def must(command: bytes, card):
    """Generator: `exchange` that returns the position alone. Raises the error of any status word but 9000."""
    position, sw = yield from exchange(command, card)
    if sw != OK:
        raise error_of(command, sw)
    return position
