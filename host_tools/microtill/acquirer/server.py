"""The acquirer at work: everything built from a data directory, and a TLS listener in front of it."""

import asyncio
import contextlib
import errno
import fcntl
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import uvicorn

from microtill.acquirer.activation import Activation
from microtill.acquirer.admin import Admin
from microtill.acquirer.api import Api
from microtill.acquirer.app import make_app
from microtill.acquirer.database import Database
from microtill.acquirer.datadir import DataDir, DataDirError
from microtill.acquirer.issuer import TestIssuer
from microtill.acquirer.log import Log
from microtill.acquirer.operators import Operators
from microtill.acquirer.service import Acquirer
from microtill.acquirer.tickets import TicketOffice

KEEP_ALIVE_S = 120


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer, with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key)
    return context


class Running:
    """The acquirer of `home`: locked against a second process, migrated, and recovered from its last stop."""

    def __init__(self, home: DataDir, stream: TextIO | None = None):
        """Raises DataDirError when another process has it, DatabaseError when its database cannot be used."""
        self.home = home
        self._lock = (home.path / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            self._lock.close()
            raise DataDirError(f"{home.path} is in use by another acquirer process") from e
        self.database = Database(home.database_url)
        self.database.migrate()
        self.log = Log(home.log_path, stream)
        self.issuer = TestIssuer(self.database, home.secrets)
        self.acquirer = Acquirer(home, self.database, self.issuer, self.log)
        self.acquirer.recover()
        self.admin = Admin(self.database)
        self.operators = Operators(home, self.database)
        self.office = TicketOffice(home, self.database, self.log)
        self.activation = Activation(self.database, home.secrets)
        self.app = make_app(self.acquirer, Api(self.database, self.operators, self.office, self.activation), self.log)

    def close(self) -> None:
        self.issuer.stop()
        self.database.close()
        self.log.close()
        self._lock.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The process has one place for signals (`serve`), whatever number of servers come and go.
        yield


class Listener:
    """HTTPS on one port that can be closed and opened again. `context` None serves plain HTTP."""

    def __init__(self, app: Any, context: ssl.SSLContext | None, host: str, port: int):
        self._app = app
        self.context = context
        self.host = host
        self.port = port
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        return self._server is not None

    async def up(self) -> None:
        """Listen; port 0 takes a free one and keeps it. Raises OSError when the port is taken."""
        if self._server:
            return
        # With the protocol named: asyncio switches Nagle's algorithm off only on sockets that say they are TCP.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((self.host, self.port))
        except OSError:
            listening.close()
            raise
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        config.load()
        config.ssl = self.context
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve([listening]))
        while not self._server.started:
            if self._task.done():
                await self._task
            await asyncio.sleep(0.002)

    async def down(self) -> None:
        """Stop listening and close every connection at once."""
        server, task, self._server, self._task = self._server, self._task, None, None
        if server is None or task is None:
            return
        server.force_exit = server.should_exit = True
        for listening in server.servers:
            listening.close()
        for connection in list(server.server_state.connections):
            _abort(connection)
        await task

    def cut(self, scope: Any) -> None:
        """Close the connection that a request came on, at once."""
        if self._server is None:
            return
        for connection in list(self._server.server_state.connections):
            if tuple(getattr(connection, "client", None) or ()) == tuple(scope["client"] or ()):
                _abort(connection)


def _abort(connection: Any) -> None:
    if connection.transport is not None:
        connection.transport.abort()


async def serve(
    running: Running,
    host: str,
    port: int,
    ready: Callable[[Listener], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. Raises DataDirError when the port is taken."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    listener = Listener(running.app, tls_context(*running.home.server_paths), host, port)
    try:
        await listener.up()
    except OSError as e:
        what = "is taken" if e.errno == errno.EADDRINUSE else f"cannot be opened ({e.strerror})"
        raise DataDirError(f"port {port} on {host} {what}") from e
    running.log.event("listening", port=listener.port)
    _log_head(running)
    if ready:
        ready(listener)
    await stopped.wait()
    await listener.down()
    _log_head(running)
    running.log.event("stopped")


def _log_head(running: Running) -> None:
    """The audit log's head, where whoever rewrites the database does not reach it."""
    n, chain = running.admin.audit_head()
    running.log.event("audit", n=n, head=chain)
