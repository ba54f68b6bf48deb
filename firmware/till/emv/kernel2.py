"""Kernel 2 (Mastercard M/Chip, EMV Contactless Book C-2): GPO, records, then GENERATE AC over CDOL1. Online only."""

from micropython import const

from till.core.errors import CardLimit, CardOther
from till.emv import apdu, dol, tlv
from till.emv.parameters import REFUND
from till.emv.reading import CVM_DEVICE, CVM_NONE

# The usual M/Chip file locator: SFI 1 is the magnetic stripe, SFI 2 the data, SFI 3 and 4 the certificates. Without
# offline data authentication the data record alone is read (Book C-2 S3, "Active AFL").
_USUAL_AFL = b"\x08\x01\x01\x00\x10\x01\x01\x01\x18\x01\x02\x00\x20\x01\x02\x00"
_MAGNETIC_STRIPE_ENTRY = b"\x08\x01\x01\x00"

# Application interchange profile (82).
_AIP_ON_DEVICE_CVM = const(0x02)
_AIP_CVM = const(0x10)
_AIP2_EMV_MODE = const(0x80)

# Terminal verification results (95), first, third and fourth octet (EMV Book 3 Annex C5).
_NO_OFFLINE_AUTHENTICATION = const(0x80)
_ICC_DATA_MISSING = const(0x20)
_CVM_FAILED = const(0x80)
_UNRECOGNISED_CVM = const(0x40)
_FLOOR_LIMIT_EXCEEDED = const(0x80)

_NO_CVM_CODE = const(0x1F)
_KNOWN_CVM_CODES = (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x1E, 0x1F)


def run(reading):
    """Generator: returns the CardReading, or None when the card wants its next application tried."""
    card = reading.card
    if not (yield from reading.processing_options()):
        return None
    if not card.need(0x82, 2, 2)[1] & _AIP2_EMV_MODE:
        raise CardOther("magnetic stripe mode only")
    yield from reading.read_records(_active(bytes(card.need(0x94, 4, 252))))
    reading.check_dates()

    terminal = reading.terminal
    above_limit = terminal.needs_cvm(reading.transaction)
    tvr = bytearray(5)
    tvr[0] |= _NO_OFFLINE_AUTHENTICATION
    if reading.transaction.amount:
        tvr[3] |= _FLOOR_LIMIT_EXCEEDED  # the floor limit is zero: everything goes online
    cvm, results = _verify_cardholder(reading, above_limit, tvr)
    if above_limit and cvm == CVM_NONE:
        raise CardLimit("no cardholder verification in common")
    values = reading.values
    values[0x95] = bytes(tvr)
    values[0x9F34] = results
    if above_limit:  # without "no CVM" among the capabilities
        values[0x9F33] = bytes((terminal.capabilities[0], terminal.capabilities[1] & 0xF7, terminal.capabilities[2]))

    kind = apdu.ARQC
    if reading.transaction.type == REFUND or _denied(tvr, terminal.denial) or _denied(tvr, card.get(0x9F0E)):
        kind = apdu.AAC
    command = apdu.generate_ac(kind, dol.build(card.need(0x8C, 1, 252), values, card))
    position = yield from apdu.must(command, card)
    tag, value = tlv.only(card.view, position)
    if tag == 0x77:
        card.index(position)
    elif tag == 0x80:
        card.split(value, ((0x9F27, 1), (0x9F36, 2), (0x9F26, 8), (0x9F10, None)))
    else:
        raise CardOther("GENERATE AC answer")
    return reading.result(card.need(0x9F27, 1, 1)[0], cvm, results)


def _active(afl: bytes) -> bytes:
    """The entries of the application file locator that EMV mode needs."""
    if afl == _USUAL_AFL:
        return afl[4:8]
    return afl[4:] if afl[:4] == _MAGNETIC_STRIPE_ENTRY else afl


def _denied(tvr, action_code) -> bool:
    """Whether a bit of the TVR is set that the action code – denial names (EMV Book 3 §10.7)."""
    if action_code is None:
        return False
    return any(a & b for a, b in zip(tvr, action_code))


def _verify_cardholder(reading, above_limit: bool, tvr) -> tuple:
    """`(cvm, CVM results)`, and the bits of `tvr` that go with it (Book C-2 §6.7, EMV Book 3 §10.5)."""
    card = reading.card
    profile = card.need(0x82, 2, 2)[0]
    if profile & _AIP_ON_DEVICE_CVM:
        return (CVM_DEVICE, b"\x01\x00\x02") if above_limit else (CVM_NONE, b"\x3f\x00\x02")
    if not profile & _AIP_CVM:
        return CVM_NONE, b"\x3f\x00\x00"
    rules = card.get(0x8E)
    if rules is None:
        tvr[0] |= _ICC_DATA_MISSING
        return CVM_NONE, b"\x3f\x00\x00"
    if len(rules) < 10 or len(rules) & 1:
        raise CardOther("CVM list")
    for i in range(8, len(rules), 2):
        rule = rules[i]
        condition = rules[i + 1]
        if not _applies(reading, condition, rules, not above_limit and rule & 0x3F == _NO_CVM_CODE):
            continue
        if rule & 0x3F == _NO_CVM_CODE and not above_limit:
            return CVM_NONE, bytes((rule, condition, 2))
        if rule & 0x3F not in _KNOWN_CVM_CODES:
            tvr[2] |= _UNRECOGNISED_CVM
        if not rule & 0x40 or rule & 0x3F == 0:  # no further rule may be tried, or "fail" itself
            break
    tvr[2] |= _CVM_FAILED
    return CVM_NONE, b"\x3f\x00\x01"


def _applies(reading, condition: int, rules, supported: bool) -> bool:
    """Whether the condition of a CVM rule holds (EMV Book 3 Table 40). There is no cash here, but cashback may be."""
    if condition == 0x00:
        return True
    if condition == 0x02:
        return not reading.transaction.other
    if condition == 0x05:
        return reading.transaction.other != 0
    if condition == 0x03:
        return supported
    if 0x06 <= condition <= 0x09:
        code = reading.card.get(0x9F42)
        if code is None or bytes(code) != reading.values[0x5F2A]:
            return False
        at = 0 if condition < 0x08 else 4
        limit = rules[at] << 24 | rules[at + 1] << 16 | rules[at + 2] << 8 | rules[at + 3]
        amount = reading.transaction.amount
        return amount > limit if condition & 1 else amount < limit
    return False
