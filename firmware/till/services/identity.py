"""Who this terminal is: what the ticket in its vault says."""

from till.core.errors import InvalidValue, Tampered
from till.core.memory import forget
from till.core.money import AMOUNT_MAX
from till.storage import records

_RECORD = "ticket"

# Parameters that this firmware knows: (when the ticket has none, least, most). Others are bounded and left alone.
PARAMETERS = {
    "sale_limit": (AMOUNT_MAX, 1, AMOUNT_MAX),  # minor units, for one sale
    "refund_limit": (AMOUNT_MAX, 0, AMOUNT_MAX),
}


class Identity:
    """This terminal after provisioning: `mid, tid, merchant {name, address, phone}, serial, kid` (of the device key),
    `version` (of the ticket)`, batch, stan_floor, issued, url, aud, currency, parameters, backup_key`."""

    def __init__(self, ticket):
        self.mid = ticket.mid
        self.tid = ticket.tid
        self.merchant = ticket.merchant
        self.serial = ticket.serial
        self.kid = ticket.jkt
        self.version = ticket.version
        self.batch = ticket.batch
        self.stan_floor = ticket.stan_floor
        self.issued = ticket.issued
        self.url = ticket.url
        self.aud = ticket.aud
        self.currency = ticket.currency
        self.parameters = ticket.parameters
        self.backup_key = ticket.backup_key

    def parameter(self, name: str) -> int:
        """Value of a parameter in PARAMETERS."""
        return self.parameters.get(name, PARAMETERS[name][0])

    def owns(self, journal) -> bool:
        """Whether the records that `journal` takes now are this terminal's."""
        return journal.identity == {"mid": self.mid, "tid": self.tid, "version": self.version}

    def record(self, journal, time: int) -> None:
        """Say in `journal` whose records follow, unless it stands there. At every start: a power cut may have come
        between the ticket and this."""
        if not self.owns(journal):
            journal.append(records.IDENTITY, records.identity(self.mid, self.tid, self.version), time)


def load_identity(vault, serial: str) -> "Identity | None":
    """Who this unit is, or None while it is blank. Tampered when the vault's ticket is not for `serial`."""
    payload = vault.get(_RECORD)
    if payload is None:
        return None
    from till.services.ticket import Ticket

    forget("till.services.ticket")
    try:
        ticket = Ticket(payload)
    except InvalidValue as e:
        raise Tampered("ticket: " + e.detail)
    if ticket.serial != serial:
        raise Tampered("ticket of another unit")
    return Identity(ticket)
