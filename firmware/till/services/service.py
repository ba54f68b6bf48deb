"""The requests of the service console, a method each. Loaded for a request, as is what it needs, and forgotten then."""

from till import __version__
from till.core.errors import InvalidValue
from till.core.memory import forget

_PROVISIONING = (
    "till.services.technician",
    "till.services.enrolment",
    "till.services.network_list",
    "till.services.ticket",
    "till.services.trust",
)


class Service:
    """`about`: members of `status` that do not change; `end(how)`: called once the answer is out, `how` is "restart",
    "wipe" or "prompt"; `shop`: (payments, link, signer) of a merchant's terminal, else None.
    """

    always = ("status", "logs")
    at_rest = ("selftest", "echo", "backup", "wifi", "trust", "key_request", "ticket", "wipe", "repl", "hardware")

    def __init__(
        self, board, about, settings, vault, journal, clock, networks, wifi, consent, log, end,
        shop: "tuple | None" = None,
    ):  # fmt: skip
        self._board = board
        self._about = about
        self._settings = settings
        self._vault = vault
        self._journal = journal
        self._clock = clock
        self._networks = networks
        self._wifi = wifi
        self._consent = consent
        self._log = log
        self._end = end
        self._shop = shop
        self._payments = shop[0] if shop else None

    async def status(self, request: dict) -> dict:
        return self._report().status(self._trusted(), self._idle(), self._settings.get("language"))

    async def logs(self, request: dict) -> dict:
        return {"lines": self._log.lines}

    async def selftest(self, request: dict) -> dict:
        return await self._report().selftest(self._board.rng, self._board.nfc)

    async def echo(self, request: dict) -> dict:
        return await self._report().echo()

    async def backup(self, request: dict) -> dict:
        return await self._report().backup(request)

    async def wifi(self, request: dict) -> dict:
        return await self._technician().wifi(request, self._networks, self._wifi, self._payments is not None)

    async def trust(self, request: dict) -> dict:
        return await self._technician().trust(request)

    async def key_request(self, request: dict) -> dict:
        self._wifi.start_radio()
        return await self._technician().key_request(request)

    async def ticket(self, request: dict) -> dict:
        answer = await self._technician().ticket(request, self._payments)
        self._end("restart")
        return answer

    async def wipe(self, request: dict) -> dict:
        await self._caretaker().wipe(request)
        if self._payments:
            await self._payments.halt()
        self._end("wipe")
        return {}

    async def repl(self, request: dict) -> dict:
        await self._caretaker().repl()
        if self._payments:
            await self._payments.halt()
        self._end("prompt")
        return {}

    async def hardware(self, request: dict) -> dict:
        hardware = self._consent.lent
        if request.get("step") == "begin":
            if hardware is None:  # else a laptop comes back
                hardware = await self._lend_hardware()
            return await hardware.begin()
        if hardware is None:
            raise InvalidValue("say begin first")
        if request.get("step") == "end":
            self._end("restart")
            return {}
        return await hardware.step(request)

    async def _lend_hardware(self):
        await self._caretaker().repl()
        if self._payments:
            await self._payments.halt()
        from till.services.hardware import Hardware

        forget("till.services.hardware")
        hardware = Hardware(self._board, self._wifi, self._consent, self._end)
        self._consent.lend(hardware)
        return hardware

    def _idle(self) -> bool:
        """Whether a request that takes the terminal away would interrupt nobody."""
        payments = self._payments
        busy = payments and (payments.busy or payments.has_unseen())
        return self._consent.at_rest and not busy

    def _trusted(self) -> "tuple | None":
        from till.services.trust import fingerprint, load_trust

        forget("till.services.trust")
        trust = load_trust(self._vault)
        return (trust.version, [fingerprint(kid) for kid in sorted(trust.keys)]) if trust else None

    def _report(self):
        from till.services.report import Report

        forget("till.services.report")
        return Report(self._about, self._vault, self._journal, self._clock, self._wifi, self._shop)

    def _technician(self):
        from till.services.enrolment import Enrolment
        from till.services.technician import Technician

        board = self._board
        enrolment = Enrolment(self._vault, board.serial_number, board.name, __version__, board.rng)
        forget(*_PROVISIONING)  # gone when this technician is
        return Technician(self._vault, self._journal, self._clock, self._consent, enrolment)

    def _caretaker(self):
        from till.services.caretaker import Caretaker

        forget("till.services.caretaker")
        owner = self._payments.merchant["name"] if self._payments else ""
        return Caretaker(self._board.serial_number, owner, self._journal, self._consent)
