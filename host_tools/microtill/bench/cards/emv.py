"""EMV payment cards as strict state machines, with real application cryptograms.

A wrong length is 6700, a wrong class 6E00, an unknown instruction 6D00, wrong parameters 6A86, a command before its
turn 6985 (EMV Book 1 §11, Book 3 §6). The cryptograms come from the test issuers' keys.
"""

import secrets
from dataclasses import dataclass

from microtill.acquirer.issuers import compute_cryptogram, issuer_of
from microtill.bench.cards.card import Card
from microtill.bench.cards.command import Command, Refused, parse
from microtill.bench.cards.counters import Counters

PPSE = b"2PAY.SYS.DDF01"

_SELECT, _READ_RECORD, _GPO, _GENERATE_AC = 0xA4, 0xB2, 0xA8, 0xAE
_COMMANDS = {0x00: (_SELECT, _READ_RECORD), 0x80: (_GPO, _GENERATE_AC)}

ARQC, TC, AAC = 0x80, 0x40, 0x00


def tlv(tag: str, *parts: bytes) -> bytes:
    """One BER-TLV object; `tag` in hex, the value is `parts` joined."""
    value = b"".join(parts)
    length = bytes((len(value),)) if len(value) < 0x80 else bytes((0x81, len(value)))
    return bytes.fromhex(tag) + length + value


def dol(text: str) -> tuple[tuple[str, int], ...]:
    """`"9F02 06 95 05"` as (("9F02", 6), ("95", 5))."""
    words = text.split()
    return tuple((words[i], int(words[i + 1], 16)) for i in range(0, len(words), 2))


def encode_dol(entries: tuple[tuple[str, int], ...]) -> bytes:
    return b"".join(bytes.fromhex(tag) + bytes((length,)) for tag, length in entries)


# What the AC algorithms take from the terminal, in the usual order of a PDOL or CDOL1.
TRANSACTION = "9F02 06 9F03 06 9F1A 02 95 05 5F2A 02 9A 03 9C 01 9F37 04"


@dataclass(frozen=True)
class Account:
    """What is embossed: `expiry` YYMMDD, `psn` 2 digits."""

    pan: str
    expiry: str = "491231"
    psn: str = "01"
    service_code: str = "201"

    @property
    def track2(self) -> bytes:
        text = f"{self.pan}D{self.expiry[:4]}{self.service_code}0000000000"
        text = text[:37]
        return bytes.fromhex(text + "F" * (len(text) % 2))

    @property
    def pan_bcd(self) -> bytes:
        return bytes.fromhex(self.pan + "F" * (len(self.pan) % 2))


class EmvCard(Card):
    """One account, one application. Subclasses personalise it and make its cryptogram answer."""

    scheme = ""
    aid = b""
    label = b""
    pdol: tuple[tuple[str, int], ...] = ()

    def __init__(
        self,
        account: Account,
        counters: Counters,
        leaves_after: int | None = None,
        declines: bool = False,
        select_sw: int = 0x9000,
        gpo_sw: int = 0x9000,
    ):
        super().__init__(leaves_after)
        issuer = issuer_of(account.pan)
        if issuer is None or issuer.scheme != self.scheme:
            raise ValueError(f"no {self.scheme} test issuer for this PAN")
        self.account = account
        self.declines = declines
        self.select_sw = select_sw
        self.gpo_sw = gpo_sw
        self._issuer = issuer
        self._counters = counters
        self._selected = False
        self._started = False
        self._spent = False
        self._atc = b""

    @property
    def atc(self) -> int:
        """The application transaction counter of the last transaction."""
        return self._counters.last(self.account.pan + self.account.psn)

    def reset(self) -> None:
        self._selected = self._started = self._spent = False

    def answer(self, capdu: bytes) -> bytes:
        try:
            command = parse(capdu)
            if command.cla not in _COMMANDS:
                raise Refused(0x6E00)
            if command.ins not in _COMMANDS[command.cla]:
                raise Refused(0x6E00 if command.ins in sum(_COMMANDS.values(), ()) else 0x6D00)
            handler = {
                _SELECT: self._select,
                _READ_RECORD: self._read_record,
                _GPO: self._get_processing_options,
                _GENERATE_AC: self._generate_ac,
            }[command.ins]
            return handler(command) + b"\x90\x00"
        except Refused as refused:
            return refused.sw.to_bytes(2, "big")

    # Commands

    def _select(self, command: Command) -> bytes:
        if command.p1 != 0x04 or command.p2 not in (0x00, 0x02):
            raise Refused(0x6A86)
        if not 5 <= len(command.data) <= 16 or command.le != 256:
            raise Refused(0x6700)
        if command.p2 == 0x00 and command.data == PPSE:
            self.reset()
            return tlv("6F", tlv("84", PPSE), tlv("A5", tlv("BF0C", *self.directory())))
        if not self.aid.startswith(command.data) or (command.p2 == 0x02 and self._selected):
            raise Refused(0x6A82)
        if self.select_sw != 0x9000:
            raise Refused(self.select_sw)
        self.reset()
        self._selected = True
        return tlv("6F", tlv("84", self.aid), tlv("A5", *self.proprietary()))

    def _get_processing_options(self, command: Command) -> bytes:
        if command.p1 or command.p2:
            raise Refused(0x6A86)
        if command.le != 256 or not command.data:
            raise Refused(0x6700)
        if not self._selected or self._started:
            raise Refused(0x6985)
        if command.data[0] != 0x83:
            raise Refused(0x6A80)
        expected = sum(length for _, length in self.pdol)
        if command.data[1:2] != bytes((expected,)) or len(command.data) != 2 + expected:
            raise Refused(0x6700)
        if self.gpo_sw != 0x9000:
            raise Refused(self.gpo_sw)
        atc = self._counters.advance(self.account.pan + self.account.psn)
        if not atc:
            raise Refused(0x6985)
        self._atc = atc.to_bytes(2, "big")
        answer = self.options(_split(self.pdol, command.data[2:]))
        self._started = True
        return answer

    def _read_record(self, command: Command) -> bytes:
        if command.p1 == 0 or command.p2 & 7 != 4:
            raise Refused(0x6A86)
        if command.data or command.le != 256:
            raise Refused(0x6700)
        if not self._started:
            raise Refused(0x6985)
        files = self.records()
        sfi = command.p2 >> 3
        if not any(key[0] == sfi for key in files):
            raise Refused(0x6A82)
        if (sfi, command.p1) not in files:
            raise Refused(0x6A83)
        return files[sfi, command.p1]

    def _generate_ac(self, command: Command) -> bytes:
        raise Refused(0x6D00)

    # Personalisation

    def directory(self) -> list[bytes]:
        """The entries of the PPSE."""
        return [tlv("61", tlv("4F", self.aid), tlv("50", self.label), tlv("87", b"\x01"))]

    def proprietary(self) -> list[bytes]:
        """What the FCI holds under A5."""
        data = [tlv("50", self.label), tlv("87", b"\x01")]
        if self.pdol:
            data.append(tlv("9F38", encode_dol(self.pdol)))
        return [*data, tlv("5F2D", b"zhen")]

    def options(self, terminal: dict[str, bytes]) -> bytes:
        """The answer to GET PROCESSING OPTIONS; `terminal` is what the PDOL asked for."""
        raise NotImplementedError

    def records(self) -> dict[tuple[int, int], bytes]:
        """Records by (SFI, number)."""
        return {}

    def cryptogram(self, terminal: dict[str, bytes], aip: bytes, iad: bytes) -> bytes:
        """The application cryptogram over this transaction."""
        tags = {**terminal, "82": aip, "9F36": self._atc, "9F10": iad}
        return compute_cryptogram(self._issuer, self.account.pan, self.account.psn, tags)


def _split(entries: tuple[tuple[str, int], ...], data: bytes) -> dict[str, bytes]:
    values = {}
    for tag, length in entries:
        values[tag], data = data[:length], data[length:]
    return values


def _wants_cvm(qualifiers: bytes) -> bool:
    return bool(qualifiers[1] & 0x40)


class VisaCard(EmvCard):
    """qVSDC, CVN 18 (12 hex), issuer application data format 0/1/3; 9F27 is left to the reader to derive."""

    scheme = "visa"
    aid = bytes.fromhex("A0000000031010")
    label = b"VISA CREDIT"
    pdol = dol(f"9F66 04 {TRANSACTION}")
    aip = b"\x00\x00"

    def options(self, terminal: dict[str, bytes]) -> bytes:
        if not terminal["9F66"][0] & 0x20:
            raise Refused(0x6985)
        iad = self.issuer_data(AAC if self.declines else ARQC)
        return tlv(
            "77",
            tlv("82", self.aip),
            tlv("9F36", self._atc),
            tlv("9F26", self.cryptogram(terminal, self.aip, iad)),
            tlv("9F10", iad),
            tlv("57", self.account.track2),
            tlv("5F34", bytes.fromhex(self.account.psn)),
            tlv("9F6C", self.qualifiers(terminal["9F66"])),
            tlv("9F6E", self.form_factor()),
        )

    def issuer_data(self, kind: int) -> bytes:
        return bytes((0x06, 0x01, 0x12, 0x03, 0x80 | kind >> 2, 0x00, 0x00))

    def qualifiers(self, terminal: bytes) -> bytes:
        return b"\x80\x00" if _wants_cvm(terminal) else b"\x00\x00"

    def form_factor(self) -> bytes:
        return bytes.fromhex("20700000")


class PhoneCard(VisaCard):
    """A phone by host card emulation: qVSDC, CVN 34 (22 hex, format 2), the holder verified on the device.

    Its UID is random at each tap (ISO 14443-3 §6.5.4: 08 and three random octets).
    """

    label = b"VISA"
    sak = 0x20

    def __init__(self, account: Account, counters: Counters, leaves_after: int | None = None, locked: bool = False):
        super().__init__(account, counters, leaves_after, gpo_sw=0x6986 if locked else 0x9000)
        self.uid = _random_uid()

    def activate(self) -> None:
        super().activate()
        self.uid = _random_uid()

    def issuer_data(self, kind: int) -> bytes:
        return bytes((0x1F, 0x22, 0x01, 0x80 | kind >> 2)).ljust(32, b"\x00")

    def qualifiers(self, terminal: bytes) -> bytes:
        return b"\x00\x80"

    def form_factor(self) -> bytes:
        return bytes.fromhex("238C0000")


def _random_uid() -> bytes:
    return b"\x08" + secrets.token_bytes(3)


class UnionPayCard(EmvCard):
    """QuickPass (qPBOC), CVN 01; its PDOL also asks for DF60, which a terminal without extended uses sends as zero."""

    scheme = "unionpay"
    aid = bytes.fromhex("A000000333010101")
    label = b"PBOC DEBIT"
    pdol = dol(f"9F66 04 {TRANSACTION} DF60 01")
    aip = b"\x7c\x00"

    def options(self, terminal: dict[str, bytes]) -> bytes:
        if not terminal["9F66"][0] & 0x20:
            raise Refused(0x6985)
        kind = AAC if self.declines else ARQC
        iad = bytes((0x07, 0x01, 0x01, 0x03, 0x80 | kind >> 2, 0x00, 0x00, 0x01))
        return tlv(
            "77",
            tlv("82", self.aip),
            tlv("9F36", self._atc),
            tlv("57", self.account.track2),
            tlv("9F10", iad),
            tlv("9F26", self.cryptogram(terminal, self.aip, iad)),
            tlv("9F27", bytes((kind,))),
            tlv("5F34", bytes.fromhex(self.account.psn)),
            tlv("9F6C", b"\x80\x00" if _wants_cvm(terminal["9F66"]) else b"\x00\x00"),
            tlv("9F5D", bytes(6)),
        )


class MastercardCard(EmvCard):
    """M/Chip, CVN 16 (10 hex): no PDOL, two records, GENERATE AC over CDOL1, answers in format 2."""

    scheme = "mastercard"
    aid = bytes.fromhex("A0000000041010")
    label = b"Mastercard"
    aip = b"\x18\x80"
    afl = bytes.fromhex("10010100 18010100")
    cdol1 = dol(f"{TRANSACTION} 9F35 01 9F45 02 9F4C 08 9F34 03 9F21 03 9F7C 14")

    def options(self, terminal: dict[str, bytes]) -> bytes:
        return tlv("77", tlv("82", self.aip), tlv("94", self.afl))

    def records(self) -> dict[tuple[int, int], bytes]:
        account = self.account
        return {
            (2, 1): tlv(
                "70",
                tlv("57", account.track2),
                tlv("5A", account.pan_bcd),
                tlv("5F24", bytes.fromhex(account.expiry)),
                tlv("5F25", bytes.fromhex("150101")),
                tlv("5F28", bytes.fromhex("0156")),
                tlv("5F34", bytes.fromhex(account.psn)),
                tlv("9F07", bytes.fromhex("FFC0")),
                tlv("9F08", bytes.fromhex("0002")),
            ),
            (3, 1): tlv(
                "70",
                tlv("8C", encode_dol(self.cdol1)),
                # Online PIN if supported, else signature if supported, else no CVM if supported.
                tlv("8E", bytes.fromhex("0000000000000000 4203 1E03 1F03")),
                tlv("9F0D", bytes.fromhex("B450840000")),
                tlv("9F0E", bytes.fromhex("0000000000")),
                tlv("9F0F", bytes.fromhex("B470848000")),
                tlv("9F42", bytes.fromhex("0156")),
            ),
        }

    def _generate_ac(self, command: Command) -> bytes:
        if command.p1 not in (ARQC, TC, AAC) or command.p2:
            raise Refused(0x6A86)
        if command.le != 256 or len(command.data) != sum(length for _, length in self.cdol1):
            raise Refused(0x6700)
        if not self._started or self._spent:
            raise Refused(0x6985)
        self._spent = True
        # It approves nothing offline: a request for a TC is answered with an ARQC, one for an AAC with an AAC.
        kind = AAC if self.declines or command.p1 == AAC else ARQC
        terminal = _split(self.cdol1, command.data)
        iad = bytes((0x01, 0x10, 0x80 | kind >> 2, 0x00, 0x03, 0x24, 0x00, 0x00)).ljust(17, b"\x00") + b"\xff"
        return tlv(
            "77",
            tlv("9F27", bytes((kind,))),
            tlv("9F36", self._atc),
            tlv("9F26", self.cryptogram(terminal, self.aip, iad)),
            tlv("9F10", iad),
        )
