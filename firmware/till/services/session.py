"""What a sign-on brought and a restart must not forget: the batch number and the merchant's time offset."""

import json

from till.core.errors import StorageError
from till.core.identifiers import check_batch

_RECORD = "session"


class Session:
    """`vault` keeps it sealed. A fresh ticket gives the first batch and the STAN to start above."""

    def __init__(self, vault, batch: str, stan_floor: int):
        self._vault = vault
        self.batch = check_batch(batch)
        self.stan_floor = "%06d" % stan_floor
        self.offset = None
        sealed = vault.get(_RECORD)
        if sealed is not None:
            try:
                members = json.loads(sealed)
                self.batch = check_batch(members["batch"])
                self.offset = members["offset"]
            except (ValueError, KeyError):
                raise StorageError("session record")

    def signed_on(self, batch: str, offset: int) -> None:
        """Remember what a sign-on brought, durably; nothing is written when it is what we had."""
        if (batch, offset) != (self.batch, self.offset):
            self._vault.put(_RECORD, json.dumps({"batch": batch, "offset": offset}).encode())
            self.batch = batch
            self.offset = offset
