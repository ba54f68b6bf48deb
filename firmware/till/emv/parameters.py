"""What the terminal tells cards about itself and about the transaction (EMV Book 4 Annex A)."""

from micropython import const

from till.core.errors import InvalidValue
from till.core.money import check_amount
from till.emv.card_data import CardData

KERNEL_MASTERCARD = const(2)
KERNEL_VISA = const(3)
KERNEL_UNIONPAY = const(7)

SALE = const(0x00)
SALE_WITH_CASHBACK = const(0x09)
REFUND = const(0x20)


class Application:
    """One AID that is accepted: a card application matches when its name begins with `aid` (5–16 octets).

    `version` is tag 9F09 for that scheme.
    """

    def __init__(self, aid: bytes, kernel: int, scheme: str, label: str, version: int):
        if not 5 <= len(aid) <= 16:
            raise InvalidValue("AID")
        self.aid = aid
        self.kernel = kernel
        self.scheme = scheme
        self.label = label
        self.version = version


# UnionPay electronic cash (…0106) is left out: it is offline only.
APPLICATIONS = (
    Application(b"\xa0\x00\x00\x00\x03\x10\x10", KERNEL_VISA, "visa", "Visa", 0x0096),
    Application(b"\xa0\x00\x00\x00\x03\x20\x10", KERNEL_VISA, "visa", "Visa Electron", 0x0096),
    Application(b"\xa0\x00\x00\x00\x04\x10\x10", KERNEL_MASTERCARD, "mastercard", "Mastercard", 0x0002),
    Application(b"\xa0\x00\x00\x00\x04\x30\x60", KERNEL_MASTERCARD, "mastercard", "Maestro", 0x0002),
    Application(b"\xa0\x00\x00\x03\x33\x01\x01\x01", KERNEL_UNIONPAY, "unionpay", "UnionPay Debit", 0x0020),
    Application(b"\xa0\x00\x00\x03\x33\x01\x01\x02", KERNEL_UNIONPAY, "unionpay", "UnionPay Credit", 0x0020),
    Application(b"\xa0\x00\x00\x03\x33\x01\x01\x03", KERNEL_UNIONPAY, "unionpay", "UnionPay Quasi Credit", 0x0020),
)


def bcd(value: int, length: int) -> bytes:
    """`value` as `length` octets of packed digits (format n). Raises InvalidValue when it does not fit."""
    out = bytearray(length)
    for i in range(length - 1, -1, -1):
        out[i] = value // 10 % 10 << 4 | value % 10
        value //= 100
    if value:
        raise InvalidValue("number too long")
    return bytes(out)


def _is_bcd(octets) -> bool:
    return all(octet & 0xF < 10 and octet >> 4 < 10 for octet in octets)


class Transaction:
    """`amount` in minor units, `other` the cashback in it; `currency` ISO 4217 numeric, 3 digits as str.

    `type`: SALE, SALE_WITH_CASHBACK or REFUND (tag 9C); `date` YYMMDD and `time` HHMMSS as 3 octets of packed
    digits, local time; `unpredictable`: 4 octets from the RNG; `sequence`: the STAN, tag 9F41. Raises InvalidValue.
    """

    def __init__(
        self,
        amount: int,
        currency: str,
        type: int,
        date: bytes,
        time: bytes,
        unpredictable: bytes,
        sequence: int = 0,
        other: int = 0,
    ):
        check_amount(amount)
        check_amount(other)
        if len(currency) != 3 or not currency.isdigit():
            raise InvalidValue("currency")
        if len(date) != 3 or len(time) != 3 or not _is_bcd(date) or not _is_bcd(time):
            raise InvalidValue("date")
        if len(unpredictable) != 4:
            raise InvalidValue("unpredictable number")
        self.amount = amount
        self.other = other
        self.currency = currency
        self.type = type
        self.date = bytes(date)
        self.time = bytes(time)
        self.unpredictable = bytes(unpredictable)
        self.sequence = sequence


class Terminal:
    """The terminal's own data elements, the applications it takes, and the buffer that readings share.

    `serial`: 8 characters (9F1E); `country`: ISO 3166 numeric; `capabilities` 9F33: no PIN, no signature, no
    offline data authentication; `kind` 9F35: attended, offline with online capability; `additional` 9F40.
    `cvm_limit`: minor units above which a cardholder verification is needed (None: never). `denial`: the
    terminal action code – denial, over the TVR. Raises InvalidValue.
    """

    def __init__(
        self,
        serial: str,
        country: str = "156",
        capabilities: bytes = b"\x00\x08\x00",
        kind: int = 0x22,
        additional: bytes = b"\x60\x00\xb0\x20\x01",
        cvm_limit=100000,
        denial: bytes = b"\x00\x00\x00\x00\x00",
        applications=APPLICATIONS,
    ):
        if len(serial) != 8:
            raise InvalidValue("IFD serial number")
        if len(country) != 3 or not country.isdigit():
            raise InvalidValue("country")
        if len(capabilities) != 3 or len(additional) != 5 or len(denial) != 5:
            raise InvalidValue("terminal capabilities")
        self.serial = serial
        self.country = country
        self.capabilities = capabilities
        self.kind = kind
        self.additional = additional
        self.cvm_limit = cvm_limit
        self.denial = denial
        self.applications = applications
        self.card = CardData()

    def needs_cvm(self, transaction) -> bool:
        """Whether the amount is above the limit without cardholder verification."""
        return self.cvm_limit is not None and transaction.amount > self.cvm_limit

    def qualifiers(self, transaction) -> bytes:
        """Terminal transaction qualifiers (9F66), the same bits in Books C-3 and C-7.

        qVSDC / QuickPass only, online cryptogram required, CDCVM supported; CVM required by amount.
        """
        return bytes((0x20, 0xC0 if self.needs_cvm(transaction) else 0x80, 0x40, 0x00))

    def values(self, transaction, application) -> dict:
        """Every data element that a DOL may ask of the terminal, by tag. The TVR (95) starts as all zeros."""
        return {
            0x9F02: bcd(transaction.amount, 6),
            0x9F03: bcd(transaction.other, 6),
            0x9F1A: bcd(int(self.country), 2),
            0x95: bytes(5),
            0x5F2A: bcd(int(transaction.currency), 2),
            0x9A: transaction.date,
            0x9C: bytes((transaction.type,)),
            0x9F37: transaction.unpredictable,
            0x9F33: self.capabilities,
            0x9F34: b"\x3f\x00\x00",
            0x9F35: bytes((self.kind,)),
            0x9F40: self.additional,
            0x9F1E: self.serial.encode(),
            0x9F09: bytes((application.version >> 8, application.version & 0xFF)),
            0x9F41: bcd(transaction.sequence, 4),
            0x9F21: transaction.time,
            0x9F66: self.qualifiers(transaction),
        }
