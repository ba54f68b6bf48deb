"""From the schema that an older firmware left in the vault to today's: a step each, all of them in one transaction.

An older firmware refuses what a newer one has migrated, in words: it would not see what the newer one has added.
"""

import json

from till.storage.vault import SCHEMA


def migrate(vault) -> None:
    """Bring what is there to SCHEMA: all of it or, when the power goes, nothing. Harmless when it is."""
    if vault.schema == SCHEMA:
        return
    vault.begin()
    try:
        for step in _STEPS[vault.schema - 1 :]:
            step(vault)
        vault.commit(SCHEMA)
    finally:
        vault.abort()


def _standing(vault) -> None:
    """2: the session says whether the acquirer lets us sell. A firmware that does not read it would just sell."""
    sealed = vault.get("session")
    if sealed is not None:
        members = json.loads(sealed)
        members["standing"] = ""
        vault.put("session", json.dumps(members).encode())


_STEPS = (_standing,)
