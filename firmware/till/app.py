"""Builds everything above the drivers and wires it: the one place, beside board.py, where things are made.

What only some terminals need, or all need only for a moment, is imported where it is made: it takes as much of the heap
as all the rest.
"""

import asyncio
import gc
import sys
import time

import micropython
from micropython import const

from till import __version__
from till.core.errors import ReaderError, TicketError, TillError
from till.core.memory import forget
from till.services import upkeep
from till.services.clock import Clock
from till.services.consent import Consent
from till.services.console import Console
from till.services.identity import load_identity
from till.services.log import Log
from till.services.networks import Networks
from till.services.wifi import Wifi
from till.storage.journal import Journal
from till.storage.settings import Settings
from till.storage.vault import SCHEMA, Vault
from till.ui.counter import Counter
from till.ui.screen import Screen

# 2026-11-01: no true time is before this firmware was made.
BUILT = 1793491200

_MANIFEST = const("/microtill.json")
_HASH = const('"hash":"')
_CTRL_C = const(3)


def run(board) -> None:
    """The terminal, until MicroPython's prompt is asked for."""
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
        self._journal: "Journal | None" = None
        self._about = {
            "serial": board.serial_number,
            "board": board.name,
            "fw": __version__,
            "reset": board.reset_cause,
            "selftest": "",
            "files": _installed(),
        }
        self._shop = None  # (payments, link, signer) of a merchant's terminal
        self._tasks = []
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Start up and work. Returns when the prompt was asked for: nothing of the terminal runs any more then."""
        self._spawn("watchdog", upkeep.watch, self._board.watchdog)
        self._spawn("keypad", self._counter.run)
        self._screen.processing("screen.starting", "", 0)
        self._tasks.append(asyncio.create_task(self._work()))
        await self._over.wait()
        for task in self._tasks:
            await _stop(task)
        if self._shop:
            self._shop[1].close()
        self._counter.leds.show(0)
        text = self._screen.text
        self._screen.message("info", text("screen.serviced"), [text("screen.serviced_hint")], "")
        self._screen.close()

    async def _work(self) -> None:
        """What makes work impossible stays on the screen, with what to do; a technician may still ask."""
        try:
            try:
                await self._start()
            except Exception as e:  # noqa: BLE001 - generic on the screen, precise in the log
                self._log.error("start", e)
                await self._fault(e if isinstance(e, TillError) else TillError(type(e).__name__))
        except Exception as e:  # noqa: BLE001 - not even that: start anew
            self._log.error("fault", e)
            self._board.reset()

    async def _start(self) -> None:
        board = self._board
        await self._ending("")
        self._self_test()
        # First, so that a terminal whose vault was altered still knows what it owes.
        journal = self._journal = Journal(board.journal_flash)
        vault = Vault(board.nvs, board.serial_number, board.rng)
        if vault.schema != SCHEMA:
            _migrate(vault)
        for name in vault.names():
            vault.get(name)  # also what is not needed yet: whatever was altered is said now
        self._clock = Clock(board.rtc, time.time, max(BUILT, journal.last_time))
        self._log.clock = self._clock.now
        self._networks = Networks(vault)
        self._wifi = Wifi(board.wifi, self._networks.all)
        self._vault = vault
        identity = load_identity(vault, board.serial_number)
        if identity:
            await self._sell(identity, vault, journal)
        else:
            from till.flows.install import install

            micropython.kbd_intr(_CTRL_C)  # a blank unit has nothing to keep from its technician
            self._spawn("wifi", self._wifi.run)
            self._spawn("status", upkeep.show_status, self._screen, self._wifi, self._clock)
            self._serve(self._service)
            await install(self._counter, self._consent, self._settings, self._unit())
            self._end("restart")

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
        self._shop = payments, link, signer
        self._spawn("wifi", self._wifi.run)
        self._spawn("link", upkeep.keep_connected, link, self._wifi, payments, log)
        self._spawn("reversals", payments.run)
        self._spawn("ready", upkeep.make_ready, signer, journal, self._counter, payments, log)
        self._spawn("status", upkeep.show_status, self._screen, self._wifi, clock, link, payments, operator)
        self._serve(self._service)
        try:
            await board.nfc.start()
        except ReaderError as e:
            log.error("reader", e)  # the first sale says so, and brings it back
        terminal = Terminal(identity.serial[-8:])
        instruments = Instruments(clock, board.rng)
        await desk(
            self._counter,
            board.nfc,
            payments,
            terminal,
            instruments,
            self._settings,
            log,
            self._consent,
            self._wifi_setup,
        )

    async def _fault(self, error: TillError) -> None:
        from till.flows.fault import fault
        from till.services.fault import FaultService

        service = FaultService(
            self._board.serial_number, self._about, error, self._journal, self._consent, self._log, self._end
        )
        self._serve(lambda: service)
        await fault(self._counter, self._consent, error)

    def _wifi_setup(self):
        from till.services.wifi_setup import WifiSetup

        forget("till.services.wifi_setup", "till.services.network_list")
        return WifiSetup(self._wifi, self._networks)

    def _unit(self):
        from till.services.unit import Unit

        return Unit(self._board, self._vault, self._journal, self._clock, self._wifi, self._wifi_setup)

    # Beside the flows.

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

    def _self_test(self) -> None:
        from till.crypto import selftest

        forget("till.crypto.selftest")
        try:
            selftest.run(self._board.rng)
        except TillError as e:
            self._about["selftest"] = e.detail
            raise
        self._about["selftest"] = "ok"

    # The service console.

    def _serve(self, service) -> None:
        self._spawn(
            "console", Console(sys.stdin.buffer, sys.stdout, self._log, service, lambda: self._consent.at_rest).run
        )

    def _service(self):
        gc.collect()
        self._about["free"] = gc.mem_free()  # before anything is loaded for the request
        from till.services.service import Service

        forget("till.services.service")
        return Service(
            self._board, self._about, self._settings, self._vault, self._journal, self._clock,
            self._networks, self._wifi, self._consent, self._log, self._end, self._shop,
        )  # fmt: skip

    def _end(self, how: str) -> None:
        self._tasks.append(asyncio.create_task(self._ending(how)))

    async def _ending(self, how: str) -> None:
        from till.services.ending import end

        forget("till.services.ending", "till.storage.wipe")
        await end(how, self._board, self._screen, self._over)


async def _stop(task) -> None:
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return


def _installed() -> "str | None":
    """The hash by which the tool that copied these files knows them; None where they came as an image."""
    try:
        with open(_MANIFEST) as f:
            text = f.read(256)  # the names of the files come after it
    except OSError:
        return None
    at = text.find(_HASH)
    return text[at + len(_HASH) :][:64] if at >= 0 else None


def _migrate(vault) -> None:
    from till.storage.migrations import migrate

    forget("till.storage.migrations")
    migrate(vault)


def _load_trust(vault):
    from till.services.trust import load_trust

    forget("till.services.trust")
    return load_trust(vault)
