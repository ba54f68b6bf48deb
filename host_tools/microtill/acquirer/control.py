"""The child side of `process.AcquirerProcess`: serves, and obeys its owner over an inherited socket.

One JSON object a line each way: {"do": name, …arguments} and {"ok": result} or {"error": text}. The end of the
stream, which is the owner's end, ends the process.
"""

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from microtill.acquirer import passwords, pki
from microtill.acquirer.admin import LOCAL
from microtill.acquirer.database import DatabaseError
from microtill.acquirer.datadir import DataDir, DataDirError
from microtill.acquirer.faults import Faults
from microtill.acquirer.operators import Operators
from microtill.acquirer.server import Listener, Running, tls_context
from microtill.acquirer.work import WorkList

_LINE_MAX = 1 << 26


class Control:
    """The commands: every public method is one."""

    def __init__(self, running: Running, host: str, port: int):
        self._running = running
        self._context = tls_context(*running.home.server_paths)
        self._faults = Faults(running.app, lambda scope: self._listener.cut(scope))
        self._listener = Listener(self._faults, self._context, host, port)

    async def up(self) -> int:
        await self._listener.up()
        return self._listener.port

    async def down(self) -> None:
        await self._listener.down()

    async def plain_http(self, on: bool = True) -> None:
        await self._listener.down()
        self._listener.context = None if on else self._context
        await self._listener.up()

    async def certificate(self, kind: str = "good") -> None:
        """A new server certificate: good, or one of pki.WRONG_KINDS."""
        home = self._running.home
        names = home.config.hosts
        home.install(pki.issue(home.ca, names) if kind == "good" else pki.issue_wrong(kind, home.ca, names))
        await self._restart_tls()

    async def certificate_pem(self, certificate: str, key: str) -> None:
        self._running.home.install(pki.load(certificate.encode(), key.encode()))
        await self._restart_tls()

    async def _restart_tls(self) -> None:
        self._context = tls_context(*self._running.home.server_paths)
        was_up = self._listener.is_up
        await self._listener.down()
        self._listener.context = self._context
        if was_up:
            await self._listener.up()

    def fault(self, name: str, **options: Any) -> None:
        self._running.log.event("fault", fault=name)
        self._faults.set(name, **options)

    async def clear(self) -> None:
        self._faults.clear()
        self._running.issuer.delay_s = 0
        if self._listener.context is None:
            await self.plain_http(False)
        await self._listener.up()

    def acted(self) -> int:
        return self._faults.acted

    def issuer_delay(self, ms: float) -> None:
        self._running.issuer.delay_s = ms / 1000

    def clock_skew(self, seconds: int) -> None:
        self._running.home.config.clock_skew = seconds

    def account(self, pan: str, balance: int | None = None, rc: str | None = None) -> None:
        self._running.issuer.set_account(pan, balance, rc)

    def balance(self, pan: str) -> int | None:
        return self._running.issuer.balance(pan)

    def operator(self, name: str, role: str) -> dict[str, str]:
        """An account whose random password is cheap to check; what its owner is told."""
        operators = Operators(self._running.home, self._running.database, cost=passwords.CHEAP)
        return vars(operators.add(LOCAL, name, role))

    def session(self, name: str, role: str) -> str:
        """The token of a session, without signing in; the account is made when there is none."""
        if not any(account["name"] == name for account in self._running.operators.accounts()):
            self.operator(name, role)
        return self._running.operators.grant(name, client="in process").token

    def revoke_sessions(self, name: str) -> int:
        return self._running.operators.revoke_sessions(LOCAL, name)

    def disable(self, name: str) -> None:
        self._running.operators.disable(LOCAL, name)

    def code(self, tid: str, serial: str) -> str:
        return self._running.activation.issue(LOCAL, tid, serial).code

    def work(self, tid: str, kind: str, **values: Any) -> dict[str, Any]:
        return WorkList(self._running.database).add(LOCAL, tid, kind, **values)

    def outcomes(self, tid: str | None = None) -> list[dict[str, Any]]:
        return WorkList(self._running.database).outcomes(tid)

    def admin(self, what: str, *args: Any, **kwargs: Any) -> Any:
        if what.startswith("_"):
            raise AttributeError(what)
        return getattr(self._running.admin, what)(*args, **kwargs)

    def log_lines(self, since: int = 0) -> list[dict[str, Any]]:
        return list(self._running.log.lines)[since:]


async def _obey(control: Control, link: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=link, limit=_LINE_MAX)
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    while line := await reader.readline():
        request = json.loads(line)
        name, args = request.pop("do"), request.pop("args", [])
        try:
            if name.startswith("_"):
                raise AttributeError(name)
            result = getattr(control, name)(*args, **request)
            if asyncio.iscoroutine(result):
                result = await result
            answer: dict[str, Any] = {"ok": result}
        except Exception as e:  # noqa: BLE001 (told to the owner, who raises it)
            answer = {"error": f"{type(e).__name__}: {e}"}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()


def main(argv: list[str]) -> None:
    """`python -m microtill.acquirer.control DIR HOST PORT FD`."""
    home, host, port, descriptor = Path(argv[1]), argv[2], int(argv[3]), int(argv[4])
    # Ctrl-C at the terminal is for the owner, whose end ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        running = Running(DataDir(home))
    except (DataDirError, DatabaseError) as e:
        sys.exit(str(e))

    async def run() -> None:
        control = Control(running, host, port)
        try:
            await _obey(control, socket.socket(fileno=descriptor))
        finally:
            await control.down()

    try:
        asyncio.run(run())
    except asyncio.CancelledError:
        pass  # SIGTERM: an orderly end
    finally:
        running.close()


if __name__ == "__main__":
    main(sys.argv)
