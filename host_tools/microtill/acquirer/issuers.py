"""The test issuers: master keys, PAN ranges and the check of an application cryptogram.

The virtual cards personalise themselves from here and the acquirer verifies with the same keys, so a cryptogram
that verifies was computed over the data that the terminal really sent. Nothing here belongs to a real issuer.

| scheme     | CVN       | card key   | session key                 | MAC input                    | padding |
|------------|-----------|------------|-----------------------------|------------------------------|---------|
| visa       | 0A (10)   | option A   | none: the card key itself   | ten elements + CVR           | 1       |
| visa       | 12 (18)   | option B   | EMV common, R = ATC         | ten elements + whole 9F10    | 2       |
| visa       | 22 (34)   | option B   | EMV common, R = ATC         | ten elements + whole 9F10    | 2       |
| mastercard | 10 (16)   | option A   | EMV common, R = ATC‖0000‖UN | ten elements + CVR           | 2       |
| mastercard | 14 (20)   | option A   | EMV common, R = ATC         | ten elements + CVR           | 2       |
| unionpay   | 01        | option A   | PBOC: 0…‖ATC, 0…‖¬ATC       | ten elements + CVR           | 2       |

The ten elements are 9F02 9F03 9F1A 95 5F2A 9A 9C 9F37 82 9F36 (EMV Book 2 §8.1.1). The MAC is ISO 9797-1
algorithm 3. The CVN and CVR are read from 9F10 (issuer application data); its layout is the scheme's own.
"""

import hmac
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.utils import CryptographyDeprecationWarning
from pyemv import ac, kd, tlv, tools

# EMV cryptograms are two-key Triple DES by definition; that it is old is not news on every tap.
warnings.filterwarnings("ignore", category=CryptographyDeprecationWarning, module=r"pyemv\.")

VISA_PAN = "4761739001010119"
MASTERCARD_PAN = "5413330089600119"
UNIONPAY_PAN = "6200000000000005"
PHONE_PAN = "4761739001010010"
NO_FUNDS_PAN = "6200000000000047"
EXPIRED_PAN = "4761739001010143"
BLOCKED_PAN = "5413330089600135"

# What the issuer answers for an account, as ISO 8583 F39; an account not named here has funds.
DECLINES: dict[str, str] = {NO_FUNDS_PAN: "51"}

TEN_ELEMENTS = ("9F02", "9F03", "9F1A", "95", "5F2A", "9A", "9C", "9F37", "82", "9F36")


@dataclass(frozen=True)
class Issuer:
    """One test issuer: `prefixes` are the PAN prefixes it issues, `imk_ac` its 16-byte master key for cryptograms."""

    scheme: str
    prefixes: tuple[str, ...]
    imk_ac: bytes


ISSUERS: tuple[Issuer, ...] = (
    Issuer("visa", ("4761",), bytes.fromhex("2315208C9110AD402315208C9110AD40")),
    Issuer("mastercard", ("541333",), bytes.fromhex("9E15204313F7318ACB79B90BD986AD29")),
    Issuer("unionpay", ("620000",), bytes.fromhex("C1D9E6B3497A25F8A26D0B4FC8E0573D")),
)


def issuer_of(pan: str) -> Issuer | None:
    """The test issuer of a PAN (digits), or None: not ours."""
    return next((i for i in ISSUERS if pan.startswith(i.prefixes)), None)


def parse_field55(field55: bytes) -> dict[str, bytes]:
    """Field 55 as {"9F26": value, …}. Raises ValueError for anything but a clean list of primitive elements."""
    tags: dict[str, bytes] = {}
    decoded = tlv.decode(field55)
    for tag, value in decoded.items():
        if not isinstance(value, bytes):
            raise ValueError(f"field 55: {tag} is constructed")
        tags[tag.upper()] = value
    if tlv.encode(tags) != field55:  # a repeated tag, or a length that is not the shortest
        raise ValueError("field 55: not in its canonical form")
    return tags


def cryptogram_type(tags: Mapping[str, bytes]) -> str:
    """ "ARQC", "TC" or "AAC" by 9F27, else by the CVR in 9F10 (Visa and UnionPay leave 9F27 out).

    Raises ValueError when neither tells.
    """
    try:
        if "9F27" in tags:
            bits = tags["9F27"][0] >> 6
        else:
            iad = tags["9F10"]
            # Formats 0/1/3: L DKI CVN 03 CVR…; format 2: 1F CVN DKI CVR…. Bits 6-5 of the CVR's first own byte.
            bits = (iad[3] if iad[0] == 0x1F else iad[4]) >> 4 & 3
        return {0: "AAC", 1: "TC", 2: "ARQC"}[bits]
    except (KeyError, IndexError):
        raise ValueError("cryptogram type") from None


def _ten(tags: Mapping[str, bytes]) -> bytes:
    return b"".join(tags[tag] for tag in TEN_ELEMENTS)


def _visa_cvr(iad: bytes) -> bytes:
    return iad[3:7]


def _visa_10(imk: bytes, pan: str, psn: str, tags: Mapping[str, bytes]) -> bytes:
    key = kd.derive_icc_mk_a(imk, pan, psn)
    return ac.generate_ac(key, _ten(tags) + _visa_cvr(tags["9F10"]), ac.PaddingType.VISA)


def _visa_18(imk: bytes, pan: str, psn: str, tags: Mapping[str, bytes]) -> bytes:
    key = kd.derive_common_sk(kd.derive_icc_mk_b(imk, pan, psn), tags["9F36"] + bytes(6))
    return ac.generate_ac(key, _ten(tags) + tags["9F10"], ac.PaddingType.EMV)


def _mastercard_16(imk: bytes, pan: str, psn: str, tags: Mapping[str, bytes]) -> bytes:
    key = kd.derive_common_sk(kd.derive_icc_mk_a(imk, pan, psn), tags["9F36"] + bytes(2) + tags["9F37"])
    return ac.generate_ac(key, _ten(tags) + tags["9F10"][2:8], ac.PaddingType.EMV)


def _mastercard_20(imk: bytes, pan: str, psn: str, tags: Mapping[str, bytes]) -> bytes:
    key = kd.derive_common_sk(kd.derive_icc_mk_a(imk, pan, psn), tags["9F36"] + bytes(6))
    return ac.generate_ac(key, _ten(tags) + tags["9F10"][2:8], ac.PaddingType.EMV)


def _unionpay_01(imk: bytes, pan: str, psn: str, tags: Mapping[str, bytes]) -> bytes:
    # JR/T 0025.7: both halves of the session key are the ATC and its complement under the card key.
    atc = tags["9F36"]
    halves = bytes(6) + atc + bytes(6) + tools.xor(atc, b"\xff\xff")
    key = tools.encrypt_tdes_ecb(kd.derive_icc_mk_a(imk, pan, psn), halves)
    return ac.generate_ac(key, _ten(tags) + tags["9F10"][3:7], ac.PaddingType.EMV)


def _cvn(scheme: str, iad: bytes) -> int:
    """The cryptogram version number inside 9F10."""
    if scheme == "mastercard" or iad[0] == 0x1F:  # M/Chip: KDI CVN …; Visa format 2: 1F CVN KDI …
        return iad[1]
    return iad[2]  # Visa formats 0/1/3 and UnionPay: L KDI CVN …


_ALGORITHMS: dict[tuple[str, int], Callable[[bytes, str, str, Mapping[str, bytes]], bytes]] = {
    ("visa", 0x0A): _visa_10,
    ("visa", 0x12): _visa_18,
    ("visa", 0x22): _visa_18,
    ("mastercard", 0x10): _mastercard_16,
    ("mastercard", 0x14): _mastercard_20,
    ("unionpay", 0x01): _unionpay_01,
}


def compute_cryptogram(issuer: Issuer, pan: str, psn: str, tags: Mapping[str, bytes]) -> bytes:
    """The 8-byte application cryptogram over `tags` (the ten elements and 9F10), by the CVN in 9F10.

    `pan`: digits; `psn`: 2 digits. Raises KeyError for a missing element, IndexError for a short 9F10, ValueError
    for a CVN that this issuer does not use.
    """
    algorithm = _ALGORITHMS.get((issuer.scheme, _cvn(issuer.scheme, tags["9F10"])))
    if algorithm is None:
        raise ValueError("unknown cryptogram version")
    return algorithm(issuer.imk_ac, pan, psn, tags)


def verify_arqc(pan: str, psn: str, tags: Mapping[str, bytes]) -> bool:
    """True only if `tags` (see `parse_field55`) carry an ARQC that the card of (`pan`, `psn`) made over them.

    False for a PAN of no test issuer, a missing element, another cryptogram type and a wrong cryptogram alike.
    """
    issuer = issuer_of(pan)
    if issuer is None:
        return False
    try:
        if cryptogram_type(tags) != "ARQC":
            return False
        expected = compute_cryptogram(issuer, pan, psn, tags)
        return hmac.compare_digest(expected, tags["9F26"])
    except (KeyError, IndexError, ValueError):
        return False
