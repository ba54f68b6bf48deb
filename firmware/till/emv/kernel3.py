"""Kernel 3 (Visa qVSDC, Book C-3) and kernel 7 (UnionPay QuickPass, Book C-7): the cryptogram is in the GPO answer.

The two differ in names and in cards, not in this course: the terminal transaction qualifiers go out in the PDOL,
the card transaction qualifiers (9F6C) come back, and the TVR stays all zeros. Online only.
"""

from micropython import const

from till.core.errors import CardLimit, CardOther
from till.emv import dol
from till.emv.reading import CVM_DEVICE, CVM_NONE

# Card transaction qualifiers: first octet, then second.
_CTQ_PIN_OR_SIGNATURE = const(0xC0)
_CTQ2_DEVICE_CVM = const(0x80)


def run(reading):
    """Generator: returns the CardReading, or None when the card wants its next application tried."""
    card = reading.card
    if not _asks_for(card.get(0x9F38), 0x9F66):
        raise CardOther("PDOL without terminal qualifiers")
    if not (yield from reading.processing_options()):
        return None
    yield from reading.read_records(bytes(card.get(0x94) or b""))
    card.need(0x9F36, 2, 2)
    card.need(0x9F26, 8, 8)
    information = _information(card)
    reading.cryptogram(information)  # a refusal by the card comes before everything else it may have left out
    reading.check_dates()
    cvm, results = _verify_cardholder(reading)
    return reading.result(information, cvm, results)


def _asks_for(pdol, wanted: int) -> bool:
    return pdol is not None and any(tag == wanted for tag, _ in dol.entries(pdol))


def _information(card) -> int:
    """The cryptogram information data: 9F27, else from the card verification results in 9F10.

    Formats 0, 1 and 3 (length, key, version, 03, CVR…) have the type in bits 6–5 of the fifth octet; format 2
    (1F, version, key, CVR…) in those of the fourth (Book C-3 Annex A, VIS Appendix: IAD).
    """
    if card.get(0x9F27) is not None:
        return card.need(0x9F27, 1, 1)[0]
    iad = card.need(0x9F10, 5, 32)
    octet = iad[3] if iad[0] == 0x1F else iad[4]
    return (octet & 0x30) << 2


def _verify_cardholder(reading) -> tuple:
    """`(cvm, CVM results)` by the card transaction qualifiers (Book C-3 §5.7). Raises CardLimit."""
    qualifiers = reading.card.get(0x9F6C)
    if qualifiers is not None:
        qualifiers = reading.card.need(0x9F6C, 2, 2)
        if qualifiers[1] & _CTQ2_DEVICE_CVM:
            return CVM_DEVICE, b"\x01\x00\x02"
        if qualifiers[0] & _CTQ_PIN_OR_SIGNATURE:
            raise CardLimit("the card wants a PIN or a signature")
    if reading.terminal.needs_cvm(reading.transaction):
        raise CardLimit("no cardholder verification in common")
    return CVM_NONE, b"\x1f\x00\x02"
