"""The transaction keys (DUKPT): one burned for each message, durably before it is used."""

from till.core.errors import CryptoError
from till.crypto.dukpt import Dukpt, Transaction

_RECORD = "dukpt"


class TransactionKeys:
    """Over the state in `vault`; CryptoError when there is none."""

    def __init__(self, vault):
        state = vault.get(_RECORD)
        if state is None:
            raise CryptoError("no transaction keys")
        self._vault = vault
        self._dukpt = Dukpt(state)

    @property
    def counter(self) -> int:
        """The counter burned last; 0 before the first message."""
        return self._dukpt.counter

    def burn(self) -> Transaction:
        """The next message's keys. The vault holds the state after them before this returns.

        A burned key never comes again, not after a power cut either. StorageError: nothing may be sent with it;
        KeysExhausted at the end of this initial key.
        """
        transaction = self._dukpt.burn()
        try:
            self._vault.put(_RECORD, self._dukpt.state())
        except BaseException:
            transaction.erase()
            raise
        return transaction
