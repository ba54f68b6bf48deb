"""The acquirer as a child process that tests, the demo and the simulator start, watch and trouble."""

import atexit
import functools
import itertools
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from microtill.acquirer import totp
from microtill.acquirer.admin import Admin
from microtill.acquirer.config import DEFAULT_NAME, DEFAULT_PORT
from microtill.acquirer.database import Database
from microtill.acquirer.datadir import DataDir
from microtill.acquirer.operators import Account

DEMO_MID = "898210154110002"
DEMO_TID = "10000001"
DEMO_NAME = "微店示范商户"

HOST = "127.0.0.1"
# Below the ephemeral ports: a client's own source port can never be the port of an acquirer that is down.
_PORTS = range(20000, 32000)

_START_S = 30
_ANSWER_S = 60


class AcquirerError(Exception):
    """The acquirer process refused a command, or ended."""


def make_template(path: Path | str) -> DataDir:
    """A data directory with keys, database, the demo merchant and its terminal ID, to be copied for each process."""
    home = DataDir.create(path)
    database = Database(home.database_url)
    database.migrate()
    admin = Admin(database)
    admin.add_merchant(DEMO_MID, DEMO_NAME, "示范路 1 号", "400-000-0000")
    admin.add_terminal(DEMO_MID, DEMO_TID)
    database.close()
    return home


@functools.cache
def default_template() -> Path:
    """A template of this process's own, made once."""
    path = tempfile.mkdtemp(prefix="microtill-acquirer-")
    atexit.register(shutil.rmtree, path, True)
    return make_template(path).path


def _free_port() -> int:
    for _ in range(200):
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise AcquirerError("no free loopback port")


class AcquirerProcess:
    """An acquirer on a free loopback port.

    `data_dir`: an initialised directory to run on and keep. Without it, `template` (or a fresh one with DEMO_MID and
    DEMO_TID) is copied to a temporary directory that goes with the process.
    """

    def __init__(self, data_dir: Path | str | None = None, template: Path | str | None = None, port: int = 0):
        self._temporary: str | None = None
        if data_dir is None:
            self._temporary = tempfile.mkdtemp(prefix="microtill-acquirer-")
            DataDir(template or default_template()).copy(self._temporary)
        self.home = DataDir(data_dir or self._temporary or "")
        self.port = port or _free_port()
        self.mid, self.tid = DEMO_MID, DEMO_TID
        self._lock = threading.Lock()
        self._names = itertools.count(1)
        self._child: subprocess.Popen[bytes] | None = None
        self.restart()

    # -- life ------------------------------------------------------------------------------------------------------

    def restart(self) -> None:
        """Start the process (again) on the same port and data."""
        self.kill()
        ours, theirs = socket.socketpair()
        with theirs:
            self._child = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "microtill.acquirer.control",
                    str(self.home.path),
                    HOST,
                    str(self.port),
                    str(theirs.fileno()),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        ours.settimeout(_START_S)
        self._link = ours
        self._lines = ours.makefile("rb")
        self.port = self._do("up")
        ours.settimeout(_ANSWER_S)

    def kill(self) -> None:
        """End the process at once, as a power cut would; what it was doing stays as it is."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the process in order, and remove its directory if it was temporary."""
        self._end(signal.SIGTERM)
        if self._temporary:
            shutil.rmtree(self._temporary, True)

    def _end(self, number: int) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.send_signal(number)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._lines.close()
        self._link.close()

    def __enter__(self) -> "AcquirerProcess":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def _do(self, name: str, *args: Any, **options: Any) -> Any:
        line = json.dumps({"do": name, "args": args, **options}).encode() + b"\n"
        with self._lock:
            if self._child is None:
                raise AcquirerError("the acquirer is not running")
            try:
                self._link.sendall(line)
                answered = self._lines.readline()
            except TimeoutError as e:
                raise AcquirerError(f"{name}: no answer from the acquirer process") from e
            except OSError:  # the pipe broke: it has ended, or is about to
                answered = b""
            if not answered:
                raise AcquirerError(f"{name}: the acquirer process ended with status {self._child.wait(10)}")
        answer = json.loads(answered)
        if "error" in answer:
            raise AcquirerError(f"{name}: {answer['error']}")
        return answer["ok"]

    # -- what a terminal needs to know -----------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """What the terminal is told: a name and port that the network maps to (HOST, self.port)."""
        return self.home.config.url

    @property
    def hosts(self) -> dict[str, tuple[str, int]]:
        """The mapping, as the bench takes it."""
        return {f"{DEFAULT_NAME}:{DEFAULT_PORT}": (HOST, self.port)}

    @property
    def ca_der(self) -> bytes:
        return self.home.ca.der

    @property
    def trust(self) -> str:
        """The mt-trust object, compact JWS."""
        return self.home.trust

    # -- operators -------------------------------------------------------------------------------------------------

    @functools.cached_property
    def session(self) -> str:
        """The token of a technician's session."""
        return self.new_session("technician", "demo")

    def new_session(self, role: str = "technician", name: str = "") -> str:
        """The token of a session of `name`, or of an operator made for it; nobody has to sign in."""
        return self._do("session", name or self._name(role), role)

    def new_operator(self, role: str = "technician", name: str = "") -> Account:
        """A new account with its password and authenticator, to sign in with."""
        return Account(**self._do("operator", name or self._name(role), role))

    def totp(self, account: Account, ahead: int = 0) -> str:
        """What the account's authenticator shows; `ahead` steps from now, for a second time within thirty seconds."""
        return totp.code(totp.secret_of(account.totp_uri), time.time() + ahead * totp.STEP_S)

    def _name(self, role: str) -> str:
        return f"{role[:4]}-{random.randrange(10**9)}-{next(self._names)}"

    def revoke_sessions(self, name: str) -> int:
        return self._do("revoke_sessions", name)

    def disable(self, name: str) -> None:
        self._do("disable", name)

    def new_code(self, serial: str, tid: str = DEMO_TID) -> str:
        """An activation code for the unit `serial`."""
        return self._do("code", tid, serial)

    def add_work(self, tid: str = DEMO_TID, kind: str = "install", **values: Any) -> dict[str, Any]:
        """A work item: `serial`, `assigned`, `note` as in the API."""
        return self._do("work", tid, kind, **values)

    def outcomes(self, tid: str | None = None) -> list[dict[str, Any]]:
        """What technicians reported."""
        return self._do("outcomes", tid)

    # -- trouble ---------------------------------------------------------------------------------------------------

    def down(self) -> None:
        """Close the port and every connection; the process lives on."""
        self._do("down")

    def up(self) -> None:
        self._do("up")

    def slow(self, ms: float, times: int | None = None) -> None:
        """Hold answers back for `ms` after they were decided."""
        self._do("fault", "slow", ms=ms, times=times)

    def drop_request(self, times: int | None = None, close: bool = False) -> None:
        """Requests never reach the acquirer; the connection stays silent, or is closed."""
        self._do("fault", "drop_request", times=times, close=close)

    def drop_response(self, times: int | None = None, close: bool = False) -> None:
        """The acquirer decides, and the answer is lost."""
        self._do("fault", "drop_response", times=times, close=close)

    def tamper(self, part: str = "payload", times: int | None = None) -> None:
        """Turn the outcome round (`payload`) or change the `signature`."""
        self._do("fault", "tamper", part=part, times=times)

    def truncate(self, times: int | None = None) -> None:
        """Half the body, then the connection is closed."""
        self._do("fault", "truncate", times=times)

    def oversize(self, size: int = 5000, times: int | None = None) -> None:
        """Answers of `size` octets."""
        self._do("fault", "oversize", size=size, times=times)

    def status(self, code: int, times: int | None = None) -> None:
        """HTTP status `code` in place of the answer."""
        self._do("fault", "status", code=code, times=times)

    def stale(self, times: int | None = None) -> None:
        """The answer to the request before (however often this one is repeated)."""
        self._do("fault", "stale", times=times)

    def captive(self, times: int | None = None) -> None:
        """A captive portal's page in place of the answer."""
        self._do("fault", "captive", times=times)

    def chunked(self, times: int | None = None) -> None:
        """Answers in chunked coding."""
        self._do("fault", "chunked", times=times)

    def plain_http(self) -> None:
        """The port speaks HTTP without TLS."""
        self._do("plain_http")

    def set_certificate(self, kind: str = "good", certificate_pem: bytes = b"", key_pem: bytes = b"") -> None:
        """Present another certificate: `good`, one of pki.WRONG_KINDS, or the PEM given. Closes connections."""
        if certificate_pem:
            self._do("certificate_pem", certificate_pem.decode(), key_pem.decode())
        else:
            self._do("certificate", kind)

    def issuer_delay(self, ms: float) -> None:
        """The issuer thinks for `ms`: sales stay in progress meanwhile."""
        self._do("issuer_delay", ms)

    def clear(self) -> None:
        """End every fault, delay and outage (not a certificate)."""
        self._do("clear")

    @property
    def faults_acted(self) -> int:
        """How often a fault has acted so far."""
        return self._do("acted")

    # -- what it holds ---------------------------------------------------------------------------------------------

    def add_merchant(self, mid: str, name: str, address: str = "", phone: str = "") -> dict[str, Any]:
        return self._do("admin", "add_merchant", mid, name, address, phone)

    def add_terminal(self, tid: str, mid: str = DEMO_MID) -> dict[str, Any]:
        return self._do("admin", "add_terminal", mid, tid)

    def terminal(self, tid: str = DEMO_TID) -> dict[str, Any]:
        return self._do("admin", "terminal", tid)

    def suspend(self, tid: str = DEMO_TID) -> None:
        self._do("admin", "set_terminal", tid, "suspend")

    def resume(self, tid: str = DEMO_TID) -> None:
        self._do("admin", "set_terminal", tid, "resume")

    def revoke(self, tid: str = DEMO_TID) -> None:
        self._do("admin", "set_terminal", tid, "revoke")

    def suspend_merchant(self, mid: str = DEMO_MID) -> None:
        self._do("admin", "set_merchant", mid, "suspend")

    def resume_merchant(self, mid: str = DEMO_MID) -> None:
        self._do("admin", "set_merchant", mid, "resume")

    def set_account(self, pan: str, balance: int | None = None, rc: str | None = None) -> None:
        """Limit a test card's funds (minor units), or let its issuer answer `rc`."""
        self._do("account", pan, balance, rc)

    def balance(self, pan: str) -> int | None:
        return self._do("balance", pan)

    def set_clock_skew(self, seconds: int) -> None:
        """How far a terminal's clock may be off."""
        self._do("clock_skew", seconds)

    def transactions(self, tid: str | None = None) -> list[dict[str, Any]]:
        """Every message with its answer, oldest first; see `admin.Admin.transactions`."""
        return self._do("admin", "transactions", tid)

    def sales(self) -> dict[str, int]:
        """Counts and amount; see `admin.Admin.sales`."""
        return self._do("admin", "sales")

    def clear_terminal(self, tid: str = DEMO_TID) -> None:
        """Let a flagged terminal sell again."""
        self._do("admin", "clear_terminal", tid, "looked at")

    def events(self, alarms: bool = False) -> list[dict[str, Any]]:
        """The audit log, or its alarms; see `audit.rows`."""
        return self._do("admin", "audit_rows", alarms=alarms)

    def log_lines(self, since: int = 0) -> list[dict[str, Any]]:
        """The structured log of this run: {time, event, …}; messages carry `checks`, what was verified, in order."""
        return self._do("log_lines", since)
