"""What the acquirer has said and a restart must not forget: batch number, time offset, and whether we may sell."""

import json

from till.core.errors import StorageError
from till.core.identifiers import check_batch

_RECORD = "session"
STANDINGS = ("", "suspended", "revoked", "cloned")


class Session:
    """`vault` keeps it sealed. A fresh ticket gives the first batch and the STAN to start above.

    `standing`: "" while the acquirer has nothing against us, else why it refuses whatever we sell.
    """

    def __init__(self, vault, batch: str, stan_floor: int):
        self._vault = vault
        self.batch = check_batch(batch)
        self.stan_floor = "%06d" % stan_floor
        self.offset = None
        self.standing = ""
        sealed = vault.get(_RECORD)
        if sealed is not None:
            try:
                members = json.loads(sealed)
                self.batch = check_batch(members["batch"])
                self.offset = members["offset"]
                self.standing = members["standing"]
            except (ValueError, KeyError):
                raise StorageError("session record")
            if self.standing not in STANDINGS:
                raise StorageError("session record")

    def signed_on(self, batch: str, offset: int) -> None:
        """Remember what a sign-on brought, durably; nothing is written when it is what we had."""
        self._keep(batch, offset, "")

    def stand(self, standing: str) -> None:
        """Remember, durably, why the acquirer refuses us: until a sign-on says otherwise."""
        self._keep(self.batch, self.offset, standing)

    def _keep(self, batch: str, offset, standing: str) -> None:
        if (batch, offset, standing) != (self.batch, self.offset, self.standing):
            members = {"batch": batch, "offset": offset, "standing": standing}
            self._vault.put(_RECORD, json.dumps(members).encode())
            self.batch, self.offset, self.standing = batch, offset, standing
