"""Small HTTP servers on loopback that answer, misbehave and tunnel to order, and tell what came."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import threading
from dataclasses import dataclass, field
from enum import Enum, auto
from socketserver import BaseRequestHandler, TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

_LONGEST_WAIT = 10.0
_PIECE = 1 << 20


class Then(Enum):
    """What a server does with the connection once its answer is sent."""

    KEEP = auto()
    CLOSE = auto()
    HANG = auto()
    TUNNEL = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One request as it arrived."""

    line: str
    headers: dict[str, str]
    """The names in lower case."""
    names: list[str]
    """The names of all headers, so that a doubled one shows."""
    body: bytes
    connection: int
    """The number of the connection, from 1 on."""
    came_at_once: bool
    """Whether the first read brought all of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes to send, and what follows."""

    data: bytes = b""
    then: Then = Then.KEEP


def ok(body: bytes = b"fine", *headers: str, then: Then = Then.KEEP) -> Answer:
    """Answer well, with the body's length."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers]
    return Answer("\r\n".join([*lines, "", ""]).encode() + body, then)


def in_chunks(*chunks: bytes) -> Answer:
    """Answer well, with a chunked body."""
    sent = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return Answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + sent)


@dataclass(slots=True)
class HttpServer:
    """A server on loopback; use it as a context manager.

    Args:
        answer: what to do with a request.
        host: the address to listen on.
        tls: the context that wraps each connection.
    """

    answer: Callable[[Arrived], Answer] = field(default=lambda _: ok())
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    arrived: list[Arrived] = field(default_factory=list, init=False)
    connections: int = field(default=0, init=False)
    ended: int = field(default=0, init=False)
    """How many connections have been closed on this side."""
    _open: set[socket.socket] = field(default_factory=set, init=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False)
    _closing: threading.Event = field(default_factory=threading.Event, init=False)
    _server: _Server = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        """Start to listen."""
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, whatever is still waiting, and raise what `answer` raised."""
        self._closing.set()
        self._server.shutdown()
        with self._changed:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()
        if kind is None and self._server.broken:
            raise self._server.broken[0]

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    @property
    def authority(self) -> str:
        """The host and the port, as an address has them."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{name}:{self.port}"

    @property
    def url(self) -> str:
        """The base address."""
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    def wait_until(self, holds: Callable[[HttpServer], bool]) -> None:
        """Wait for a number to be reached."""
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self), _LONGEST_WAIT)

    def serve(self, connection: socket.socket) -> None:
        """Serve one connection until one side ends it."""
        with self._changed:
            self.connections += 1
            number = self.connections
            self._open.add(connection)
        # Else the answer behind a TLS handshake waits for a delayed acknowledgement.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
                with self._changed:
                    self._open.add(connection)
            while (request := _receive(connection, number)) is not None:
                with self._changed:
                    self.arrived.append(request)
                    self._changed.notify_all()
                if not self._carry_out(self.answer(request), request, connection):
                    break
        finally:
            connection.close()
            with self._changed:
                self._open.discard(connection)
                self.ended += 1
                self._changed.notify_all()

    def _carry_out(self, answer: Answer, request: Arrived, connection: socket.socket) -> bool:
        connection.sendall(answer.data)
        match answer.then:
            case Then.HANG:
                while not self._closing.is_set() and not _readable(connection):
                    pass
            case Then.TUNNEL:
                host, _, port = request.line.split()[1].rpartition(":")
                with socket.create_connection((host, int(port)), _LONGEST_WAIT) as origin:
                    self._tunnel(connection, origin)
        return answer.then is Then.KEEP

    def _tunnel(self, client: socket.socket, origin: socket.socket) -> None:
        others = {client: origin, origin: client}
        while not self._closing.is_set():
            for source in _readable(client, origin):
                data = source.recv(_PIECE)
                if not data:
                    return
                others[source].sendall(data)


def _readable(*connections: socket.socket) -> list[socket.socket]:
    return select.select(connections, [], [], 0.01)[0]


def _receive(connection: socket.socket, number: int) -> Arrived | None:
    """Read one request; None when the client has ended the connection."""
    data = first = connection.recv(_PIECE)
    while b"\r\n\r\n" not in data:
        more = connection.recv(_PIECE) if data else b""
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    pairs = [(name.lower(), value) for name, _, value in (text.partition(": ") for text in lines)]
    headers = dict(pairs)
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        more = connection.recv(_PIECE)
        if not more:
            return None
        body += more
    return Arrived(
        line=line,
        headers=headers,
        names=[name for name, _ in pairs],
        body=body,
        connection=number,
        came_at_once=len(first) == len(head) + 4 + length,
    )


class _Handler(BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.server.owner.serve(self.request)


class _Server(ThreadingMixIn, TCPServer):
    request_queue_size = 256
    daemon_threads = False

    def __init__(self, owner: HttpServer) -> None:
        self.owner = owner
        self.broken: list[BaseException] = []
        self.address_family = socket.AF_INET6 if ":" in owner.host else socket.AF_INET
        super().__init__((owner.host, 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what `answer` raised for the test; a client that went away is no error."""
        del request, client_address
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self.broken.append(error)
