"""One reading: what every kernel does the same way, and the result it hands over."""

from micropython import const

from till.core.errors import CardDeclined, CardExpired, CardOther
from till.emv import apdu, dol, tlv
from till.emv.parameters import REFUND
from till.emv.track2 import mask, pan_of, parse

RECORDS_MAX = const(24)

CVM_NONE = "none"
CVM_DEVICE = "device"

# Field 55, in the field's usual order. Never 57, 5A, 5F20, 9F1F, 56 or 9F6B: no PAN, no track, no name.
_FIELD55 = (
    0x9F26,
    0x9F27,
    0x9F10,
    0x9F37,
    0x9F36,
    0x95,
    0x9A,
    0x9C,
    0x9F02,
    0x5F2A,
    0x82,
    0x9F1A,
    0x9F03,
    0x9F33,
    0x9F34,
    0x9F35,
    0x9F1E,
    0x84,
    0x9F09,
    0x9F41,
    0x9F6E,
    0x9F7C,
    0x5F34,
)


class CardReading:
    """What a card gave for one transaction.

    `aid` octets; `scheme`, `label` str; `psn` 2 digits; `pan` digits, `pan_masked` 6/4, `track2` octets or None:
    `pan` and `track2` are for encryption only, never for a log, a screen or a file; `expiry` "YYMM"; `cvm`
    CVM_NONE or CVM_DEVICE; `cryptogram` "ARQC" (or "AAC" for a refund, where that is no refusal); `field55`
    octets; `atc` int; `un` 4 octets.
    """

    def __init__(self, aid, scheme, label, psn, pan, track2, expiry, cvm, cryptogram, field55, atc, un):
        self.aid = aid
        self.scheme = scheme
        self.label = label
        self.psn = psn
        self.pan = pan
        self.pan_masked = mask(pan)
        self.track2 = track2
        self.expiry = expiry
        self.cvm = cvm
        self.cryptogram = cryptogram
        self.field55 = field55
        self.atc = atc
        self.un = un


def _day(octets) -> int:
    """YYMMDD in packed digits as a number that sorts by date: years 50–99 are 1950–1999 (EMV Book 4 §6.7.3)."""
    n = 0
    for octet in octets:
        n = n * 100 + (octet >> 4) * 10 + (octet & 0xF)
    return n + (19000000 if n >= 500000 else 20000000)


class Reading:
    """The state of one reading: the terminal, the transaction, the chosen application and what the card has said."""

    def __init__(self, terminal, transaction, application, aid: bytes, progress):
        self.terminal = terminal
        self.transaction = transaction
        self.application = application
        self.aid = aid
        self.card = terminal.card
        self.values = terminal.values(transaction, application)
        self.progress = progress

    def processing_options(self):
        """Generator: GET PROCESSING OPTIONS. Returns False when the card asks for another application (6985).

        Afterwards 82, 94 and, in format 2, whatever else the card gave are in `card`.
        """
        card = self.card
        command = apdu.get_processing_options(dol.build(card.get(0x9F38) or b"", self.values, card))
        position, sw = yield from apdu.exchange(command, card)
        if sw == apdu.CONDITIONS_NOT_SATISFIED:
            return False
        if sw != apdu.OK:
            raise apdu.error_of(command, sw)
        tag, value = tlv.only(card.view, position)
        if tag == 0x77:
            card.index(position)
        elif tag == 0x80:
            card.split(value, ((0x82, 2), (0x94, None)))
        else:
            raise CardOther("processing options")
        card.need(0x82, 2, 2)
        self.progress(3)
        return True

    def read_records(self, afl: bytes):
        """Generator: READ RECORD for all that an application file locator names (EMV Book 3 §10.2)."""
        if len(afl) % 4:
            raise CardOther("AFL length")
        records = 0
        for i in range(0, len(afl), 4):
            sfi = afl[i] >> 3
            first = afl[i + 1]
            last = afl[i + 2]
            if afl[i] & 7 or not 1 <= sfi <= 30 or not 1 <= first <= last or afl[i + 3] > last - first + 1:
                raise CardOther("AFL entry")
            records += last - first + 1
            if records > RECORDS_MAX:
                raise CardOther("AFL names too many records")
            for record in range(first, last + 1):
                position = yield from apdu.must(apdu.read_record(sfi, record), self.card)
                if sfi <= 10:  # files 11–30 are the issuer's own, and need not be TLV
                    if tlv.only(self.card.view, position)[0] != 0x70:
                        raise CardOther("record template")
                    self.card.index(position)

    def check_dates(self) -> None:
        """Raise CardExpired outside 5F25…5F24; without 5F24 the expiry month of track 2 counts."""
        card = self.card
        today = _day(self.transaction.date)
        if card.get(0x5F24) is not None:
            if today > _day(card.need(0x5F24, 3, 3)):
                raise CardExpired("expired")
        elif today // 100 > _day(bytes.fromhex(self._account()[1]) + b"\x00") // 100:
            raise CardExpired("expired")
        if card.get(0x5F25) is not None and today < _day(card.need(0x5F25, 3, 3)):
            raise CardExpired("not yet effective")

    def _account(self) -> tuple:
        """`(pan, expiry "YYMM")` from 57, else from 5A and 5F24; both must name one PAN."""
        card = self.card
        if card.get(0x57) is not None:
            pan, expiry, _ = parse(card.need(0x57, 8, 19))
            if card.get(0x5A) is not None and pan_of(card.need(0x5A, 6, 10)) != pan:
                raise CardOther("two PANs")
            return pan, expiry
        date = card.need(0x5F24, 3, 3)
        return pan_of(card.need(0x5A, 6, 10)), "%02X%02X" % (date[0], date[1])

    def cryptogram(self, information: int) -> str:
        """ "ARQC", or "AAC" for a refund, by a cryptogram information octet (9F27, EMV Book 3 §6.5.5.4).

        Raises CardDeclined for the card's refusal, CardOther for an offline approval: nobody asked for one.
        """
        kind = information & 0xC0
        if kind == apdu.ARQC:
            return "ARQC"
        if kind == apdu.AAC:
            if self.transaction.type == REFUND:
                return "AAC"
            raise CardDeclined("declined by the card")
        raise CardOther("cryptogram type %02X" % information)

    def result(self, information: int, cvm: str, cvm_results: bytes) -> CardReading:
        """Check what must be there (9F26, 9F36, 9F10, the account) and hand over the reading."""
        card = self.card
        kind = self.cryptogram(information)
        card.need(0x9F26, 8, 8)
        card.need(0x9F10, 3, 32)
        atc = card.need(0x9F36, 2, 2)
        pan, expiry = self._account()
        psn = card.get(0x5F34)
        if psn is not None:
            psn = card.need(0x5F34, 1, 1)
            if psn[0] & 0xF > 9 or psn[0] >> 4 > 9:
                raise CardOther("PAN sequence number")
        track = card.get(0x57)
        self.values[0x9F34] = cvm_results
        self.values[0x9F27] = bytes((information,))
        reading = CardReading(
            aid=self.aid,
            scheme=self.application.scheme,
            label=self._label(),
            psn="%02X" % psn[0] if psn is not None else "00",
            pan=pan,
            track2=None if track is None else bytes(track),
            expiry=expiry,
            cvm=cvm,
            cryptogram=kind,
            field55=self._field55(),
            atc=atc[0] << 8 | atc[1],
            un=self.transaction.unpredictable,
        )
        self.progress(4)
        return reading

    def _label(self) -> str:
        """The card's own label (50) when it is plain ASCII (EMV format ans), else the terminal's name for the AID."""
        label = self.card.get(0x50)
        if label is None or not 1 <= len(label) <= 16 or not all(0x20 <= c < 0x7F for c in label):
            return self.application.label
        return bytes(label).decode().strip() or self.application.label

    def _field55(self) -> bytes:
        out = bytearray()
        for tag in _FIELD55:
            value = self.values.get(tag)
            if value is None:
                value = self.card.get(tag)
            if value is not None:
                if len(value) > 32:
                    raise CardOther("tag %X: %d octets" % (tag, len(value)))
                tlv.append(out, tag, value)
        if len(out) > 255:
            raise CardOther("field 55 too long")
        return bytes(out)
