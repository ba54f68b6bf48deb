"""Acquirers for tests: one process for a whole module, or the acquirer's own objects called directly."""

import itertools
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from microtill.acquirer.audit import Actor
from microtill.acquirer.datadir import DataDir
from microtill.acquirer.problems import Problem
from microtill.acquirer.process import DEMO_MID, AcquirerProcess, default_template
from microtill.acquirer.server import Running

from support.terminal import Card, Https, Terminal, compact

TECHNICIAN = Actor("li", "technician", "127.0.0.1")

_tids = itertools.count(20000001)
_atcs = itertools.count(1)


def new_card(**values) -> Card:
    """A card whose counter no earlier card of this process has used (per PAN 65535 are enough)."""
    return Card(**({"atc": next(_atcs)} | values))


def new_terminal(process: AcquirerProcess, timeout: float = 30) -> Terminal:
    """A unit with a ticket for a terminal ID of its own."""
    tid = str(next(_tids))
    process.add_terminal(tid)
    terminal = Terminal(process.port, process.ca_der, process.trust, serial=f"SIM-{tid}", timeout=timeout)
    terminal.ask_ticket(process.session, tid)
    return terminal


class Desk:
    """An operator's side of the HTTP API; `token` empty: nobody signed in."""

    def __init__(self, process: AcquirerProcess, token: str = ""):
        self._https = Https(process.port, process.ca_der)
        self.token = token

    def ask(self, method: str, path: str, body: dict | bytes | None = None, **headers: str) -> tuple[int, dict]:
        """Status and members of the answer; a problem's too."""
        head = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            head["Content-Type"] = "application/json"
        octets = compact(body) if isinstance(body, dict) else body
        status, content_type, answer = self._https.request(method, path, octets, head | headers)
        if status >= 400:
            assert content_type == "application/problem+json", content_type
        return status, json.loads(answer) if answer else {}

    def get(self, path: str) -> dict:
        status, answer = self.ask("GET", path)
        assert status == 200, answer
        return answer

    def post(self, path: str, body: dict | None = None) -> dict:
        status, answer = self.ask("POST", path, body)
        assert status in (200, 201, 204), answer
        return answer

    def refused(self, method: str, path: str, body: dict | bytes | None = None) -> tuple[int, str]:
        """Status and code of a problem."""
        status, answer = self.ask(method, path, body)
        assert status == answer["status"] and status >= 400 and answer["title"], answer
        return status, answer["code"]

    def close(self) -> None:
        self._https.close()


class Direct:
    """Stands in for HTTPS: calls the acquirer in this process."""

    def __init__(self, running: Running):
        self._running = running

    def request(self, method, path, body=None, headers=None):
        assert (method, path) == ("POST", "/v1/messages")
        try:
            return 200, "application/jose", self._running.acquirer.message(body).encode()
        except Problem as e:
            return e.status, "application/problem+json", e.title.encode()

    def close(self) -> None:
        pass


class Local:
    """A running acquirer in this process, on a copy of the template; `database_url` names an empty database."""

    def __init__(self, path: Path, database_url: str = ""):
        self.home = DataDir(default_template()).copy(path)
        self.home.config.database_url = database_url
        self.running = Running(self.home)
        if database_url:
            self.running.admin.add_merchant(DEMO_MID, "Demo")

    def terminal(self) -> Terminal:
        tid = str(next(_tids))
        self.running.admin.add_terminal(DEMO_MID, tid)
        terminal = Terminal(0, self.home.ca.der, self.home.trust, serial=f"SIM-{tid}")
        terminal.https = Direct(self.running)
        terminal.install(self.running.office.issue(TECHNICIAN, tid, terminal.key_request()).ticket)
        return terminal

    def restart(self) -> None:
        """As after a power cut: what was in memory is gone."""
        self.running.close()
        self.running = Running(self.home)


@contextmanager
def local_acquirer(database_url: str = "") -> Iterator[Local]:
    with tempfile.TemporaryDirectory(prefix="microtill-acquirer-") as path:
        local = Local(Path(path), database_url)
        try:
            yield local
        finally:
            local.running.close()
