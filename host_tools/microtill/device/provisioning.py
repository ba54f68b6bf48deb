"""From a unit to a merchant's terminal: look, trust, Wi-Fi, key request, ticket, consent at the keypad, proof, record.

Each step can be done again, and a unit is what it was before or wholly a merchant's: a run that is cut off is gone on
with by the next one, which finds out from the unit how far it came.
"""

import base64
import binascii
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from microtill.device import provisioning_texts as _texts  # noqa: F401 - what it says
from microtill.device import terminal_texts
from microtill.device import trust as trust_file
from microtill.device.comeback import BACK_SECONDS, wait_for
from microtill.device.console import Console, ConsoleError, TerminalRefuses, TerminalSilent
from microtill.device.desk import Acquirer, Issued
from microtill.device.errors import (
    AcquirerRefused,
    AcquirerUnreachable,
    DeviceError,
    NoAnswer,
    NoFirmware,
    NoSuchPort,
    PortBusy,
    Refused,
    Unplugged,
    UsageError,
    VerificationFailed,
)
from microtill.device.line import Line
from microtill.device.mid import Mid, mid
from microtill.device.ports import Port
from microtill.device.probe import STARTING_SECONDS, Unit, masked, probe, unit_of
from microtill.device.watch import Quiet, Watch
from microtill.device.wifi_file import Network
from microtill.release import boards

MODES = ("new", "renew", "recover", "replace", "move")
_STEPS = 6
"""Of the watch: look, trust, Wi-Fi, ticket, proof, record. A unit that is that terminal already needs fewer."""

TELL_SECONDS = 10.0
"""How long the acquirer is asked again to take down the outcome."""
CONSENT_SECONDS = 125.0  # a terminal gives up its question after 120
_RESTART_SECONDS = 90.0
_PROOF_SECONDS = 60.0
_HOPELESS_SECONDS = 12.0  # so long a reason stands that does not pass by itself
_LOOK_AGAIN_SECONDS = 2.0
_LOOKS = 3
_ONLINE_SECONDS = 15.0
_TRIES = 5
_POLL = 0.02
_LOOK = 0.2

# Reasons to be offline that no waiting mends.
_HOPELESS = frozenset({"reason.wifi_password", "reason.tls_ca", "reason.tls_name", "reason.no_wifi"})
_BLANK = ("blank", "trusted")


@dataclass(frozen=True)
class Offer:
    """What the technician is asked to confirm, before the unit is touched."""

    tid: str
    mid: Mid
    merchant: str
    address: str
    serial: str
    board: str
    state: str
    mode: str
    fingerprint: str
    """Of the trust object that the unit will be given; empty when it holds it already."""


def nothing() -> None:
    """The person at the keypad needs no help."""


def agreed(offer: Offer) -> bool:
    """The technician agreed beforehand."""
    return True


@dataclass(frozen=True)
class Wishes:
    """What the unit shall become.

    `mid`: what the technician believes the merchant to be; `serial`: it must be this unit. `networks`: the Wi-Fi; None
    leaves what it has, and `ask_networks` is called when it has none; `spare_wifi` leaves it also to a unit that is
    that terminal already and is online. `trust`: an mt-trust (None: the acquirer's own). `mode`: as the acquirer's API
    has it; with one there is a new ticket also for a unit that is that terminal already. `back`: seconds to wait for an
    unplugged unit. `prove`: by an echo test, and with the outcome recorded at the acquirer. `confirm` is shown the
    offer; `waiting` is called often while others are waited for, and may raise.
    """

    tid: str
    mid: str | None = None
    work: int | None = None
    mode: str | None = None
    serial: str | None = None
    networks: Sequence[Network] | None = None
    spare_wifi: bool = False
    ask_networks: Callable[[], Sequence[Network]] | None = None
    trust: str | None = None
    back: float = BACK_SECONDS
    prove: bool = True
    dry_run: bool = False
    confirm: Callable[[Offer], bool] = agreed
    waiting: Callable[[], None] = nothing

    def check(self) -> None:
        """UsageError for what could never be."""
        from microtill.device.mid import tid

        tid(self.tid)
        if self.mid is not None:
            mid(self.mid)
        if self.mode is not None and self.mode not in MODES:
            raise UsageError("error.mode", mode=self.mode, known=", ".join(MODES))
        if self.trust is not None:
            trust_file.read(self.trust)


@dataclass
class Outcome:
    """What became of one unit. `mid` is masked; `version` is its ticket's; `echo_ms`: how long the proof took."""

    port: str
    serial: str = ""
    board: str = ""
    tid: str = ""
    mid: str = ""
    merchant: str = ""
    state: str = ""
    version: int = 0
    already: bool = False
    echo_ms: int | None = None
    recorded: bool = False
    resumed: int = 0
    dry_run: bool = False
    steps: dict[str, float] = field(default_factory=dict)
    """Seconds that each step took."""
    seconds: float = 0.0


class Link(Protocol):
    """The way to a unit."""

    @property
    def name(self) -> str:
        """The port's; empty when there is none that could go away."""
        ...

    def open(self) -> Unit:
        """Who is there; a restart before this is waited for."""
        ...

    @property
    def console(self) -> Console: ...

    def wait_back(self, seconds: float) -> None:
        """Until the unit that was unplugged is there again. Raises Unplugged."""
        ...

    def close(self) -> None: ...


class PortLink:
    """A unit at a serial port. Its own USB may go and come back with a restart, under another name."""

    def __init__(self, port: Port):
        self._port = port
        self._line: Line | None = None

    @property
    def name(self) -> str:
        return self._port.path

    @property
    def console(self) -> Console:
        if self._line is None:
            raise Unplugged(port=self._port.path)
        return self._line.console

    def open(self) -> Unit:
        if self._line is None:
            line = self._port.line()
            line.open()
            self._line = line
        return probe(self._line, STARTING_SECONDS)

    def wait_back(self, seconds: float) -> None:
        self.close()
        self._port = wait_for(self._port, seconds)

    def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()


class ConsoleLink:
    """A unit whose console somebody else holds open."""

    name = ""

    def __init__(self, console: Console):
        self.console = console

    def open(self) -> Unit:
        return unit_of(self.console.wait_ready())

    def wait_back(self, seconds: float) -> None:
        raise Unplugged(port="")

    def close(self) -> None:
        """It stays open."""


def provision(link: Link, acquirer: Acquirer, wishes: Wishes, watch: Watch | None = None) -> Outcome:
    """Make the unit at `link` the terminal `wishes.tid`. DeviceError tells what stands in the way."""
    wishes.check()
    work = _Provisioning(link, acquirer, wishes, watch or Quiet())
    try:
        return work.run()
    finally:
        link.close()


def attempt(
    link: Link, acquirer: Acquirer, wishes: Wishes, watch: Watch | None = None
) -> tuple[Outcome, DeviceError | None]:
    """As `provision`; what was found out about the unit comes with the error."""
    wishes.check()
    work = _Provisioning(link, acquirer, wishes, watch or Quiet())
    try:
        return work.run(), None
    except DeviceError as e:
        return work.outcome, e
    finally:
        link.close()


class _Restarted(NoAnswer):
    """The terminal has restarted, and forgot what it was asked: what it is now, its status tells."""


class _StillBusy(TerminalRefuses):
    """Somebody is at the terminal, for longer than any question stands."""


class _Provisioning:
    def __init__(self, link: Link, acquirer: Acquirer, wishes: Wishes, watch: Watch):
        self._link = link
        self._acquirer = acquirer
        self._wishes = wishes
        self._watch = watch
        self._terminal: dict[str, Any] = {}
        self._issued: Issued | None = None
        self._networks = wishes.networks
        self._networks_set = False
        self._trust = wishes.trust
        self._agreed = False
        self._uptime = 0  # of the terminal, when it was last heard of
        self._steps_done: set[str] = set()
        self.outcome = Outcome(link.name, tid=wishes.tid, dry_run=wishes.dry_run)

    def run(self) -> Outcome:
        started = time.monotonic()
        tries = 0
        busy_until = 0.0
        self._watch.total(_STEPS)
        try:
            while True:
                try:
                    self._once()
                    return self.outcome
                except TerminalRefuses as e:
                    # It is just answering what was asked before the cable came out: how that ends, it tells then.
                    if e.error != "error.busy" or isinstance(e, _StillBusy) or 0 < busy_until < time.monotonic():
                        raise
                    busy_until = busy_until or time.monotonic() + CONSENT_SECONDS
                    time.sleep(_LOOK)
                except _Restarted:
                    tries += 1
                    if tries >= _TRIES:
                        raise
                except (Unplugged, NoSuchPort) as e:
                    tries += 1
                    never_there = isinstance(e, NoSuchPort) and not self.outcome.serial
                    if never_there or tries >= _TRIES or not self._link.name:
                        raise
                    self._watch.ask("provision.waiting")
                    self._link.wait_back(self._wishes.back)
                    self.outcome.resumed = tries
        except DeviceError as e:
            self._tell_failure(e)
            raise
        finally:
            self.outcome.seconds = round(time.monotonic() - started, 2)

    def _once(self) -> None:
        unit = self._step("look", self._look)
        if self._wishes.dry_run:
            return
        if self._is_it_already(unit):
            self.outcome.already = self._issued is None
            spared = self._wishes.spare_wifi and self._comes_online()
            if self._networks is not None and not self._networks_set and not spared:
                self._step("wifi", lambda: self._set_networks(unit))
        else:
            self._step("trust", lambda: self._set_trust(unit))
            self._step("wifi", lambda: self._set_networks(unit))
            unit = self._step("ticket", lambda: self._bind(unit))
        self._take_down(unit)
        if self._wishes.prove:
            self._step("proof", self._prove)
            self._step("record", self._record)

    def _step(self, name: str, do: Callable[[], Any]) -> Any:
        started = time.monotonic()
        done = do()
        steps = self.outcome.steps
        steps[name] = round(steps.get(name, 0.0) + time.monotonic() - started, 3)
        if name not in self._steps_done:  # a run that goes on after an unplug does some of them again
            self._steps_done.add(name)
            self._watch.step(1)
        return done

    # Before anything is changed.

    def _look(self) -> Unit:
        self._watch.stage("provision.looking")
        unit = self._at_rest(self._link.open())
        self._check_unit(unit)
        if not self._agreed:
            self._look_up(unit)
            offer = self._offer(unit)
            if not self._wishes.confirm(offer):
                raise Refused("error.not_confirmed")
            if self._wishes.dry_run:
                self._take_down(unit)
                return unit
            if self._wishes.ask_networks and self._networks is None and _has_no_wifi(unit):
                self._networks = self._wishes.ask_networks()
            self._agreed = True
        self._take_down(unit)
        self._uptime = int(unit.status.get("uptime", 0))
        return unit

    def _at_rest(self, unit: Unit) -> Unit:
        """Wait while somebody is at the terminal, or a question of an earlier run still stands there."""
        if unit.state not in (*_BLANK, "provisioned") or unit.status.get("idle", True):
            return unit
        deadline = time.monotonic() + CONSENT_SECONDS
        self._watch.ask("provision.busy")
        while not unit.status.get("idle", True):
            self._wishes.waiting()
            if time.monotonic() > deadline:
                raise _StillBusy("error.busy")
            time.sleep(_LOOK)
            unit = unit_of(self._link.console.wait_ready())
        return unit

    def _check_unit(self, unit: Unit) -> None:
        if self.outcome.serial and unit.serial != self.outcome.serial:
            raise Refused("error.serial_other", found=unit.serial, wanted=self.outcome.serial)
        self.outcome.serial, self.outcome.board, self.outcome.state = unit.serial, unit.board, unit.state
        if unit.state not in (*_BLANK, "provisioned"):
            detail = f"{unit.status.get('error', unit.state)} {unit.status.get('detail', '')}".strip()
            raise Refused("error.unit_fault", detail=detail)
        if unit.board not in boards.names():
            raise Refused("error.unit_board", board=unit.board or "?")
        wanted = self._wishes.serial
        if wanted and unit.serial != wanted:
            raise Refused("error.serial_other", found=unit.serial, wanted=wanted)

    def _look_up(self, unit: Unit) -> None:
        """What the acquirer says about all this, before the unit or the person at its keypad is troubled."""
        wishes = self._wishes
        self._terminal = look_up(self._acquirer, wishes.tid, wishes.mid)
        trust = self._trust
        if trust is None and (unit.state == "blank" or wishes.prove):
            trust = self._trust = self._acquirer.trust()
        if trust is not None:
            fingerprint = trust_file.read(trust).fingerprint
            held = unit.status.get("fingerprints") or []
            if unit.state != "blank" and held and fingerprint not in held:
                raise Refused("error.other_trust", found=", ".join(map(str, held)), wanted=fingerprint)
        if unit.state == "provisioned" and unit.tid != wishes.tid and _owes(unit):
            raise TerminalRefuses("error.unsettled")  # once a ticket is fetched, the old terminal ID is given up

    def _offer(self, unit: Unit) -> Offer:
        merchant = self._terminal["merchant"]
        blank = unit.state == "blank" and self._trust
        return Offer(
            self._wishes.tid,
            Mid(self._terminal["mid"]),
            str(merchant.get("name", "")),
            str(merchant.get("address") or ""),
            unit.serial,
            unit.board,
            unit.state,
            self._wishes.mode or "",
            trust_file.read(blank).fingerprint if blank else "",
        )

    def _is_it_already(self, unit: Unit) -> bool:
        """Whether the unit is that terminal, by its own word and the acquirer's: then only the proof is left."""
        if unit.state != "provisioned" or unit.tid != self._wishes.tid:
            return False
        version = (unit.status.get("version") or {}).get("ticket")
        if self._issued is not None:
            return version == self._issued.version
        theirs = self._terminal
        same = (theirs["serial"], masked(theirs["mid"])) == (unit.serial, unit.mid)
        return same and self._wishes.mode is None

    # What changes the unit.

    def _set_trust(self, unit: Unit) -> None:
        if unit.state != "blank" or not self._trust:
            return
        wanted = trust_file.read(self._trust).fingerprint
        self._watch.ask("provision.trusting", fingerprint=wanted)
        answer = self._consented("trust", token=self._trust)
        if answer.get("fingerprint") != wanted:
            raise VerificationFailed("error.trust_fingerprint", found=answer.get("fingerprint"), wanted=wanted)

    def _set_networks(self, unit: Unit) -> None:
        if self._networks is None:
            return
        self._watch.stage("provision.networks")
        self._consented("wifi", networks=[[network.name, network.password] for network in self._networks])
        self._networks_set = True

    def _bind(self, unit: Unit) -> Unit:
        wishes = self._wishes
        self._watch.stage("provision.keys")
        # A unit that becomes another terminal does so with another key.
        elsewhere = unit.state == "provisioned" and unit.tid != wishes.tid
        request = self._consented("key_request", new_key=elsewhere)["token"]
        if _serial_in(request) not in (unit.serial, ""):
            raise Refused("error.serial_other", found=_serial_in(request), wanted=unit.serial)
        self._watch.stage("provision.fetching")
        # Before: an answer may be lost that was decided.
        self._issued = self._acquirer.issue(request, wishes.tid, wishes.mode, wishes.work, self._terminal["mid"])
        self.outcome.version = self._issued.version
        self._watch.ask("provision.consent")
        self._consented("ticket", token=self._issued.token)
        self._watch.stage("provision.restarting")
        return self._restarted(self._issued)

    def _consented(self, do: str, **members: Any) -> dict:
        """Ask what a person may have to answer first. Raises _Restarted when the terminal forgot it meanwhile."""
        console = self._link.console
        number = console.send(do, **members)
        deadline = time.monotonic() + CONSENT_SECONDS
        look_at = time.monotonic() + _LOOK_AGAIN_SECONDS
        looks: list[int] = []
        while (answer := console.poll(number)) is None:
            now = time.monotonic()
            if now > deadline:
                raise TerminalSilent(CONSENT_SECONDS)
            if now > look_at:
                looks.append(console.send("status"))
                look_at = now + _LOOK_AGAIN_SECONDS
            while looks and (status := console.poll(looks[0])) is not None:
                del looks[0]  # each counts once, in the order they were asked
                uptime = int(status.get("uptime", self._uptime))
                if uptime < self._uptime:
                    raise _Restarted(port=self._link.name)
                self._uptime = uptime
            del looks[:-_LOOKS]  # a terminal that was just restarting has not heard the first
            self._wishes.waiting()
            time.sleep(_POLL)
        return answer

    def _restarted(self, issued: Issued) -> Unit:
        deadline = time.monotonic() + _RESTART_SECONDS
        unit = None
        while time.monotonic() < deadline:
            try:
                unit = self._link.open()
            except (Unplugged, NoSuchPort, PortBusy):
                self._link.wait_back(max(deadline - time.monotonic(), 0.1))
                continue
            except NoFirmware:
                raise
            except NoAnswer:
                continue  # it is still starting
            version = (unit.status.get("version") or {}).get("ticket")
            if (unit.state, unit.tid, version) == ("provisioned", issued.tid, issued.version):
                return unit
            time.sleep(_POLL)
        found = f"{unit.state} {unit.tid}".strip() if unit else "-"
        raise VerificationFailed("error.ticket_not_taken", found=found, wanted=issued.tid)

    # Afterwards.

    def _take_down(self, unit: Unit) -> None:
        outcome = self.outcome
        outcome.state = unit.state
        outcome.mid = masked(self._terminal["mid"])
        outcome.merchant = str(self._terminal["merchant"].get("name", ""))
        version = (unit.status.get("version") or {}).get("ticket")
        if unit.state == "provisioned" and unit.tid == self._wishes.tid and isinstance(version, int):
            outcome.version = version

    def _prove(self) -> None:
        """A signed echo test: Wi-Fi, TLS, the ticket's key and the acquirer's, all at once."""
        self._watch.stage("provision.proving")
        console = self._link.console
        started = time.monotonic()
        reason, since = "", started
        while True:
            self._wishes.waiting()
            status = console.wait_ready()
            if status.get("online"):
                try:
                    answer = console.request("echo", timeout=_PROOF_SECONDS)
                    self.outcome.echo_ms = int(answer["ms"])
                    return
                except TerminalRefuses as e:
                    found = e.error
            else:
                found = str(status.get("wifi") or status.get("reason") or "reason.connecting")
            now = time.monotonic()
            if found != reason:
                reason, since = found, now
            hopeless = reason in _HOPELESS and now - since > _HOPELESS_SECONDS
            if hopeless or now - started > _PROOF_SECONDS:
                raise VerificationFailed(
                    "error.not_proved", reason=terminal_texts.what(reason), step=terminal_texts.next_step(reason)
                )
            time.sleep(_LOOK)

    def _comes_online(self) -> bool:
        deadline = time.monotonic() + _ONLINE_SECONDS
        while time.monotonic() < deadline:
            self._wishes.waiting()
            if self._link.console.wait_ready().get("online"):
                return True
            time.sleep(_LOOK)
        return False

    def _record(self) -> None:
        self._watch.stage("provision.recording")
        outcome = self.outcome
        deadline = time.monotonic() + TELL_SECONDS
        while True:
            try:
                self._acquirer.report(outcome.tid, outcome.serial, outcome.version, True)
                outcome.recorded = True
                return
            except AcquirerUnreachable as e:
                if time.monotonic() > deadline:
                    raise NoAnswer("error.not_recorded", reason=e.what) from e
            except AcquirerRefused as e:
                raise Refused("error.not_recorded", reason=e.what) from e
            time.sleep(_LOOK)

    def _tell_failure(self, error: DeviceError) -> None:
        """Let the acquirer know, if there is a ticket to speak of: it then keeps nobody else away any more."""
        if self._issued is None or not self._wishes.prove or self.outcome.recorded:
            return
        detail = error.error if isinstance(error, ConsoleError) else error.key
        try:
            self._acquirer.report(self._issued.tid, self.outcome.serial, self._issued.version, False, detail)
            self.outcome.recorded = True
        except DeviceError:
            # What went wrong before is what the technician must hear; that nobody was told stands in the outcome.
            self.outcome.recorded = False


def look_up(acquirer: Acquirer, tid: str, believed: str | None) -> dict[str, Any]:
    """What the acquirer knows of `tid`. AcquirerRefused when there is none, or it is not of the merchant `believed`."""
    found = acquirer.terminal(tid)
    if believed is not None and found["mid"] != believed:
        acquirer.merchant(believed)  # refused in its own words when there is no such merchant
        raise AcquirerRefused("error.acquirer.mid_wrong", detail=f"{tid}, {masked(found['mid'])}")
    return found


def _owes(unit: Unit) -> bool:
    return any(unit.status.get(name) for name in ("unsent", "pending", "open_batch", "unseen"))


def _has_no_wifi(unit: Unit) -> bool:
    return unit.status.get("wifi") == "reason.no_wifi"


def _serial_in(token: str) -> str:
    """The serial in a key request, which only its receiver verifies; empty when it cannot be read."""
    try:
        part = token.split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return str(said["serial"])
    except (IndexError, ValueError, KeyError, TypeError, binascii.Error):
        return ""
