"""What the terminal's Wi-Fi reaches: one listening socket a destination, and both ways octets that stop with the link.

While nothing gets through, a relay reads and forwards nothing and closes nothing: each side sees silence, as on a lost
radio link. What waits goes on when the link is back.
"""

import contextlib
import selectors
import socket
import struct
from collections.abc import Callable

_MOST = 1 << 16
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


class _Way:
    """One direction of a connection."""

    def __init__(self, source: socket.socket, sink: socket.socket):
        self.source = source
        self.sink = sink
        self.waiting = bytearray()
        self.ended = False  # the source has no more
        self.closed = False  # and the sink was told


class _Connection:
    """Terminal and destination, once joined."""

    def __init__(self, relay: "Relay", terminal: socket.socket, far: socket.socket):
        self.relay = relay
        self.terminal = terminal
        self.far = far
        self.out = _Way(terminal, far)
        self.back = _Way(far, terminal)
        self.joined = False


class Relay:
    """`name:port` as the terminal resolves it; `port` is where it really connects."""

    def __init__(self, network: "Network", name: str, target: tuple[str, int]):
        self.network = network
        self.name = name
        self.target = target
        self.port = 0
        self.connections: list[_Connection] = []
        self.opened = 0
        self.sent = 0
        self.received = 0
        self._listener: socket.socket | None = None
        self.listen()

    def listen(self) -> None:
        """Take connections, on the port as before if it is still free."""
        if self._listener:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", self.port))
        except OSError:
            listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self.network.watch(listener, selectors.EVENT_READ, self._accept)

    def refuse(self) -> None:
        """No route: a connect fails at once."""
        if self._listener:
            self.network.unwatch(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, _mask: int) -> None:
        assert self._listener
        if not self.network.carries:
            # The handshake was the kernel's: the terminal believes in it, and hears nothing. Look again with the link.
            self.network.unwatch(self._listener)
            return
        try:
            terminal, _ = self._listener.accept()
        except BlockingIOError:
            return
        far = socket.socket()
        for end in (terminal, far):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(BlockingIOError):
            far.connect(self.target)
        connection = _Connection(self, terminal, far)
        self.connections.append(connection)
        self.opened += 1
        self.refresh(connection)

    def link_changed(self) -> None:
        if self._listener and self.network.carries:
            self.network.watch(self._listener, selectors.EVENT_READ, self._accept)
        for connection in list(self.connections):
            self.refresh(connection)

    def refresh(self, connection: _Connection) -> None:
        """Watch what can move now, and nothing else."""
        carries = self.network.carries
        for end, reads, writes in (
            (connection.terminal, connection.out, connection.back),
            (connection.far, connection.back, connection.out),
        ):
            mask = 0
            if carries:
                if connection.joined and not reads.ended and len(reads.waiting) < _MOST:
                    mask |= selectors.EVENT_READ
                if writes.waiting or (end is connection.far and not connection.joined):
                    mask |= selectors.EVENT_WRITE
            self.network.watch(end, mask, lambda got, c=connection, e=end: self._move(c, e, got))

    def _move(self, connection: _Connection, end: socket.socket, mask: int) -> None:
        try:
            if end is connection.far and not connection.joined:
                error = end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, "connect")
                connection.joined = True
            if mask & selectors.EVENT_READ:
                way = connection.out if end is connection.terminal else connection.back
                data = end.recv(_MOST)
                if data:
                    way.waiting += data
                    if way is connection.out:
                        self.sent += len(data)
                    else:
                        self.received += len(data)
                else:
                    way.ended = True
            for way in (connection.out, connection.back):
                self._push(way)
        except BlockingIOError:
            pass
        except OSError:
            self.drop(connection)
            return
        if connection.out.closed and connection.back.closed:
            self.drop(connection, reset=False)
            return
        self.refresh(connection)

    def _push(self, way: _Way) -> None:
        with contextlib.suppress(BlockingIOError):
            while way.waiting:
                del way.waiting[: way.sink.send(way.waiting)]
        if way.ended and not way.waiting and not way.closed:
            way.closed = True
            with contextlib.suppress(OSError):
                way.sink.shutdown(socket.SHUT_WR)

    def drop(self, connection: _Connection, reset: bool = True) -> None:
        """Close both ends, with RST unless both have said goodbye."""
        self.connections.remove(connection)
        for end in (connection.terminal, connection.far):
            self.network.unwatch(end)
            if reset:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.close()

    def forget_terminal(self) -> None:
        """The terminal lost its power or its address: it never speaks again here, and the far side hears nothing."""
        for connection in list(self.connections):
            self.connections.remove(connection)
            self.network.unwatch(connection.terminal)
            self.network.unwatch(connection.far)
            with contextlib.suppress(OSError):
                connection.terminal.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            connection.terminal.close()
            self.network.abandoned.append(connection.far)


class Network:
    """The relays. `watch(socket, mask, call)` is the loop's; mask 0 means not now."""

    ABANDONED = 32  # far ends of dead terminals kept open: the oldest closes first

    def __init__(self, hosts: dict[str, tuple[str, int]], watch: Callable, unwatch: Callable):
        self.hosts = dict(hosts)
        self.watch = watch
        self.unwatch = unwatch
        self.carries = False
        self.abandoned: list[socket.socket] = []
        self._relays: dict[str, Relay] = {}

    def resolve(self, destination: str) -> int | None:
        """Local port of the relay to `name:port`; None when nobody knows it."""
        target = self.hosts.get(destination)
        if target is None:
            return None
        relay = self._relays.get(destination)
        if relay is None:
            relay = self._relays[destination] = Relay(self, destination, target)
        relay.target = target
        return relay.port

    def link_changed(self, connected: bool, carries: bool) -> None:
        """`connected`: the station believes so; `carries`: octets get through."""
        self.carries = carries
        for relay in self._relays.values():
            if connected:
                relay.listen()
            else:
                relay.refuse()
            relay.link_changed()

    def forget_terminal(self) -> None:
        for relay in self._relays.values():
            relay.forget_terminal()
        while len(self.abandoned) > self.ABANDONED:
            self.abandoned.pop(0).close()

    def drop_all(self) -> None:
        """Every connection is reset, as by a middlebox."""
        for relay in self._relays.values():
            for connection in list(relay.connections):
                relay.drop(connection)

    def counters(self) -> dict[str, dict[str, int]]:
        return {
            f"net {name}": {
                "connections": relay.opened,
                "open": len(relay.connections),
                "sent": relay.sent,
                "received": relay.received,
            }
            for name, relay in self._relays.items()
        }

    def close(self) -> None:
        for relay in self._relays.values():
            relay.refuse()
            for connection in list(relay.connections):
                relay.drop(connection)
        for far in self.abandoned:
            far.close()
