"""The TLS connection to the acquirer: made and proven while the terminal is idle, kept open, remade after outages."""

import asyncio
import errno
import socket

import tls
from micropython import const

from till.core.errors import AnswerError, LinkError
from till.services import http

ANSWER_MAX = const(4096)

_CONNECT_MS = const(8000)
_JOSE = "application/jose"


class ClosedEarly(LinkError):
    """The kept connection ended before the first byte of the answer: the same bytes may go once more."""

    key = "reason.closed"


def split_url(url: str) -> tuple:
    """`(name, port)` of an `https://name[:port]` URL without a path."""
    rest = url[8:]
    if url[:8] != "https://" or "/" in rest:
        raise LinkError("url", key="reason.malformed")
    name, _, port = rest.partition(":")
    return name, int(port) if port else 443


def reason_of(error: Exception) -> str:
    """Catalogue key of what went wrong with a connection, for the person in front of the terminal."""
    if isinstance(error, LinkError):
        return error.key
    if isinstance(error, asyncio.TimeoutError):
        return "reason.timeout"
    text = str(error)
    if isinstance(error, ValueError):  # mbedtls_x509_crt_verify_info, in words
        if "not match" in text:
            return "reason.tls_name"
        if "expired" in text:
            return "reason.tls_expired"
        if "future" in text:
            return "reason.tls_not_yet"
        return "reason.tls_ca"
    code = error.args[0] if error.args else 0
    if not isinstance(code, int):
        return "reason.link"
    if code == -202:  # lwIP EAI_FAIL
        return "reason.name_not_found"
    if code == errno.ECONNREFUSED:
        return "reason.refused"
    if code in (errno.ECONNRESET, errno.ENOTCONN, errno.ECONNABORTED, 32):
        return "reason.closed"
    if code in (errno.EHOSTUNREACH, 101, errno.ETIMEDOUT):
        return "reason.timeout"
    return "reason.tls" if code < -1000 else "reason.link"


class Link:
    """One connection to `https://name:port` over `wifi`, verified against the pinned authorities (DER, 1–3).

    `exchange` sends one body and returns the answer's body. Every failure is a LinkError whose key is the reason
    on the screen, and leaves the link closed: nothing half-read is ever taken for the next answer.
    """

    def __init__(self, url: str, authorities, wifi, answer_max: int = ANSWER_MAX):
        self.name, self.port = split_url(url)
        self._host = "%s:%d" % (self.name, self.port)
        self._authorities = authorities
        self._wifi = wifi
        self._answer = http.HttpAnswer(answer_max)
        self._address = None
        self._reader = None
        self._writer = None
        self._socket = None  # the plain socket until wrapped, then the TLS one
        self._lock = asyncio.Lock()
        self.reason = "reason.connecting"
        self.connected = False
        self.bytes_sent = 0
        self.bytes_received = 0

    @property
    def busy(self) -> bool:
        """Whether somebody waits for an answer."""
        return self._lock.locked()

    async def connect(self) -> None:
        """Open, and force the handshake with a ping, so that no later request pays for it."""
        async with self._lock:
            if not self.connected:
                await self._guard(self._open(), _CONNECT_MS)

    async def ping(self) -> None:
        """Keep the connection from being closed as idle; burns no key."""
        async with self._lock:
            await self._guard(self._ping(), _CONNECT_MS)

    async def exchange(self, body, timeout_ms: int, path: str = "/v1/messages") -> memoryview:
        """POST `body`; the answer's body, valid until the next call.

        On a kept connection that turns out to be closed before the first answer byte, the same bytes go once more
        on a new one.
        """
        message = http.request("POST", path, self._host, _JOSE, body)
        async with self._lock:
            kept = self.connected
            try:
                return await self._guard(self._post(message), timeout_ms)
            except ClosedEarly:
                if not kept:
                    raise
            return await self._guard(self._post(message), timeout_ms)

    def close(self) -> None:
        """Close and forget the connection; the address stays cached."""
        self.connected = False
        self._reader = None
        self._writer = None
        sock, self._socket = self._socket, None
        if sock is not None:
            try:
                sock.close()
            except OSError as e:
                self.reason = reason_of(e)  # the peer was gone already

    async def _guard(self, work, timeout_ms):
        try:
            result = await asyncio.wait_for_ms(work, timeout_ms)
            self.reason = ""
            return result
        except asyncio.CancelledError:
            self.close()
            raise
        except LinkError as e:
            self.close()
            self.reason = e.key
            raise
        except (OSError, ValueError, asyncio.TimeoutError) as e:
            self.close()
            self.reason = reason_of(e)
            self._address = None  # it may have moved
            raise LinkError(repr(e), key=self.reason)

    async def _open(self):
        self.close()
        if not self._wifi.connected:
            raise LinkError("no Wi-Fi", key=self._wifi.reason or "reason.no_wifi")
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)  # verifies, and needs the host's name
        for authority in self._authorities:
            context.load_verify_locations(authority)
        if self._address is None:
            self._address = socket.getaddrinfo(self.name, self.port, 0, socket.SOCK_STREAM)[0]
        address = self._address
        self._socket = socket.socket(address[0], address[1], address[2])
        self._socket.setblocking(False)
        try:
            self._socket.connect(address[-1])
        except OSError as e:
            if e.errno != errno.EINPROGRESS:
                raise
        self._socket = context.wrap_socket(self._socket, server_hostname=self.name, do_handshake_on_connect=False)
        await _writable(self._socket)  # pyright: ignore[reportGeneralTypeIssues]
        self._reader = asyncio.StreamReader(self._socket)
        self._writer = asyncio.StreamWriter(self._socket, {})
        # Only a read drives the handshake, and it is one long call into C: it happens here, while nobody waits.
        await self._send(http.request("GET", "/v1/ping", self._host, "", None))
        self._check_ping(await self._receive())
        self.connected = True

    async def _post(self, message):
        if not self.connected:
            await self._open()
        await self._send(message)
        answer = await self._receive()
        if answer.status != 200:
            raise AnswerError("status %d" % answer.status, key="reason.http_status")
        if answer.content_type != b"application/jose":
            raise AnswerError("content type", key="reason.malformed")
        return answer.body()

    async def _ping(self):
        if not self.connected:
            await self._open()
            return
        await self._send(http.request("GET", "/v1/ping", self._host, "", None))
        self._check_ping(await self._receive())

    def _check_ping(self, answer):
        if answer.status != 204:
            raise AnswerError("status %d" % answer.status, key="reason.http_status")

    async def _send(self, message):
        writer = self._writer
        assert writer
        try:
            writer.write(message)
            await writer.drain()
        except OSError as e:
            if reason_of(e) == "reason.closed":
                raise ClosedEarly(repr(e))
            raise
        self.bytes_sent += len(message)

    async def _receive(self):
        answer = self._answer
        reader = self._reader
        assert reader
        answer.start()
        while True:
            try:
                n = await reader.readinto(answer.space())
            except OSError as e:
                if answer.empty and reason_of(e) == "reason.closed":
                    raise ClosedEarly(repr(e))
                raise
            if n is None:  # half a TLS record
                continue
            if n == 0 and answer.empty:
                raise ClosedEarly("end of stream")
            self.bytes_received += n
            if answer.filled(n):
                break
        if not answer.keep_alive:
            self.connected = False
        return answer


def _writable(sock):
    """Awaitable: until a connecting socket is connected or has failed, as asyncio.open_connection waits."""
    yield asyncio.core._io_queue.queue_write(sock)  # pyright: ignore
