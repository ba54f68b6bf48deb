"""Card data of a sale: opened, compared with what the message says, and never kept in clear."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from microtill.acquirer import issuers, jose

# Field 55 never carries the PAN, track data or the cardholder's name.
_FORBIDDEN = ("57", "5A", "5F20", "9F1F", "56", "9F6B")
_NEEDED = ("9F26", "9F10", "9F37", "9F36", "95", "9A", "9C", "9F02", "5F2A", "82", "9F1A")
_FIXED = {
    "9F26": 8,
    "9F36": 2,
    "9F37": 4,
    "95": 5,
    "9A": 3,
    "9C": 1,
    "9F02": 6,
    "9F03": 6,
    "5F2A": 2,
    "82": 2,
    "9F1A": 2,
}

_TRACK2 = re.compile(r"([0-9]{12,19})D([0-9]{4})([0-9]{3})[0-9]*F?")
_PAN = re.compile(r"[0-9]{12,19}", re.ASCII)
_EXPIRY = re.compile(r"[0-9]{2}(0[1-9]|1[0-2])", re.ASCII)


class CardDataError(ValueError):
    """The card data do not open, or contradict the message. `rc`: F39; the text never holds card data."""

    def __init__(self, reason: str, rc: str = "30"):
        super().__init__(reason)
        self.rc = rc


@dataclass(frozen=True, repr=False)
class Card:
    """One reading of a card. No `repr`: it must not reach a log or a traceback."""

    pan: str
    psn: str
    expiry: str
    atc: int
    tags: dict[str, bytes]

    def expired(self, today: date) -> bool:
        """Cards are good to the end of the month on them. Two-digit years are of this century."""
        return (2000 + int(self.expiry[:2]), int(self.expiry[2:])) < (today.year, today.month)


def mask(pan: str) -> str:
    """First 6 and last 4 digits; the others are stars."""
    return pan[:6] + "*" * (len(pan) - 10) + pan[-4:]


def luhn(pan: str) -> bool:
    """ISO/IEC 7812-1 Annex B check digit."""
    total = 0
    for place, digit in enumerate(reversed(pan)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _clear_data(plaintext: bytes) -> tuple[str, str]:
    """(PAN, expiry YYMM) of the decrypted card data."""
    try:
        data = jose.parse_json(plaintext, 1)
    except jose.JoseError as e:
        raise CardDataError("card data are not JSON") from e
    if set(data) == {"t2"} and isinstance(data["t2"], str):
        found = _TRACK2.fullmatch(data["t2"])
        if not found or len(data["t2"]) % 2:
            raise CardDataError("track 2 equivalent")
        pan, expiry = found.group(1), found.group(2)
    elif set(data) == {"pan", "exp"} and isinstance(data["pan"], str) and isinstance(data["exp"], str):
        pan, expiry = data["pan"], data["exp"]
    else:
        raise CardDataError("card data members")
    if not _PAN.fullmatch(pan) or not luhn(pan):
        raise CardDataError("PAN", rc="14")
    if not _EXPIRY.fullmatch(expiry):
        raise CardDataError("expiry")
    return pan, expiry


def _bcd(value: bytes, what: str) -> int:
    digits = value.hex()
    if not digits.isdecimal():
        raise CardDataError(f"{what} is not numeric")
    return int(digits)


def read(payload: dict[str, Any], data_key: bytes) -> Card:
    """The card of a sale, its cross-checks passed: everything but the cryptogram itself. Raises CardDataError.

    `payload` is a checked sale, `data_key` the DUKPT data key of its KSN.
    """
    said = payload["instrument"]["card"]
    try:
        plaintext = jose.decrypt_dir(said["enc"], "mt-req", payload["ksn"], data_key)
    except jose.JoseError as e:
        raise CardDataError("encrypted card data", rc="A0") from e
    pan, expiry = _clear_data(plaintext)
    if said["pan"] != mask(pan):
        raise CardDataError("masked PAN is another card's")
    try:
        tags = issuers.parse_field55(bytes.fromhex(said["emv"]))
    except ValueError as e:
        raise CardDataError("field 55") from e
    _cross_check(payload, tags)
    if "5F34" in tags and tags["5F34"].hex() != said["psn"]:
        raise CardDataError("5F34 is not psn")
    if "84" in tags and tags["84"].hex().upper() != said["aid"]:
        raise CardDataError("84 is not aid")
    return Card(pan, said["psn"], expiry, int.from_bytes(tags["9F36"], "big"), tags)


def _cross_check(payload: dict[str, Any], tags: dict[str, bytes]) -> None:
    for tag in _FORBIDDEN:
        if tag in tags:
            raise CardDataError(f"field 55 holds {tag}")
    for tag in _NEEDED:
        if tag not in tags:
            raise CardDataError(f"field 55 lacks {tag}")
    for tag, length in _FIXED.items():
        if tag in tags and len(tags[tag]) != length:
            raise CardDataError(f"length of {tag}")
    cashback = payload.get("parts", {}).get("cashback", 0)
    if _bcd(tags["9F02"], "9F02") != payload["amount"]:
        raise CardDataError("9F02 is not amount", rc="13")
    if "9F03" in tags and _bcd(tags["9F03"], "9F03") != cashback:
        raise CardDataError("9F03 is not cashback", rc="13")
    if _bcd(tags["5F2A"], "5F2A") != int(payload["currency"]):
        raise CardDataError("5F2A is not currency", rc="13")
    if tags["9C"] != (b"\x09" if cashback else b"\x00"):
        raise CardDataError("9C does not fit a sale")
    try:
        if issuers.cryptogram_type(tags) != "ARQC":
            raise CardDataError("not an ARQC")
    except (ValueError, IndexError) as e:
        if isinstance(e, CardDataError):
            raise
        raise CardDataError("cryptogram type") from e
    _check_date(payload, tags["9A"])


def _check_date(payload: dict[str, Any], value: bytes) -> None:
    digits = f"{_bcd(value, '9A'):06d}"
    try:
        day = date(2000 + int(digits[:2]), int(digits[2:4]), int(digits[4:]))
    except ValueError as e:
        raise CardDataError("9A is no date") from e
    times = payload["time"]
    local = date(1970, 1, 1) + timedelta(minutes=times["utc"] // 60 + times["offset"])
    if abs((day - local).days) > 1:
        raise CardDataError("9A does not fit time")
