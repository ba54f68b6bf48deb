"""What the tests of provisioning share: a person at the keypad, an acquirer's desk, a laptop of their own."""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from microtill.acquirer.process import DEMO_MID, HOST, AcquirerProcess
from microtill.bench.client import BenchError, Timeout
from microtill.device.desk import Acquirer
from microtill.device.ports import Port
from microtill.device.provisioning import Outcome, PortLink, Wishes, provision
from microtill.device.session import Profile, read_ca, remember
from microtill.device.wifi_file import Network
from microtill.simulator.board import VirtualBoard
from microtill.simulator.texts import texts
from microtill.simulator.world import NETWORK, PASSWORD

_tids = itertools.count(30000001)
_units = itertools.count(1)

_QUESTIONS = ("trust", "wifi_change", "ticket")

WIFI = (Network(NETWORK, PASSWORD),)


def new_tid(acquirer: AcquirerProcess, mid: str = DEMO_MID) -> str:
    """A terminal ID that has no unit yet."""
    tid = str(next(_tids))
    acquirer.add_terminal(tid, mid)
    return tid


def desk(acquirer: AcquirerProcess, session: str = "") -> Acquirer:
    """The acquirer's API, with a technician's session."""
    home = acquirer.home
    url = f"https://{HOST}:{acquirer.port}"
    return Acquirer(url, home.ca.certificate_pem.decode(), session or acquirer.session, home.config.hosts[0])


class Person:
    """Somebody at the keypad who presses `key` whenever the terminal asks about trust, Wi-Fi or ticket.

    `when` is called before, with what was asked, and may do something else; `asked` keeps what the panel said.
    """

    def __init__(self, vb: VirtualBoard, key: str = "OK", when: Callable[[str], bool] | None = None):
        self._vb = vb
        self._key = key
        self._when = when
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.asked: list[str] = []
        self.panels: list[list[str]] = []

    def __enter__(self) -> "Person":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._end.set()
        self._thread.join(30)

    def _watch(self) -> None:
        changes = self._vb.bench.subscribe(("changed",))
        try:
            asked, changed = None, True
            while not self._end.is_set():
                # Reading a panel takes long: it is read when it has changed and rests, and while it asks.
                event = None
                with contextlib.suppress(Timeout):
                    event = changes.get(0.1)
                if event is not None:
                    changed = changed or event["chip"] == "panel"
                elif changed or asked is not None:
                    changed = False
                    asked = self._look()
        finally:
            changes.close()

    def _look(self) -> str | None:
        """What the terminal asks just now; it is answered."""
        try:
            asked = next((what for what in _QUESTIONS if self._vb.world.shows(*texts(f"screen.{what}"))), None)
            if asked is not None:
                if self.asked[-1:] != [asked]:
                    self.asked.append(asked)
                    self.panels.append(self._vb.world.read_screen())
                if self._when is None or self._when(asked):
                    self._vb.world.key(self._key)
        except BenchError:  # the board is just restarting, or was switched off
            return None
        return asked


def bind(vb: VirtualBoard, acquirer: Acquirer, tid: str, watch=None, **wishes) -> Outcome:
    """Provision it, with the bench's Wi-Fi; somebody presses OK."""
    wishes = {"networks": WIFI, "back": 10.0} | wishes
    with Person(vb):
        return provision(PortLink(Port(vb.port)), acquirer, Wishes(tid, **wishes), watch)


@contextlib.contextmanager
def new_board(folder: Path, acquirer: AcquirerProcess | None, **values) -> Iterator[VirtualBoard]:
    """A blank terminal of its own number, switched on, at a port that keeps its name."""
    values = {"unique_id": f"02005e{next(_units):06x}"} | values
    with VirtualBoard(folder / "state", acquirer=acquirer, link=folder / "port", **values) as vb:
        yield vb
        violations = vb.bench.violations()
        assert not violations, violations


class Laptop:
    """A technician's computer: settings, logs and a session of its own."""

    def __init__(self, folder: Path, acquirer: AcquirerProcess, session: str = "", name: str = "demo"):
        self.home = folder / "laptop"
        self.session = session or acquirer.session
        ca = folder / "ca.pem"
        ca.write_bytes(acquirer.home.ca.certificate_pem)
        self.profile = Profile(
            acquirer.url,
            name,
            "technician",
            int(time.time()) + 3600,
            str(ca),
            read_ca(ca)[1],
            f"{HOST}:{acquirer.port}",
        )
        with self.here():
            remember(self.profile)

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """This process is at that computer."""
        before = os.environ.get("MICROTILL_HOME")
        os.environ["MICROTILL_HOME"] = str(self.home)
        try:
            yield
        finally:
            if before is None:
                del os.environ["MICROTILL_HOME"]
            else:
                os.environ["MICROTILL_HOME"] = before

    def environment(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MICROTILL_PORT")}
        own = {"MICROTILL_HOME": str(self.home), "MICROTILL_SESSION": self.session, "MICROTILL_LANGUAGE": "en"}
        return kept | own | more

    def run(self, *words: str | Path, timeout: float = 180, **environment: str) -> subprocess.CompletedProcess[str]:
        """The real command, as a process that nobody watches."""
        return subprocess.run(
            [sys.executable, "-m", "microtill.cli", *map(str, words)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.environment(**environment),
        )

    def diary(self) -> list[dict]:
        """What it has noted."""
        path = self.home / "provisioning.log"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def wifi_file(folder: Path, *networks: tuple[str, str]) -> Path:
    """A file of networks that only its owner reads."""
    path = folder / "wifi.toml"
    path.touch(0o600)
    tables = [
        f"[[network]]\nname = {json.dumps(name)}\npassword = {json.dumps(word)}\n"
        for name, word in networks or [(NETWORK, PASSWORD)]
    ]
    path.write_text("\n".join(tables), "utf-8")
    return path
