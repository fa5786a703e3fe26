"""Owns the HTTP side of the GitHub emulator: connections, who asks, and which endpoint answers."""

from __future__ import annotations

import json
import socket
import sys
import time
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import github_check_runs
import github_comments
import github_objects
import github_pulls
from github_model import Call, Refused, Reply, Token, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "/api/v3"
# The first that fits answers, so the one for `commits/REF`, with slashes, comes last.
_ROUTES = (
    *github_pulls.ROUTES,
    *github_comments.ROUTES,
    *github_check_runs.ROUTES,
    *github_objects.ROUTES,
)
_WHOLE = 15_000


def parsed(body: bytes) -> Any:
    """Return a body's JSON, or None."""
    with suppress(ValueError):
        return json.loads(body)
    return None


def answer_api(
    world: World, url: str, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Reply:
    """Answer a request of the REST API; the target has no prefix."""
    path, _, query = target.partition("?")
    path = unquote(path)
    try:
        token = _token(world, headers)
        _spend(world)
        if path == "/user":
            reply = _me(world, token)
        elif path.startswith("/users/"):
            reply = _user(world, path.removeprefix("/users/"))
        elif path == "/rate_limit":
            core = {"limit": _WHOLE, "remaining": world.budget, "reset": int(time.time()) + 60}
            reply = Reply(data={"resources": {"core": core}, "rate": core})
        else:
            call = Call(
                world=world,
                token=token or Token(login="", permissions={}, app=None),
                method=method,
                path=path,
                query=dict(parse_qsl(query)),
                body=_object(method, body),
                api_url=url + PREFIX,
                server_url=url,
            )
            world.sync()
            reply = _route(call, is_known=token is not None)
            if method != "GET":
                world.sync()
    except Refused as refused:
        reply = refused.reply
    limits = {
        "X-RateLimit-Limit": str(_WHOLE),
        "X-RateLimit-Remaining": str(max(world.budget, 0)),
        "X-RateLimit-Reset": str(int(time.time()) + 60),
    }
    return replace(reply, headers={**limits, **reply.headers})


def _token(world: World, headers: Mapping[str, str]) -> Token | None:
    if not headers.get("user-agent"):
        raise Refused(403, "Request forbidden by administrative rules. No User-Agent header.")
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if not scheme:
        return None
    if scheme.lower() not in {"token", "bearer"} or secret not in world.tokens:
        raise Refused(401, "Bad credentials")
    return world.tokens[secret]


def _spend(world: World) -> None:
    world.budget -= 1
    if world.budget < 0:
        raise Refused(403, "API rate limit exceeded for installation ID 1.")


def _me(world: World, token: Token | None) -> Reply:
    if token is None:
        raise Refused(401, "Requires authentication")
    if token.app is not None:
        raise Refused(403, "Resource not accessible by integration")
    return Reply(data=world.account(token.login))


def _user(world: World, login: str) -> Reply:
    if login not in world.users:
        raise Refused(404, "Not Found")
    return Reply(data=world.account(login))


def _object(method: str, body: bytes) -> dict[str, Any]:
    if not body or method == "GET":
        return {}
    data = parsed(body)
    if not isinstance(data, dict):
        raise Refused(400, "Problems parsing JSON")
    return data


def _route(call: Call, *, is_known: bool) -> Reply:
    start = f"/repos/{call.world.name}"
    rest = call.path.removeprefix(start)
    if rest == call.path:
        raise Refused(404, "Not Found")
    for found in _ROUTES:
        match = found.path.fullmatch(rest)
        if found.method != call.method or match is None:
            continue
        is_read = found.needs.endswith(":read")
        if not is_known and (call.world.is_private or not is_read):
            raise Refused(404 if call.world.is_private else 401, "Not Found")
        if not call.token.may(found.needs) and (call.world.is_private or not is_read):
            kind = "personal access token" if call.token.app is None else "integration"
            raise Refused(403, f"Resource not accessible by {kind}")
        return found.answer(call, *match.groups())
    raise Refused(404, "Not Found")


class HttpFront(ThreadingHTTPServer):
    """Listens, and hands each request to a function."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(
        self, port: int, handle: Callable[[str, str, Mapping[str, str], bytes], Reply]
    ) -> None:
        self.handle_one = handle
        self.broken: list[BaseException] = []
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, and remember it until it ends."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End all connections, whatever their clients still want."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what broke; a client that went away is no error."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self.broken.append(error)


class _Handler(BaseHTTPRequestHandler):
    server: HttpFront
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.handle_one(self.command, self.path, headers, self._body())
        if reply.is_dropped:
            self.close_connection = True
            return
        self._send(reply)

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _send(self, reply: Reply) -> None:
        headers = dict(reply.headers)
        data = reply.data
        if not isinstance(data, bytes):
            headers.setdefault("Content-Type", "application/json; charset=utf-8")
            data = b"" if data is None else json.dumps(data).encode()
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Say nothing."""
