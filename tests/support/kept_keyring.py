"""Keyrings for tests: PYTHON_KEYRING_BACKEND=support.kept_keyring.KeptKeyring, and KEPT_KEYRING names their file."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class KeptKeyring(KeyringBackend):
    """Stands in for the keyring of an operating system: another process finds what one has kept."""

    priority = 5  # pyright: ignore[reportAssignmentType] - keyring's own backends do so too

    @property
    def _path(self) -> Path:
        return Path(os.environ["KEPT_KEYRING"])

    def _all(self) -> dict[str, str]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._all().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._path.write_text(json.dumps(self._all() | {f"{service} {username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        kept = self._all()
        if kept.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError(username)
        self._path.write_text(json.dumps(kept))


class PlainFile(KeptKeyring):
    """A backend as `keyrings.alt` has them: a file in plain text."""

    priority = 0.5  # pyright: ignore[reportAssignmentType]
