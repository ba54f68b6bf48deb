"""Builds everything above the drivers and wires it: the one place, beside board.py, where things are made.

What only some terminals need, or all need only for a moment, is imported where it is made: it takes as much of the heap
as all the rest.
"""

import asyncio
import gc
import sys
import time

from till import __version__
from till.core.errors import ReaderError, TicketError, TillError
from till.core.memory import forget
from till.flows.notice import notice
from till.services import upkeep
from till.services.clock import Clock
from till.services.consent import Consent
from till.services.console import Console
from till.services.identity import load_identity
from till.services.log import Log
from till.services.networks import Networks, check_networks
from till.services.wifi import Wifi
from till.storage.journal import Journal
from till.storage.settings import Settings
from till.storage.vault import Vault
from till.ui.counter import Counter
from till.ui.screen import Screen

# 2026-11-01: no true time is before this firmware was made.
BUILT = 1793491200


_PROVISIONING = (
    "till.services.technician",
    "till.services.enrolment",
    "till.services.ticket",
    "till.services.trust",
)


def run(board) -> None:
    """The terminal, for ever."""
    asyncio.run(App(board).run())


class App:
    """The parts that every terminal has; `_sell` adds those of one that is a merchant's."""

    def __init__(self, board):
        self._board = board
        self._log = Log(sys.stdout)
        self._settings = Settings(board.nvs)
        self._screen = Screen(board.display, self._settings.get("language"))
        self._counter = Counter(self._screen, board.keypad, board.leds, board.buzzer)
        self._consent = Consent()
        self._tasks = []

    async def run(self) -> None:
        """Start up and work; whatever makes that impossible stays on the screen, with what to do."""
        self._spawn("watchdog", upkeep.watch, self._board.watchdog)
        self._spawn("keypad", self._counter.run)
        self._screen.processing("screen.starting", "", 0)
        try:
            await self._start()
        except TillError as e:
            self._log.error("start", e)
            while True:
                await notice(self._counter, e.key)

    async def _start(self) -> None:
        board = self._board
        _self_test(board.rng)
        vault = Vault(board.nvs, board.serial_number, board.rng)
        journal = Journal(board.journal_flash)
        self._clock = Clock(board.rtc, time.time, max(BUILT, journal.last_time))
        self._log.clock = self._clock.now
        self._networks = Networks(vault)
        self._wifi = Wifi(board.wifi, self._networks.all)
        self._vault = vault
        self._journal = journal
        identity = load_identity(vault, board.serial_number)
        if identity:
            await self._sell(identity, vault, journal)
        else:
            from till.flows.install import install

            self._spawn("wifi", self._wifi.run)
            self._spawn("status", upkeep.show_status, self._screen, self._wifi, self._clock)
            self._spawn("console", self._console(None, None).run)
            await install(self._counter, self._consent, self._settings, board.serial_number)

    async def _sell(self, identity, vault, journal) -> None:
        """The parts of a merchant's terminal, and its desk."""
        from till.emv.parameters import Terminal
        from till.flows.desk import desk
        from till.services.acquirer import Acquirer
        from till.services.instruments import Instruments
        from till.services.keys import TransactionKeys
        from till.services.link import Link
        from till.services.operators import Operator
        from till.services.payments import Payments
        from till.services.session import Session
        from till.services.signer import device_signer

        board, clock, log = self._board, self._clock, self._log
        session = Session(vault, identity.batch, identity.stan_floor)
        clock.raise_floor(identity.issued)
        if session.offset is not None:
            clock.set_offset(session.offset)
        operator = Operator()
        trust = _load_trust(vault)
        if trust is None:
            raise TicketError("a ticket without trust")
        identity.record(journal, clock.now())
        link = Link(identity.url, trust.ca, self._wifi)
        signer = device_signer(vault, identity.kid, board.rng)
        acquirer = Acquirer(identity, TransactionKeys(vault), signer, journal, clock, link, operator, __version__)
        payments = Payments(acquirer, journal, clock, session, link)
        self._spawn("wifi", self._wifi.run)
        self._spawn("link", upkeep.keep_connected, link, self._wifi, payments, log)
        self._spawn("reversals", payments.run)
        self._spawn("ready", upkeep.make_ready, signer, journal, self._counter, payments, log)
        self._spawn("status", upkeep.show_status, self._screen, self._wifi, clock, link, payments, operator)
        self._spawn("console", self._console(payments, link).run)
        try:
            await board.nfc.start()
        except ReaderError as e:
            log.error("reader", e)  # the first sale says so, and brings it back
        terminal = Terminal(identity.serial[-8:])
        instruments = Instruments(clock, board.rng)
        await desk(self._counter, board.nfc, payments, terminal, instruments, self._settings, log, self._consent)

    def _spawn(self, name: str, work, *args) -> None:
        """Run `work(*args)` beside the flows, for ever."""
        self._tasks.append(asyncio.create_task(self._keep(name, work, args)))

    async def _keep(self, name: str, work, args) -> None:
        """A task that should never end and does is started again, and logged."""
        while True:
            try:
                await work(*args)
            except Exception as e:  # noqa: BLE001 - a task that must not die; the log says why it did
                self._log.error(name, e)
            await asyncio.sleep(1)

    def _console(self, payments, link) -> Console:
        """What the USB line may ask. No secrets; whatever changes the terminal needs the person at the keypad."""
        board, vault = self._board, self._vault

        async def status(request) -> dict:
            gc.collect()
            members = {
                "free": gc.mem_free(),
                "state": "provisioned" if payments else "trusted" if _load_trust(vault) else "blank",
                "serial": board.serial_number,
                "board": board.name,
                "fw": __version__,
                "language": self._screen.language,
                "wifi": "" if self._wifi.connected else self._wifi.reason,
                "online": False,
            }
            if payments:
                identity = payments.identity
                members["online"] = link.connected
                members["reason"] = link.reason
                members["tid"] = identity.tid
                members["mid"] = identity.mid[:3] + "********" + identity.mid[11:]
                members["merchant"] = identity.merchant["name"]
                members["batch"] = payments.batch
                members["pending"] = payments.reversals_pending()
                members["unseen"] = payments.has_unseen()
            return members

        async def wifi(request) -> dict:
            networks = check_networks(request.get("networks"))
            if payments:  # a blank unit has nothing that another network could be after
                await self._consent.ask("screen.wifi_change", [("label.wifi", ssid) for ssid, _ in networks])
            self._networks.set(networks)
            self._wifi.retry()
            return {}

        async def trust(request) -> dict:
            return await self._technician().trust(request)

        async def key_request(request) -> dict:
            self._wifi.start_radio()
            return await self._technician().key_request(request)

        async def ticket(request) -> dict:
            answer = await self._technician().ticket(request)
            self._tasks.append(asyncio.create_task(self._restart()))
            return answer

        async def logs(request) -> dict:
            return {"lines": self._log.lines}

        handlers = {"status": status, "trust": trust, "wifi": wifi, "key_request": key_request, "ticket": ticket}
        handlers["logs"] = logs
        return Console(sys.stdin.buffer, sys.stdout, handlers)

    def _technician(self):
        from till.services.enrolment import Enrolment
        from till.services.technician import Technician

        board = self._board
        enrolment = Enrolment(self._vault, board.serial_number, board.name, __version__, board.rng)
        forget(*_PROVISIONING)  # gone when this technician is
        return Technician(self._vault, self._journal, self._clock, self._consent, enrolment)

    async def _restart(self) -> None:
        self._screen.processing("screen.starting", "", 0)
        await asyncio.sleep_ms(300)  # the console's answer leaves first
        self._board.reset()


def _self_test(rng) -> None:
    from till.crypto import selftest

    selftest.run(rng)
    forget("till.crypto.selftest")


def _load_trust(vault):
    from till.services.trust import load_trust

    forget("till.services.trust")
    return load_trust(vault)
