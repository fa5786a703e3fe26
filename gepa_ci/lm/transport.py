"""Owns the HTTP connections to providers: kept alive, and with few system calls a request.

Every system call of a thread gives Python's lock away, and with hundreds of calls in flight most of
the time goes into getting it back. So a request is one write, waits are bounded by the kernel where
it can do that, and the environment's proxies are looked up once and not for every request.
"""

from __future__ import annotations

import http.client
import io
import select
import socket
import struct
import sys
import threading
from collections import deque
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from gepa_ci.lm.http_request import PORTS, Route, configuration_error, message_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from gepa_ci.lm.http_request import Request

_CONNECT_TIMEOUT = 10.0
_CHUNK = 65536
# http.client lets a ValueError through, for a chunk of less than no bytes.
_BROKEN = (OSError, http.client.HTTPException, ValueError)


class Transport:
    """A pool of connections behind lm15's providers; safe to use from many threads.

    There is no second attempt in here, not even over a connection that turned out to be closed: the
    provider may have done the work of the first one, and the caller counts requests.
    """

    def __init__(self, *, timeout: float) -> None:
        """Bound the wait for the next byte by `timeout` seconds; nothing is opened yet."""
        self._timeout = timeout
        self._proxies = getproxies()
        self._routes: dict[tuple[str, str], Route] = {}
        self._idle: dict[Route, deque[socket.socket]] = {}
        self._open: set[socket.socket] = set()
        self._tls: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._closed = False

    def stream(self, request: Request) -> Response:
        """Send a request and return the response, whose head has been read.

        Raises:
            lm15.TransportError: no connection, no answer in time, or not an HTTP answer.
            lm15.ConfigurationError: the request or the proxy cannot be used at all.
        """
        if self._closed:
            raise _transport_error("the connections have been closed")
        try:
            url = urlsplit(request.url)
        except ValueError as error:
            raise configuration_error("the model's address is not a URL") from error
        route = self._routes.get((url.scheme, url.netloc)) or self._route(url)
        message = message_of(request, url, route)
        connection = self._checkout(route) or self._connect(route)
        try:
            connection.sendall(message)
            answer = _read_head(connection, request.method)
        except BaseException as error:
            self._discard(connection)
            raise _failure(error, route) from error
        return Response(self, route, connection, answer)

    def close(self) -> None:
        """Close all connections, those in use included."""
        self._closed = True
        for connection in list(self._open):
            with suppress(OSError):
                # A thread that waits for an answer is woken by this, but not by a close.
                connection.shutdown(socket.SHUT_RDWR)
            self._discard(connection)

    def give_back(self, route: Route, connection: socket.socket, *, usable: bool) -> None:
        """Keep a connection for the next request, or close it."""
        if usable and not self._closed:
            self._idle.setdefault(route, deque()).append(connection)
        else:
            self._discard(connection)

    def _checkout(self, route: Route) -> socket.socket | None:
        idle = self._idle.get(route)
        while idle:
            try:
                # The last one in is the least likely to have been closed by the server.
                connection = idle.pop()
            except IndexError:
                return None
            if not _has_news(connection):
                return connection
            self._discard(connection)
        return None

    def _connect(self, route: Route) -> socket.socket:
        made: http.client.HTTPConnection
        at = (route.host, route.port)
        if route.proxy is not None and route.proxy.hostname is not None:
            at = (route.proxy.hostname, route.proxy.port or PORTS["http"])
        if route.is_tls:
            made = http.client.HTTPSConnection(
                *at, timeout=_CONNECT_TIMEOUT, context=self._tls_context()
            )
            if route.proxy is not None:
                made.set_tunnel(route.host, route.port, headers=route.credentials)
        else:
            made = http.client.HTTPConnection(*at, timeout=_CONNECT_TIMEOUT)
        try:
            made.connect()
        except (OSError, http.client.HTTPException) as error:
            made.close()
            raise _transport_error(f"cannot connect to {route.authority}: {error}") from error
        connection: socket.socket = made.sock
        _bound_waits(connection, self._timeout, is_tls=route.is_tls)
        self._open.add(connection)
        if self._closed:
            # It was opened while the others were closed, and nothing would end its waits.
            self._discard(connection)
            raise _transport_error("the connections have been closed")
        return connection

    def _discard(self, connection: socket.socket) -> None:
        self._open.discard(connection)
        connection.close()

    def _route(self, url: SplitResult) -> Route:
        try:
            scheme, host, port = url.scheme, _host(url), url.port
        except ValueError as error:
            shown = url.netloc.rpartition("@")[2]
            raise configuration_error(f"'{shown}' is not a host and a port") from error
        if scheme not in PORTS or not host:
            raise configuration_error(f"'{scheme}://{host}' is not an HTTP address")
        route = Route(
            scheme=scheme, host=host, port=port or PORTS[scheme], proxy=self._proxy(scheme, host)
        )
        self._routes[scheme, url.netloc] = route
        return route

    def _proxy(self, scheme: str, host: str) -> SplitResult | None:
        named = self._proxies.get(scheme) or self._proxies.get("all")
        if not named or proxy_bypass(host):
            return None
        wanted = "cannot be used: it is not http://HOST:PORT"
        try:
            proxy = urlsplit(named if "://" in named else f"http://{named}")
            at, _ = _host(proxy), proxy.port
        except ValueError:
            # The error would repeat what stands where a port should: part of a password, say.
            raise configuration_error(f"the environment's proxy {wanted}") from None
        if proxy.scheme != "http" or not at:
            raise configuration_error(f"the proxy '{proxy.scheme}://{at}' {wanted}")
        return proxy

    def _tls_context(self) -> ssl.SSLContext:
        import ssl

        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
            return self._tls


class Response:
    """A response as lm15's providers read it; its connection is reused once it is read."""

    http_version = "HTTP/1.1"

    def __init__(
        self,
        transport: Transport,
        route: Route,
        connection: socket.socket,
        answer: http.client.HTTPResponse,
    ) -> None:
        """Take over the connection until the response is closed."""
        self.status = answer.status
        self.reason = answer.reason
        self.headers = answer.getheaders()
        self._transport = transport
        self._route = route
        self._connection: socket.socket | None = connection
        self._answer = answer
        self._is_broken = False

    def read(self) -> bytes:
        """Return the body."""
        try:
            return self._answer.read()
        except _BROKEN as error:
            self._is_broken = True
            raise _failure(error, self._route) from error

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body as it arrives."""
        try:
            while chunk := self._answer.read1(_CHUNK):
                yield chunk
        except _BROKEN as error:
            self._is_broken = True
            raise _failure(error, self._route) from error
        if self._answer.length:
            raise _transport_error(f"{self._route.authority} closed the connection in its answer")

    def close(self) -> None:
        """Give the connection back; one whose answer was not read to its end is closed."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        is_read = self._answer.isclosed() or self._answer.length == 0
        usable = is_read and not self._is_broken and not self._answer.will_close
        self._answer.close()
        self._transport.give_back(self._route, connection, usable=usable)

    def __enter__(self) -> Self:
        """Return the response."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the connection back."""
        self.close()


class _Readable(io.RawIOBase):
    """A socket as http.client reads it: a wait that the kernel ended is a time-out, not an end."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, _CHUNK)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            return self._connection.recv_into(buffer)
        except BlockingIOError as error:
            raise TimeoutError("timed out") from error


def _read_head(connection: socket.socket, method: str) -> http.client.HTTPResponse:
    answer = http.client.HTTPResponse(_Readable(connection), method=method)  # type: ignore[arg-type]
    answer.begin()
    if answer.status < HTTPStatus.OK:
        # The real answer is still to come, and would be taken for that of the next request.
        raise http.client.HTTPException(f"status {answer.status} is not an answer")
    return answer


def _host(url: SplitResult) -> str:
    """Return the host as it goes over the wire; a ValueError for one that cannot."""
    host = url.hostname or ""
    if " " in host or not host.isprintable():
        raise ValueError("a host holds a blank")
    return host.encode("idna").decode()


def _bound_waits(connection: socket.socket, seconds: float, *, is_tls: bool) -> None:
    # A time-out of Python's is a poll before each read and write. TLS would not see the kernel's.
    if is_tls or sys.platform == "win32":
        connection.settimeout(seconds)
        return
    connection.settimeout(None)
    limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def _has_news(connection: socket.socket) -> bool:
    """Return whether an idle connection has something to read, which is that it was closed."""
    try:
        if sys.platform == "win32":
            return bool(select.select([connection], [], [], 0)[0])
        poll = select.poll()  # select.select refuses descriptors over 1,023
        poll.register(connection, select.POLLIN)
        return bool(poll.poll(0))
    except ValueError:  # it was closed by this side, in another thread
        return True


def _failure(error: BaseException, route: Route) -> Any:
    if isinstance(error, TimeoutError | BlockingIOError):
        return _transport_error(f"the answer of {route.authority} timed out")
    if isinstance(error, _BROKEN):
        said = str(error) or type(error).__name__
        return _transport_error(f"the connection to {route.authority} failed: {said}")
    return error


def _transport_error(reason: str) -> Any:
    from lm15 import TransportError

    return TransportError(reason)
