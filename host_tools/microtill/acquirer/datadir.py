"""The acquirer's data directory: configuration, keys and where the database is.

acquirer.json      name, URL, audience, database URL, time offset, clock tolerance
secrets.json 0600  BDK, keys of PAN hashes, tokens, codes and TOTP secrets: a key file where production has an HSM
acquirer.db        the database, when it is SQLite
pki/               ca.pem server.pem, and 0600: ca.key server.key provisioning.key
trust.jws          what a blank terminal is given; trust.json is the same for people
acquirer.log       structured log, one JSON object a line
"""

import fcntl
import hmac
import json
import os
import secrets as random
import shutil
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from microtill.acquirer import jose, pki
from microtill.acquirer.config import Config


class DataDirError(Exception):
    """The data directory is missing, incomplete or already there; the text says what to do."""


class Secrets:
    """Keys that the database never holds."""

    def __init__(self, values: dict[str, str]):
        self.bdk_id = bytes.fromhex(values["bdk_id"])
        self.bdk = bytes.fromhex(values["bdk"])
        self._pan_key = bytes.fromhex(values["pan_key"])
        self._token_key = bytes.fromhex(values["token_key"])
        self._code_key = bytes.fromhex(values["code_key"])
        self._totp = AESSIV(bytes.fromhex(values["totp_key"]))

    @staticmethod
    def generate() -> dict[str, str]:
        return {
            "bdk_id": random.token_hex(4).upper(),
            "bdk": random.token_hex(32).upper(),
            "pan_key": random.token_hex(32).upper(),
            "token_key": random.token_hex(32).upper(),
        } | Secrets.generate_later()

    @staticmethod
    def generate_later() -> dict[str, str]:
        """Keys that a directory of an earlier version lacks."""
        return {"code_key": random.token_hex(32).upper(), "totp_key": random.token_hex(64).upper()}

    def pan_hash(self, pan: str) -> str:
        """Keyed hash under which a card is found again; 64 hex characters."""
        return hmac.digest(self._pan_key, pan.encode(), "sha256").hex()

    def token(self, mid: str, pan: str) -> str:
        """The merchant's own name for a card: another merchant's differs. 22 base64url characters."""
        merchant_key = hmac.digest(self._token_key, mid.encode(), "sha256")
        return jose.b64url(hmac.digest(merchant_key, pan.encode(), "sha256")[:16])

    def code_digest(self, *parts: str) -> str:
        """Keyed hash of something short enough to be guessed; the first part says what it is. 64 hex characters."""
        return hmac.digest(self._code_key, json.dumps(parts).encode(), "sha256").hex()

    def seal_totp(self, name: str, secret: bytes) -> bytes:
        """The secret of `name`'s authenticator, sealed with AES-SIV (RFC 5297): no other account's row opens it."""
        return self._totp.encrypt(secret, [b"totp", name.encode()])

    def open_totp(self, name: str, sealed: bytes) -> bytes:
        """Raises cryptography's InvalidTag when it was changed, or belongs to another name."""
        return self._totp.decrypt(sealed, [b"totp", name.encode()])


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(data)


def _secrets(path: Path) -> dict[str, str]:
    """The key file; one of an earlier version gets the keys that it lacks."""
    values = json.loads(path.read_text("utf-8"))
    if "bdk" not in values or not Secrets.generate_later().keys() - values.keys():
        return values
    with path.open("rb") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        values = Secrets.generate_later() | json.loads(path.read_text("utf-8"))  # another process may have been first
        new = path.with_suffix(".new")
        _write(new, json.dumps(values, indent=1).encode(), 0o600)
        os.replace(new, path)
    return values


class DataDir:
    """An initialised data directory. Raises DataDirError when there is none at `path`."""

    def __init__(self, path: Path | str):
        self.path = Path(path)
        try:
            self.config = Config(**json.loads((self.path / "acquirer.json").read_text("utf-8")))
            self.secrets = Secrets(_secrets(self.path / "secrets.json"))
        except FileNotFoundError as e:
            raise DataDirError(f"no acquirer in {self.path}: run `microtill acquirer init --data {self.path}`") from e
        except (ValueError, TypeError, KeyError) as e:
            raise DataDirError(f"{self.path}: configuration or key file is damaged") from e

    @classmethod
    def create(cls, path: Path | str, config: Config | None = None) -> "DataDir":
        """Make keys, certificates and the trust object in `path`. Raises DataDirError when one is there already."""
        path = Path(path)
        config = config or Config()
        if (path / "acquirer.json").exists():
            raise DataDirError(f"{path} already holds an acquirer")
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        (path / "pki").mkdir(exist_ok=True, mode=0o700)
        ca = pki.make_ca(f"{config.name} CA")
        provisioning = pki.ec.generate_private_key(pki.ec.SECP256R1())
        _write(path / "secrets.json", json.dumps(Secrets.generate(), indent=1).encode(), 0o600)
        _write(path / "pki/ca.pem", ca.certificate_pem, 0o644)
        _write(path / "pki/ca.key", ca.key_pem, 0o600)
        _write(path / "pki/provisioning.key", pki.private_pem(provisioning), 0o600)
        _write(path / "acquirer.json", json.dumps(asdict(config), indent=1, ensure_ascii=False).encode(), 0o600)
        made = cls(path)
        made.install(pki.issue(ca, config.hosts))
        _write(path / "trust.jws", made.trust.encode(), 0o644)
        _write(path / "trust.json", json.dumps(made.trust_payload(), indent=1, ensure_ascii=False).encode(), 0o644)
        return made

    def copy(self, path: Path | str) -> "DataDir":
        """A copy of this directory (not running) at `path`, with keys, certificates and database."""
        shutil.copytree(self.path, path, ignore=shutil.ignore_patterns("lock", "acquirer.log"), dirs_exist_ok=True)
        return DataDir(path)

    @property
    def database_url(self) -> str:
        return self.config.database_url or f"sqlite:///{self.path.resolve() / 'acquirer.db'}"

    @property
    def log_path(self) -> Path:
        return self.path / "acquirer.log"

    @property
    def server_paths(self) -> tuple[Path, Path]:
        """Certificate and key file of the TLS server."""
        return self.path / "pki/server.pem", self.path / "pki/server.key"

    @cached_property
    def ca(self) -> pki.Credentials:
        return pki.load((self.path / "pki/ca.pem").read_bytes(), (self.path / "pki/ca.key").read_bytes())

    @cached_property
    def provisioning(self) -> jose.PrivateKey:
        return pki.load_private((self.path / "pki/provisioning.key").read_bytes())

    @cached_property
    def provisioning_kid(self) -> str:
        return jose.thumbprint(self.provisioning.public_key())

    def install(self, server: pki.Credentials) -> None:
        """Make `server` the TLS certificate of the next start."""
        certificate, key = self.server_paths
        _write(certificate, server.certificate_pem, 0o644)
        _write(key, server.key_pem, 0o600)

    def trust_payload(self) -> dict:
        return {
            "v": 1,
            "version": self.config.trust_version,
            "name": self.config.name,
            "url": self.config.url,
            "ca": [jose.b64url(self.ca.der)],
            "keys": [jose.jwk(self.provisioning.public_key())],
        }

    @property
    def trust(self) -> str:
        """The mt-trust object, signed under the provisioning key it names."""
        payload = jose.compact(self.trust_payload())
        return jose.sign_es256(payload, "mt-trust", self.provisioning_kid, self.provisioning)
