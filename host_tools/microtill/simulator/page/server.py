"""HTTP and WebSocket for the pages, on the loopback interface only.

Other sites that the person has open are kept out: every request must name this server in `Host` (against DNS
rebinding), and a WebSocket must come from its own page (`Origin`). Requests from pages are checked by `messages`.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from microtill.simulator.page.messages import LONGEST, Unknown, parse
from microtill.simulator.page.session import Page, Session

HOST = "127.0.0.1"
STATIC = Path(__file__).with_name("static")

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}

log = logging.getLogger(__name__)


class OwnPagesOnly:
    """Refuses what does not come from a page of this server at one of `names` (`127.0.0.1:8080`)."""

    def __init__(self, app: ASGIApp, names: frozenset[str]):
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        own = host in self._names
        if scope["type"] == "websocket":
            own = own and headers.get("origin") == f"http://{host}"
        if own:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            log.warning("a page from %.80s was refused", headers.get("origin", "nowhere"))
            await send({"type": "websocket.close", "code": 1008})
        else:
            log.warning("a request for host %.80s was refused", host or "nowhere")
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"Open the address that `microtill run` printed.\n"})


def _with_headers(send: Send) -> Send:
    added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return wrapped


def make_app(session: Session, port: int) -> ASGIApp:
    """The ASGI application at `port`."""

    async def page(websocket: WebSocket) -> None:
        await websocket.accept()
        opened = session.open()
        sender = asyncio.create_task(_send(websocket, opened))
        try:
            while True:
                message = await websocket.receive()
                if message["type"] == "websocket.disconnect":
                    break
                _handle(session, opened, message.get("text"))
        finally:
            session.close(opened)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender

    app = Starlette(
        routes=[
            WebSocketRoute("/terminal", page),
            Mount("/", StaticFiles(directory=STATIC, html=True)),
        ]
    )
    return OwnPagesOnly(app, frozenset((f"{HOST}:{port}", f"localhost:{port}")))


def _handle(session: Session, page: Page, text: str | None) -> None:
    try:
        if text is None:
            raise Unknown("octets, not text")
        session.ask(parse(text), page)
    except Unknown as e:
        log.warning("a page's message was ignored: %s", e)


async def _send(websocket: WebSocket, page: Page) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # closed meanwhile: the receiving side knows
        while True:
            for message in await page.next():
                if isinstance(message, str):
                    await websocket.send_text(message)
                else:
                    await websocket.send_bytes(message)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]):
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # whoever calls `serve` cancels it


def listen(port: int = 0) -> socket.socket:
    """A listening socket on the loopback interface; 0 takes a free port. Raises OSError when the port is taken."""
    # With the protocol named: asyncio switches Nagle's algorithm off only on sockets that say they are TCP.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError:
        listening.close()
        raise
    return listening


async def serve(session: Session, listening: socket.socket, ready: Callable[[str], None] = lambda url: None) -> None:
    """Serve the pages of `session`, and run it, until cancelled. `ready(url)` once pages can be opened."""
    port = listening.getsockname()[1]
    config = uvicorn.Config(
        make_app(session, port),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        ws_max_size=4 * LONGEST,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config, lambda: ready(f"http://{HOST}:{port}/"))
    serving = asyncio.create_task(server.serve([listening]))
    living = asyncio.create_task(session.run())
    try:
        # The session may end (its bench has); the pages that show why are served on.
        await asyncio.shield(serving)
    finally:
        living.cancel()
        server.should_exit = server.force_exit = True
        for task in (living, serving):
            with contextlib.suppress(asyncio.CancelledError):
                await task
