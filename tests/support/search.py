"""Looking for secrets in what is left behind or told: in every form in which they may stand there."""

import base64
import hmac
import json
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from microtill.bench.chips.flash import NorFlash
from microtill.bench.nvs import Nvs
from microtill.bench.partitions import load
from microtill.paths import BOARDS


def base64_cores(data: bytes) -> set[bytes]:
    """How `data` looks inside base64 and base64url at each alignment, without what depends on its neighbours."""
    cores = set()
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + data)
        core = text[-(-shift * 4 // 3) : len(text) // 4 * 4 - 4]
        cores |= {core, core.replace(b"+", b"-").replace(b"/", b"_")}
    return {core for core in cores if len(core) >= 8}


def forms(secret: bytes) -> set[bytes]:
    """A secret as octets, as hex, and in base64."""
    return {secret, secret.hex().encode(), secret.hex().upper().encode()} | base64_cores(secret)


def pan_forms(pan: str) -> set[bytes]:
    """A PAN as digits, as packed digits at both nibble alignments (without half octets), and in base64 of both."""
    digits = pan.encode()
    even = bytes.fromhex(pan if len(pan) % 2 == 0 else pan[:-1])
    odd = bytes.fromhex(pan[1:] if len(pan) % 2 else pan[1:-1])
    return {digits, even, odd} | base64_cores(digits) | base64_cores(even)


def found(where: dict[str, bytes], wanted: dict[str, set[bytes]]) -> list[str]:
    """`name in place` for everything wanted that stands somewhere."""
    return [
        f"{name} in {place}"
        for name, patterns in wanted.items()
        for place, data in where.items()
        if any(pattern in data for pattern in patterns)
    ]


def vault_contents(state: Path, serial: str = "02005E100001") -> dict[str, bytes]:
    """The records of the vault in `state`, opened with the root beside them: by code that is not the firmware's."""
    table = {p.label: p for p in load(BOARDS / "TILL_ESP32S3" / "partitions.csv", 8 << 20)}
    flash = NorFlash(8 << 20, state / "flash.bin")
    nvs = Nvs(flash, table["nvs"].offset, table["nvs"].size)
    unit = serial.encode()

    def value(key: str) -> bytes:
        data = nvs.get("till", key, bytes)
        assert isinstance(data, bytes)
        return data

    root = value("/root")
    domain = b"microtill vault 1"
    siv = AESSIV(b"".join(hmac.digest(root, domain + unit + bytes([n]), "sha256") for n in (1, 2)))

    def opened(name: str, generation: int, sealed: bytes) -> bytes:
        return siv.decrypt(sealed, [domain, name.encode(), generation.to_bytes(4, "big"), unit])

    markers = [value(key) for key in ("/marker.0", "/marker.1")]
    newest = max(markers, key=lambda marker: marker[:4])
    body = json.loads(opened("/marker", int.from_bytes(newest[:4], "big"), newest[4:]))
    held = {
        name: opened(name, generation, value(f"{name}.{slot}")) for name, (generation, slot, _) in body["r"].items()
    }
    flash.close()
    return held | {"/root": root}


def vault_secrets(held: dict[str, bytes]) -> dict[str, set[bytes]]:
    """What of a vault's contents nobody may find elsewhere; its root stands in NVS as it is."""
    wanted = {"signing key": forms(held["device"][1:])}
    # The state of the transaction keys: each of its 32-byte pieces. Zeros are no secret.
    pieces = {held["dukpt"][at : at + 32] for at in range(len(held["dukpt"]) - 31)}
    wanted["transaction keys"] = set().union(*(forms(piece) for piece in pieces if len(set(piece)) > 16))
    if "pending" in held:
        wanted["one-shot key"] = forms(held["pending"][18:50])
    return wanted
