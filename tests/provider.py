"""A stand-in for an LM provider: an OpenAI-compatible server on loopback that fails to order."""

from __future__ import annotations

import contextlib
import email.utils
import json
import random
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing the socket sends RST in place of FIN."""

CHAT_PATHS = ("/v1/chat/completions", "/chat/completions")
MODEL_PATHS = ("/v1/models", "/models")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One chat request as it arrived."""

    number: int
    """Its place in the order of arrival, from 1."""
    path: str
    headers: Mapping[str, str]
    """Names are in lower case."""
    raw: bytes
    """The exact bytes of the body."""
    body: dict[str, Any]

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return str(self.body.get("model", ""))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages, as they were sent."""
        messages: list[dict[str, Any]] = self.body.get("messages", [])
        return messages

    @property
    def text(self) -> str:
        """The text of all messages, joined by line ends."""
        return "\n".join(text_of(message) for message in self.messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer."""

    content: str | None
    finish_reason: str = "stop"
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to misbehave; the default behaves."""

    latency: float = 0.0
    """Seconds before the reply; all matching faults add up."""
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    """What is sent with the status, exactly."""
    reset: bool = False
    hang: bool = False
    change: Callable[[Reply], Reply] | None = None
    """Replaces the good reply by another one that is sent with status 200."""

    @property
    def decides(self) -> bool:
        """Whether it replaces the good reply; of several, the first that matches does."""
        return bool(self.status or self.reset or self.hang or self.change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The tokens that were reported to the client, in all."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


Predicate = Callable[[Request], bool]


def text_of(message: Mapping[str, Any]) -> str:
    """Read the text of one message, whether it is a string or a list of parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content)


def count_tokens(text: str) -> int:
    """Count tokens as this provider does: words between blanks."""
    return len(text.split())


def always(_request: Request) -> bool:
    """Match every request."""
    return True


def every(n: int) -> Predicate:
    """Match every n-th request in the order of arrival."""
    return lambda request: request.number % n == 0


def at(*numbers: int) -> Predicate:
    """Match the requests with these numbers."""
    return lambda request: request.number in numbers


def after(number: int) -> Predicate:
    """Match all requests that arrive later than this number."""
    return lambda request: request.number > number


def share(part: float, seed: int) -> Predicate:
    """Match a share of the requests, drawn from the seed and the request's number only."""
    return lambda request: random.Random(f"{seed}:{request.number}").random() < part


def error_body(message: str, kind: str, code: str | None) -> bytes:
    """Write an error as OpenAI's API does."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return json.dumps({"error": error}).encode()


def rate_limited(retry_after: float | str | None = None) -> Fault:
    """Answer 429; Retry-After is a number of seconds, a ready header value or absent."""
    value = f"{retry_after:g}" if isinstance(retry_after, (int, float)) else retry_after
    return Fault(
        status=429,
        headers=(("Retry-After", value),) if value is not None else (),
        body=error_body("Rate limit reached for requests", "requests", "rate_limit_exceeded"),
    )


def http_date(seconds_from_now: float) -> str:
    """Write a moment as Retry-After's other form; whole seconds, so it is rounded down."""
    return email.utils.formatdate(time.time() + seconds_from_now, usegmt=True)


def server_error(status: int = 500) -> Fault:
    """Answer with a 5xx."""
    return Fault(status=status, body=error_body("The server had an error", "server_error", None))


def reset() -> Fault:
    """Read the request, then break the connection with RST."""
    return Fault(reset=True)


def hang() -> Fault:
    """Never answer: not before the client gives up or the provider is closed."""
    return Fault(hang=True)


def slow(seconds: float) -> Fault:
    """Answer late."""
    return Fault(latency=seconds)


def unauthorized() -> Fault:
    """Answer 401, as for a wrong key."""
    message = "Incorrect API key provided. You can find your API key at the provider's site."
    return Fault(status=401, body=error_body(message, "invalid_request_error", "invalid_api_key"))


def forbidden() -> Fault:
    """Answer 403, as for a project that may not use the model."""
    message = "Project does not have access to this model"
    return Fault(status=403, body=error_body(message, "invalid_request_error", "model_not_found"))


def unknown_model(name: str = "gpt-nope") -> Fault:
    """Answer 404, as for a model that does not exist."""
    message = f"The model `{name}` does not exist or you do not have access to it."
    return Fault(status=404, body=error_body(message, "invalid_request_error", "model_not_found"))


def insufficient_quota(status: int = 429) -> Fault:
    """Answer that the account has no money left: 429 at OpenAI, 402 elsewhere."""
    message = "You exceeded your current quota, please check your plan and billing details."
    return Fault(
        status=status, body=error_body(message, "insufficient_quota", "insufficient_quota")
    )


def context_length_exceeded() -> Fault:
    """Answer 400, as for messages longer than the model's context."""
    message = "This model's maximum context length is 8192 tokens. Please reduce the messages."
    kind = "invalid_request_error"
    return Fault(status=400, body=error_body(message, kind, "context_length_exceeded"))


def malformed() -> Fault:
    """Answer 200 with a body that stops in the middle of its JSON."""
    return Fault(status=200, body=b'{"id": "chatcmpl-1", "choices": [{"mess')


def content_filter() -> Fault:
    """Answer without text, because a content filter took it away."""
    return Fault(change=lambda reply: replace(reply, content=None, finish_reason="content_filter"))


def refusal(text: str = "I'm sorry, I can't help with that.") -> Fault:
    """Answer with the refusal field in place of text."""
    return Fault(change=lambda reply: replace(reply, content=None, refusal=text))


def truncated() -> Fault:
    """Answer with the first half of the text, cut at the token limit."""
    return Fault(
        change=lambda reply: replace(
            reply,
            content=(reply.content or "")[: len(reply.content or "") // 2],
            finish_reason="length",
        )
    )


def empty() -> Fault:
    """Answer with an empty text."""
    return Fault(change=lambda reply: replace(reply, content=""))


@dataclass(slots=True)
class FakeProvider:
    """An OpenAI-compatible server on loopback; use it as a context manager.

    Args:
        answer: what a perfect model would say.
        faults: pairs of a predicate and a fault. Latencies add up; the first other match decides.
        keys: the API keys that are let in; None lets everyone in.
        models: what GET /models lists.
    """

    answer: Callable[[Request], str | Reply]
    faults: Sequence[tuple[Predicate, Fault]] = ()
    keys: Collection[str] | None = None
    models: Sequence[str] = ("mock",)
    requests: list[Request] = field(default_factory=list, init=False)
    answered: int = field(default=0, init=False)
    """How many got a well-formed reply with status 200, whose tokens are in `usage`."""
    max_in_flight: int = field(default=0, init=False)
    usage: Usage = field(default_factory=Usage, init=False)
    _in_flight: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _closing: threading.Event = field(default_factory=threading.Event, init=False)
    _server: _Server = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        """Start to listen."""
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="provider"
        )
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
        self._server.break_connections()
        self._server.server_close()
        self._thread.join()
        if kind is None and self._server.broken:
            raise self._server.broken[0]

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The base address, for `api_base`."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def calls(self) -> int:
        """How many chat requests have arrived, answered or not."""
        with self._lock:
            return len(self.requests)

    def arrive(self, path: str, headers: Mapping[str, str], raw: bytes) -> Request:
        """Number and record a request."""
        body = json.loads(raw)
        with self._lock:
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)
            number = len(self.requests) + 1
            request = Request(number=number, path=path, headers=headers, raw=raw, body=body)
            self.requests.append(request)
        return request

    def leave(self) -> None:
        """Take a request out of those in flight; before its reply, so that none counts twice."""
        with self._lock:
            self._in_flight -= 1

    def fault_for(self, request: Request) -> Fault:
        """Combine the faults that match a request into one."""
        if self.keys is not None:
            key = request.headers.get("authorization", "").removeprefix("Bearer ")
            if key not in self.keys:
                return unauthorized()
        found = [fault for predicate, fault in self.faults if predicate(request)]
        decisive = next((fault for fault in found if fault.decides), Fault())
        return replace(decisive, latency=sum(fault.latency for fault in found))

    def wait(self, seconds: float) -> None:
        """Sleep, or until the provider is closed."""
        if seconds:
            self._closing.wait(seconds)

    def wait_for_the_end(self, connection: socket.socket) -> None:
        """Wait until the provider is closed or the client has gone."""
        while not self._closing.wait(0.02):
            readable, _, _ = select.select([connection], [], [], 0)
            if readable:
                return

    def complete(self, request: Request, fault: Fault) -> bytes:
        """Write the body of a good reply and count its tokens."""
        said = self.answer(request)
        reply = Reply(content=said) if isinstance(said, str) else said
        if fault.change:
            reply = fault.change(reply)
        prompt = sum(count_tokens(text_of(message)) for message in request.messages)
        completion = count_tokens(f"{reply.content or ''} {reply.refusal or ''}")
        with self._lock:
            self.answered += 1
            self.usage = Usage(
                prompt_tokens=self.usage.prompt_tokens + prompt,
                completion_tokens=self.usage.completion_tokens + completion,
            )
        return json.dumps(_completion(request, reply, prompt, completion)).encode()


def _completion(request: Request, reply: Reply, prompt: int, completion: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply.content, "refusal": reply.refusal}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    return {
        "id": f"chatcmpl-{request.number}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": request.model,
        "choices": [{**choice, "logprobs": None}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
    }


class _Handler(BaseHTTPRequestHandler):
    """One keep-alive connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        if self.path not in MODEL_PATHS:
            self._send(404, error_body(f"no such path: {self.path}", "not_found", None))
            return
        listed = [{"id": name, "object": "model"} for name in self.server.provider.models]
        self._send(200, json.dumps({"object": "list", "data": listed}).encode())

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path not in CHAT_PATHS:
            self._send(404, error_body(f"no such path: {self.path}", "not_found", None))
            return
        provider = self.server.provider
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = provider.arrive(self.path, headers, raw)
        try:
            fault = provider.fault_for(request)
            provider.wait(fault.latency)
            if fault.hang:
                provider.wait_for_the_end(self.connection)
            good = fault.status is None and not fault.reset and not fault.hang
            body = provider.complete(request, fault) if good else fault.body
        finally:
            provider.leave()
        if fault.reset or fault.hang:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            return
        self._send(fault.status or 200, body, fault.headers)

    def _send(self, status: int, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the library
        """Keep the tests' output clean."""


class _Server(ThreadingMixIn, TCPServer):
    """Accepts connections, and knows the open ones so that it can stop at any time."""

    request_queue_size = 1024
    allow_reuse_address = True
    daemon_threads = False

    def __init__(self, provider: FakeProvider) -> None:
        self.provider = provider
        self.broken: list[BaseException] = []
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        linger = request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(RESET))
        if linger == RESET:
            # The usual shutdown would send FIN before the RST.
            self.close_request(request)
            return
        super().shutdown_request(request)

    def break_connections(self) -> None:
        """Wake every handler that waits for its client."""
        with self._guard:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what `answer` raised for the test; a client that went away is no error."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self.broken.append(error)
