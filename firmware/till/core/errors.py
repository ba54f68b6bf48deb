"""Every error the firmware raises on purpose: a catalogue key for the person, a detail for the log."""


class TillError(Exception):
    """Base of all expected errors.

    `key` names the catalogue entry that the cashier reads; `detail` is for the log and never holds a
    secret or card data.
    """

    key = "error.internal"

    def __init__(self, detail="", key=None):
        super().__init__(detail)
        self.detail = detail
        if key is not None:
            self.key = key


class Cancelled(TillError):
    """The person pressed CANCEL, or walked away."""

    key = "error.cancelled"


class InvalidValue(TillError):
    """A value from outside is malformed or out of its bounds."""

    key = "error.invalid_value"


class CryptoError(TillError):
    """A signature, tag, key or self-test is wrong."""

    key = "error.crypto"


class KeysExhausted(CryptoError):
    """The DUKPT transaction counter has run out: the terminal needs a new ticket."""

    key = "error.keys_exhausted"


class StorageError(TillError):
    """Vault or journal cannot be read or written."""

    key = "error.storage"


class SalesStopped(TillError):
    """A reversal is open and could not be ended: no sale before it is. `reason`: catalogue key of why not."""

    key = "error.pending_reversals"

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class JournalFull(StorageError):
    key = "error.journal_full"


class Tampered(StorageError):
    """A sealed record or a chained record does not verify."""

    key = "error.tampered"


class ReaderError(TillError):
    """The NFC reader itself does not answer as its manual says; it recovers by itself."""

    key = "error.reader"


class CardError(TillError):
    """The card, not the reader: see the subclasses for what the cashier can do."""

    key = "error.card_other"


class CardRemoved(CardError):
    """Pulled away before the reading ended: present it again."""

    key = "error.card_removed"


class CardCollision(CardError):
    """More than one card in the field."""

    key = "error.card_collision"


class CardTryAgain(CardError):
    """A passing fault: present the same card again."""

    key = "error.card_retry"


class CardOther(CardError):
    """This card cannot pay here: another card."""

    key = "error.card_other"


class CardSeePhone(CardTryAgain):
    """The phone asks for its own unlock or consent first: look at the phone, then present it again."""

    key = "error.card_see_phone"


class CardLimit(CardOther):
    """Above the limit without cardholder verification, and this card offers none that we support."""

    key = "error.card_limit"


class CardDeclined(CardError):
    """The card itself declined (AAC), or it is blocked or expired."""

    key = "error.card_declined"


class CardBlocked(CardDeclined):
    """The issuer has blocked the card or its application."""

    key = "error.card_blocked"


class CardExpired(CardDeclined):
    """Past its expiry date, or before its effective date."""

    key = "error.card_expired"


class LinkError(TillError):
    """The acquirer could not be reached, or the answer did not arrive whole and verified."""

    key = "error.link"


class AnswerError(LinkError):
    """An answer arrived and does not verify, so it decides nothing."""

    key = "error.answer"


class TicketError(TillError):
    """A ticket or trust object is not acceptable on this unit."""

    key = "error.ticket"
