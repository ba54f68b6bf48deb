"""A technician's session: what is remembered of the acquirer, and where the session's token is kept.

The token lies in the keyring of the operating system, or in the environment of one shell, and in no file. A file
remembers what is no secret: the acquirer's URL, whose session it is, until when, and the certificate authority by path
and fingerprint.
"""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from microtill.device.desk import Acquirer, SignInAgain
from microtill.device.errors import Refused, UsageError, VerificationFailed

ENVIRONMENT = "MICROTILL_SESSION"
"""A token for one shell, where there is no keyring."""
HOME = "MICROTILL_HOME"
"""Names the folder of this computer's settings and logs."""

_SERVICE = "microtill"
_FILE = "acquirer.json"
_CA_MAX = 65536


@dataclass(frozen=True)
class Profile:
    """The acquirer that was signed in to last. `connect`: host and port to go to instead of the URL's (or empty)."""

    url: str
    name: str = ""
    role: str = ""
    expires: int = 0
    ca: str = ""
    ca_fingerprint: str = ""
    connect: str = ""

    def acquirer(self, token: str = "") -> Acquirer:
        """Its API. VerificationFailed when the pinned authority's file is another than it was."""
        pem = None
        if self.ca:
            pem, fingerprint = read_ca(Path(self.ca))
            if fingerprint != self.ca_fingerprint:
                raise VerificationFailed("error.ca_changed", path=self.ca)
        if not self.connect:
            return Acquirer(self.url, pem, token)
        host = self.url.removeprefix("https://").partition("/")[0].partition(":")[0]
        return Acquirer(f"https://{self.connect}", pem, token, host)


def folder() -> Path:
    """Where this computer keeps settings and logs of these tools."""
    if os.environ.get(HOME):
        return Path(os.environ[HOME])
    if os.name == "nt":
        return Path(os.environ.get("APPDATA", str(Path.home()))) / "microtill"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "microtill"


def remembered() -> Profile | None:
    """The last acquirer; None when there was none, or its file cannot be read."""
    try:
        return Profile(**json.loads((folder() / _FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def remember(profile: Profile) -> None:
    """Keep `profile` for the next command."""
    path = folder() / _FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(profile), indent=1) + "\n", "utf-8")
        fresh.replace(path)
    except OSError as e:
        raise UsageError("error.cannot_log", path=path, detail=e.strerror or type(e).__name__) from e


def read_ca(path: Path) -> tuple[str, str]:
    """The authority's certificate as PEM, and the SHA-256 fingerprint of it. UsageError."""
    try:
        with path.open("rb") as file:
            data = file.read(_CA_MAX)
        certificate = x509.load_pem_x509_certificate(data)
    except OSError as e:
        raise UsageError("error.cannot_read_ca", path=path, detail=e.strerror or type(e).__name__) from e
    except ValueError as e:
        raise UsageError("error.not_ca", path=path) from e
    return data.decode("ascii", "replace"), certificate.fingerprint(hashes.SHA256()).hex().upper()


def has_keyring() -> bool:
    """Whether this computer keeps secrets for its user: a keyring that is one, and no file in plain text."""
    return _keyring() is not None


def keep(profile: Profile, token: str) -> None:
    """Put the token into the keyring. UsageError when there is none that takes it."""
    import keyring.errors

    ring = _keyring()
    if ring is None:
        raise UsageError("error.no_keyring")
    try:
        ring.set_password(_SERVICE, profile.url, token)
    except keyring.errors.KeyringError as e:
        raise UsageError("error.keyring", detail=type(e).__name__) from e


def forget(profile: Profile) -> None:
    """Take the token out of the keyring, if it is there."""
    import keyring.errors

    ring = _keyring()
    try:
        if ring and ring.get_password(_SERVICE, profile.url) is not None:
            ring.delete_password(_SERVICE, profile.url)
    except keyring.errors.KeyringError as e:
        raise UsageError("error.keyring", detail=type(e).__name__) from e


def current() -> tuple[Profile, str]:
    """Whom the technician is signed in to, and the token. Refused (SignInAgain) when nobody is, or no longer."""
    import keyring.errors

    profile = remembered()
    if profile is None:
        raise SignInAgain("error.not_signed_in")
    token = os.environ.get(ENVIRONMENT, "")
    if not token:
        ring = _keyring()
        try:
            token = (ring.get_password(_SERVICE, profile.url) if ring else None) or ""
        except keyring.errors.KeyringError as e:
            raise Refused("error.keyring", detail=type(e).__name__) from e
    if not token:
        raise SignInAgain("error.not_signed_in")
    if profile.expires <= time.time():
        raise SignInAgain("error.acquirer.session_expired", detail="")
    return profile, token


def _keyring():
    """The keyring to use. Its own measure tells what keeps secrets: below 1 are files, and those that keep nothing."""
    import keyring
    from keyring.backends.chainer import ChainerBackend

    ring = keyring.get_keyring()
    rings = ring.backends if isinstance(ring, ChainerBackend) else [ring]
    return next((one for one in rings if one.priority >= 1), None)
