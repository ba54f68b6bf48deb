"""What a technician's laptop may do over the console: say whom to trust, have a key request made, bring a ticket.

Whatever makes this terminal somebody's is shown at its keypad first. Loaded when it is asked for: a terminal sells for
months without it.
"""

from till.core.errors import InvalidValue
from till.services.enrolment import Enrolment
from till.services.network_list import check_networks
from till.services.trust import accept_trust, examine_trust, fingerprint, kid_of

TRUST_MAX = 16384
TICKET_MAX = 8192


class Technician:
    """`consent` puts the question to the person; `enrolment` as its class says."""

    def __init__(self, vault, journal, clock, consent, enrolment: Enrolment):
        self._vault = vault
        self._journal = journal
        self._clock = clock
        self._consent = consent
        self._enrolment = enrolment

    async def wifi(self, request: dict, networks, wifi, ask: bool) -> dict:
        """Know the `networks` [[name, password], …] from now on; with `ask`, once the person has agreed."""
        wanted = check_networks(request.get("networks"))
        if ask:  # a blank unit has nothing that another network could be after
            await self._consent.ask("screen.wifi_change", [("label.wifi", ssid) for ssid, _ in wanted])
        networks.set(wanted)
        wifi.retry()
        return {}

    async def trust(self, request: dict) -> dict:
        """Take the mt-trust in `token`, once the person has compared its fingerprint."""
        token = _text(request, "token", TRUST_MAX)
        found, _ = examine_trust(self._vault, token)
        digits = fingerprint(kid_of(token))
        rows = (("label.name", found.name), ("label.host", found.url), ("label.fingerprint", digits))
        await self._consent.ask("screen.trust", rows)
        accept_trust(self._vault, token)
        return {"fingerprint": digits}

    async def key_request(self, request: dict) -> dict:
        """Make an mt-keyreq. The radio must be on: without it the chip's random numbers are not random."""
        return {"token": self._enrolment.key_request(request.get("new_key") is True).decode()}

    async def ticket(self, request: dict, payments) -> dict:
        """Install the mt-ticket in `token`, once the person has read whose terminal this becomes. Then restart.

        `payments`: of the merchant whose terminal this is now, or None; they have stopped for good when this returns.
        """
        token = _text(request, "token", TICKET_MAX)
        offer = self._enrolment.examine(token, self._journal, self._clock.floor)
        await self._consent.ask("screen.ticket", offer.rows())
        if payments:
            # A message would write its transaction keys over the new ones.
            await payments.halt()
        try:
            self._enrolment.install(offer, self._journal)
        except BaseException:
            if payments:
                payments.resume()
            raise
        return {"tid": offer.ticket.tid}


def _text(request: dict, name: str, most: int) -> str:
    value = request.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise InvalidValue(name)
    return value
