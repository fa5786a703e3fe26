"""Tests of gepa_ci.lm.transport, over real sockets on loopback."""

from __future__ import annotations

import base64
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import trustme
from http_servers import Answer, Arrived, HttpServer, Then, in_chunks, ok
from lm15 import ConfigurationError, TransportError
from provider import FakeProvider

from gepa_ci.core.call import Call
from gepa_ci.core.config import ModelSpec, SpendCaps
from gepa_ci.core.prompt import Message, Role
from gepa_ci.lm.client import LMClient
from gepa_ci.lm.engines import Engines
from gepa_ci.lm.limiter import Limiter
from gepa_ci.lm.meter import Meter
from gepa_ci.lm.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SOON = 0.1
LATER = 0.4
LATE = 60.0
BIG = bytes(range(256)) * 2000


@dataclass(slots=True)
class Post:
    url: str
    body: bytes = b"{}"
    headers: Sequence[tuple[str, str]] = field(default_factory=list)
    method: str = "POST"


def ask(transport: Transport, request: Post) -> bytes:
    with transport.stream(request) as response:
        return response.read()


def opened(timeout: float = LATE) -> closing[Transport]:
    return closing(Transport(timeout=timeout))


def failure(request: Post, timeout: float = LATE) -> str:
    """Return all that an error and its causes say about a request that gets no answer."""
    with opened(timeout) as transport, pytest.raises(TransportError) as caught:
        ask(transport, request)
    return said(caught.value)


def refusal(request: Post) -> str:
    """Return all that an error and its causes say about a request that cannot be made."""
    with opened() as transport, pytest.raises(ConfigurationError) as caught:
        ask(transport, request)
    return said(caught.value)


def said(error: BaseException | None) -> str:
    texts = []
    while error is not None:
        texts.append(f"{error} {error!r}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(texts)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def context_of(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return a server's context whose certificate the environment trusts."""
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    return context_of(authority)


@pytest.fixture(params=["plain", "tls"])
def maybe_tls(request: pytest.FixtureRequest) -> ssl.SSLContext | None:
    if request.param == "plain":
        return None
    context: ssl.SSLContext = request.getfixturevalue("tls")
    return context


# Connections


def test_a_connection_is_used_again(maybe_tls: ssl.SSLContext | None) -> None:
    with HttpServer(tls=maybe_tls) as server, opened() as transport:
        answers = [ask(transport, Post(server.url)) for _ in range(5)]

    assert answers == [b"fine"] * 5
    assert server.connections == 1


def test_a_connection_is_used_again_after_an_error_status() -> None:
    answer = Answer(b"HTTP/1.1 429 Too Many\r\nContent-Length: 4\r\nRetry-After: 7\r\n\r\nwait")
    with HttpServer(lambda _: answer) as server, opened() as transport:
        for _ in range(2):
            with transport.stream(Post(server.url)) as response:
                assert (response.status, response.reason) == (429, "Too Many")
                assert ("Retry-After", "7") in response.headers
                assert response.read() == b"wait"

    assert server.connections == 1


def test_connections_to_different_servers_are_kept_apart() -> None:
    with HttpServer(lambda _: ok(b"one")) as one, HttpServer(lambda _: ok(b"two")) as two:
        with opened() as transport:
            answers = [ask(transport, Post(server.url)) for server in (one, two, one, two)]

    assert answers == [b"one", b"two", b"one", b"two"]
    assert one.connections == two.connections == 1


def test_a_connection_that_the_server_announces_to_close_is_not_used_again() -> None:
    # It stays open in spite of the announcement: only the header can tell.
    with HttpServer(lambda _: ok(b"fine", "Connection: close")) as server:
        with opened() as transport:
            assert [ask(transport, Post(server.url)) for _ in range(2)] == [b"fine"] * 2

    assert [request.connection for request in server.arrived] == [1, 2]


def test_a_connection_that_was_closed_while_idle_is_replaced(
    maybe_tls: ssl.SSLContext | None,
) -> None:
    with HttpServer(lambda _: ok(then=Then.CLOSE), tls=maybe_tls) as server:
        with opened() as transport:
            ask(transport, Post(server.url))
            server.wait_until(lambda it: it.ended == 1)

            assert ask(transport, Post(server.url)) == b"fine"

    assert [request.connection for request in server.arrived] == [1, 2]


def test_there_is_no_second_attempt_over_a_new_connection() -> None:
    with HttpServer(lambda _: Answer(then=Then.CLOSE)) as server:
        failure(Post(server.url))

    assert len(server.arrived) == 1


def test_there_is_no_second_attempt_over_a_used_connection(
    maybe_tls: ssl.SSLContext | None,
) -> None:
    answers = iter([ok(), Answer(then=Then.CLOSE)])
    with HttpServer(lambda _: next(answers), tls=maybe_tls) as server, opened() as transport:
        ask(transport, Post(server.url))
        with pytest.raises(TransportError):
            ask(transport, Post(server.url))

    assert [request.connection for request in server.arrived] == [1, 1]


def test_a_response_that_was_not_read_to_its_end_does_not_return_its_connection() -> None:
    with HttpServer(lambda _: ok(BIG)) as server, opened() as transport:
        with transport.stream(Post(server.url)) as response:
            assert BIG.startswith(next(iter(response)))

        assert ask(transport, Post(server.url)) == BIG

    assert server.connections == 2


def test_a_response_whose_end_has_not_come_does_not_return_its_connection() -> None:
    answers = iter([Answer(ok(b"0123456789").data[:-3], Then.HANG), ok()])
    with HttpServer(lambda _: next(answers)) as server, opened() as transport:
        with transport.stream(Post(server.url)) as response:
            assert response.status == 200

        assert ask(transport, Post(server.url)) == b"fine"

    assert [request.connection for request in server.arrived] == [1, 2]


def test_a_response_that_was_iterated_to_its_end_returns_its_connection() -> None:
    with HttpServer(lambda _: in_chunks(b"one", b"two")) as server, opened() as transport:
        for _ in range(2):
            with transport.stream(Post(server.url)) as response:
                assert b"".join(response) == b"onetwo"

    assert server.connections == 1


def test_an_unasked_answer_is_not_taken_for_the_next_one() -> None:
    two = Answer(ok(b"mine").data + b"HTTP/1.1 408 Too slow\r\nContent-Length: 0\r\n\r\n")
    answers = iter([two, ok(b"yours")])
    with HttpServer(lambda _: next(answers)) as server, opened() as transport:
        assert ask(transport, Post(server.url)) == b"mine"
        assert ask(transport, Post(server.url)) == b"yours"


def test_the_answer_after_an_early_hint_is_not_taken_for_the_next_one() -> None:
    hint = Answer(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    with HttpServer(lambda _: hint) as server, opened() as transport:
        for _ in range(2):
            with pytest.raises(TransportError):
                ask(transport, Post(server.url))

    assert server.connections == 2


def test_a_continue_before_the_answer_is_skipped() -> None:
    answer = Answer(b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"real").data)
    with HttpServer(lambda _: answer) as server, opened() as transport:
        assert ask(transport, Post(server.url)) == b"real"


def test_a_hundred_threads_each_get_their_own_answer() -> None:
    barrier = threading.Barrier(100)

    def talk(transport: Transport, url: str, number: int) -> bool:
        barrier.wait(LATE)
        bodies = [f"{number}-{turn}".encode() * 50 for turn in range(3)]
        return [ask(transport, Post(url, body)) for body in bodies] == bodies

    with HttpServer(lambda request: ok(request.body)) as server, opened() as transport:
        with ThreadPoolExecutor(100) as threads:
            rights = list(threads.map(lambda n: talk(transport, server.url, n), range(100)))

    assert all(rights)
    assert len(server.arrived) == 300
    assert server.connections <= 100


def test_closing_ends_idle_connections(maybe_tls: ssl.SSLContext | None) -> None:
    with HttpServer(tls=maybe_tls) as server:
        with opened() as transport:
            ask(transport, Post(server.url))
        server.wait_until(lambda it: it.ended == 1)


def test_closing_wakes_a_thread_that_waits_for_an_answer(
    maybe_tls: ssl.SSLContext | None,
) -> None:
    with HttpServer(lambda _: Answer(then=Then.HANG), tls=maybe_tls) as server:
        with ThreadPoolExecutor(1) as threads, opened() as transport:
            waiting = threads.submit(ask, transport, Post(server.url))
            server.wait_until(lambda it: len(it.arrived) == 1)
            transport.close()

            assert isinstance(waiting.exception(timeout=10), TransportError)


def test_a_request_after_closing_is_an_error_and_is_not_sent() -> None:
    with HttpServer() as server, opened() as transport:
        ask(transport, Post(server.url))
        transport.close()
        with pytest.raises(TransportError):
            ask(transport, Post(server.url))

    assert len(server.arrived) == 1


def test_a_response_that_outlives_the_transport_ends_its_connection() -> None:
    with HttpServer() as server:
        with opened() as transport:
            response = transport.stream(Post(server.url))
        response.close()
        server.wait_until(lambda it: it.ended == 1)


# Requests


def test_head_and_body_arrive_as_one_request(maybe_tls: ssl.SSLContext | None) -> None:
    with HttpServer(tls=maybe_tls) as server, opened() as transport:
        ask(transport, Post(f"{server.url}/v1/chat?a=b%20c#d", b'{"a": 1}', [("X-Own", "yes")]))
        request = server.arrived[0]

    assert request.came_at_once
    assert request.line == "POST /v1/chat?a=b%20c HTTP/1.1"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["content-length"] == "8"
    assert request.headers["x-own"] == "yes"
    assert request.body == b'{"a": 1}'


def test_a_request_without_a_path_asks_for_the_root() -> None:
    with HttpServer() as server, opened() as transport:
        ask(transport, Post(server.url))

    assert server.arrived[0].line == "POST / HTTP/1.1"


def test_a_query_without_a_path_asks_the_root() -> None:
    with HttpServer() as server, opened() as transport:
        ask(transport, Post(f"{server.url}?a=b"))

    assert server.arrived[0].line == "POST /?a=b HTTP/1.1"


def test_a_large_body_arrives_whole() -> None:
    with HttpServer(lambda request: ok(request.body)) as server, opened() as transport:
        assert ask(transport, Post(server.url, BIG * 4)) == BIG * 4


def test_an_ipv6_address_is_in_brackets_in_the_host_header() -> None:
    with HttpServer(host="::1") as server, opened() as transport:
        ask(transport, Post(server.url))

    assert server.arrived[0].headers["host"] == f"[::1]:{server.port}"


def test_the_default_port_is_not_in_the_host_header(monkeypatch: pytest.MonkeyPatch) -> None:
    # Only behind a proxy can a test have a server at the default port.
    with HttpServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with opened() as transport:
            ask(transport, Post("http://api.example.test:80/v1"))

    assert proxy.arrived[0].headers["host"] == "api.example.test"


def test_a_header_that_the_engine_sets_itself_is_sent_once() -> None:
    headers = [("host", "signed.example.test"), ("content-length", "2")]
    with HttpServer() as server, opened() as transport:
        ask(transport, Post(server.url, b"{}", headers))

    assert sorted(server.arrived[0].names) == ["content-length", "host"]
    assert server.arrived[0].headers["host"] == "signed.example.test"


@pytest.mark.parametrize(
    "header",
    [
        ("Authorization", "Bearer key\n"),
        ("Authorization", "Bearer key\r"),
        ("Authorization", "Bearer key\r\nX-Other: 1"),
        ("Authorization", "Bearer k\0ey"),
        ("Authorization", "Bearer kéy \N{EN DASH}"),
        ("X-Na\nme", "value"),
    ],
    ids=["lf", "cr", "another-header", "nul", "non-latin-1", "name"],
)
def test_a_header_that_http_cannot_carry_is_refused_and_nothing_is_sent(
    header: tuple[str, str],
) -> None:
    with HttpServer() as server:
        text = refusal(Post(server.url, headers=[header]))

    assert "Bearer" not in text
    assert server.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:port/v1",
        "http://127.0.0.1:99999/v1",
        "http://[::1/v1",
        "http://a..b/v1",
        "http://a b/v1",
        "http://me:hush@a b:80/v1",
        "http:///v1",
        "ftp://127.0.0.1/v1",
        "127.0.0.1:8080/v1",
        "",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    assert "hush" not in refusal(Post(url)).replace(url, "")


@pytest.mark.parametrize("path", ["/a b", "/a\0b", "/\N{EN DASH}"])
def test_a_path_that_http_cannot_carry_is_refused_and_nothing_is_sent(path: str) -> None:
    with HttpServer() as server:
        refusal(Post(server.url + path))

    assert server.connections == 0


# Answers

BODIES = {
    "length": ok(BIG),
    "chunks": in_chunks(BIG[:1], BIG[1:100_000], BIG[100_000:]),
    "until-close": Answer(b"HTTP/1.1 200 OK\r\n\r\n" + BIG, Then.CLOSE),
}


@pytest.mark.parametrize("answer", BODIES.values(), ids=BODIES)
def test_a_body_is_read_whole(answer: Answer, maybe_tls: ssl.SSLContext | None) -> None:
    with HttpServer(lambda _: answer, tls=maybe_tls) as server, opened() as transport:
        assert [ask(transport, Post(server.url)) for _ in range(2)] == [BIG] * 2


@pytest.mark.parametrize("answer", BODIES.values(), ids=BODIES)
def test_iterating_yields_all_of_a_body(answer: Answer, maybe_tls: ssl.SSLContext | None) -> None:
    with HttpServer(lambda _: answer, tls=maybe_tls) as server, opened() as transport:
        with transport.stream(Post(server.url)) as response:
            chunks = list(response)

    assert b"".join(chunks) == BIG
    assert all(chunks)


def test_an_answer_without_a_body_returns_its_connection() -> None:
    answer = Answer(b"HTTP/1.1 204 No Content\r\n\r\n")
    with HttpServer(lambda _: answer) as server, opened() as transport:
        assert [ask(transport, Post(server.url)) for _ in range(2)] == [b"", b""]

    assert server.connections == 1


CUT = {
    "length": Answer(ok(b"0123456789").data[:-3], Then.CLOSE),
    "chunks": Answer(in_chunks(b"0123456789").data[:-10], Then.CLOSE),
    "between-chunks": Answer(in_chunks(b"0123456789").data[:-5], Then.CLOSE),
}


@pytest.mark.parametrize("answer", CUT.values(), ids=CUT)
def test_a_body_that_is_cut_short_is_a_transport_error(answer: Answer) -> None:
    with HttpServer(lambda _: answer) as server:
        failure(Post(server.url))


@pytest.mark.parametrize("answer", CUT.values(), ids=CUT)
def test_iterating_a_body_that_is_cut_short_is_a_transport_error(answer: Answer) -> None:
    with HttpServer(lambda _: answer) as server, opened() as transport:
        with transport.stream(Post(server.url)) as response, pytest.raises(TransportError):
            list(response)


@pytest.mark.parametrize("size", [b"zz", b""])
def test_a_connection_with_broken_chunks_is_not_used_again(size: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    broken = Answer(head + size + b"\r\n01234\r\n")
    with HttpServer(lambda _: broken) as server, opened() as transport:
        for _ in range(2):
            with pytest.raises(TransportError):
                ask(transport, Post(server.url))
            with transport.stream(Post(server.url)) as response, pytest.raises(TransportError):
                list(response)

    assert server.connections == 4


def test_a_chunk_of_less_than_no_bytes_is_a_transport_error() -> None:
    answer = Answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n01234\r\n")
    with HttpServer(lambda _: answer) as server:
        failure(Post(server.url))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"\0\1\2\3" * 10,
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 " + b"2" * 100_000,
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    ],
    ids=["nothing", "ssh", "binary", "http-2", "no-status", "long-line", "many-headers"],
)
def test_garbage_in_place_of_an_answer_is_a_transport_error(data: bytes) -> None:
    with HttpServer(lambda _: Answer(data, Then.CLOSE)) as server:
        failure(Post(server.url))


def test_a_port_where_nobody_listens_is_a_transport_error() -> None:
    with HttpServer() as server:
        url = server.url

    assert "cannot connect to 127.0.0.1" in failure(Post(url))


# Time-outs

HUNG = {
    "head": Answer(then=Then.HANG),
    "half-a-head": Answer(b"HTTP/1.1 200 OK\r\nContent-", Then.HANG),
}
STALLED = {
    "length": Answer(ok(b"0123456789").data[:-3], Then.HANG),
    "chunks": Answer(in_chunks(b"0123456789").data[:-10], Then.HANG),
    "until-close": Answer(b"HTTP/1.1 200 OK\r\n\r\n012", Then.HANG),
}


@pytest.mark.parametrize("answer", HUNG.values(), ids=HUNG)
def test_no_answer_in_time_says_that_it_timed_out(
    answer: Answer, maybe_tls: ssl.SSLContext | None
) -> None:
    with HttpServer(lambda _: answer, tls=maybe_tls) as server:
        started = time.monotonic()
        with opened(SOON) as transport, pytest.raises(TransportError, match="timed out"):
            transport.stream(Post(server.url))

    assert time.monotonic() - started >= SOON


@pytest.mark.parametrize("answer", STALLED.values(), ids=STALLED)
def test_a_body_that_stalls_says_that_it_timed_out(
    answer: Answer, maybe_tls: ssl.SSLContext | None
) -> None:
    with HttpServer(lambda _: answer, tls=maybe_tls) as server:
        assert "timed out" in failure(Post(server.url), SOON)


def test_iterating_a_body_that_stalls_yields_what_came_and_then_times_out() -> None:
    with HttpServer(lambda _: STALLED["length"]) as server, opened(LATER) as transport:
        with transport.stream(Post(server.url)) as response:
            chunks = iter(response)
            assert next(chunks) == b"0123456"
            with pytest.raises(TransportError, match="timed out"):
                next(chunks)


def test_the_connection_of_a_call_that_timed_out_is_not_used_again() -> None:
    answers = iter([Answer(then=Then.HANG), ok()])
    with HttpServer(lambda _: next(answers)) as server, opened(LATER) as transport:
        with pytest.raises(TransportError):
            ask(transport, Post(server.url))
        assert ask(transport, Post(server.url)) == b"fine"

    assert [request.connection for request in server.arrived] == [1, 2]


# TLS


def test_a_trusted_certificate_is_accepted(tls: ssl.SSLContext) -> None:
    with HttpServer(tls=tls) as server, opened() as transport:
        assert ask(transport, Post(server.url)) == b"fine"


def test_an_untrusted_certificate_is_a_transport_error(authority: trustme.CA) -> None:
    with HttpServer(tls=context_of(authority)) as server:
        assert "CERTIFICATE_VERIFY_FAILED" in failure(Post(server.url))

    assert server.arrived == []


@pytest.mark.usefixtures("tls")
def test_a_certificate_for_another_host_is_a_transport_error(authority: trustme.CA) -> None:
    with HttpServer(tls=context_of(authority, "other.example.test")) as server:
        assert "CERTIFICATE_VERIFY_FAILED" in failure(Post(server.url))

    assert server.arrived == []


# Proxies


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_is_asked_with_the_whole_address(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HttpServer() as proxy:
        monkeypatch.setenv(variable, proxy.url)
        with opened() as transport:
            ask(transport, Post("http://api.example.test:81/v1?a=b"))
        request = proxy.arrived[0]

    assert request.line == "POST http://api.example.test:81/v1?a=b HTTP/1.1"
    assert request.headers["host"] == "api.example.test:81"
    assert "proxy-authorization" not in request.headers


def test_a_proxy_may_be_named_without_a_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.authority)
        with opened() as transport:
            assert ask(transport, Post("http://api.example.test/v1")) == b"fine"


def test_a_proxy_gets_the_user_and_password_of_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with HttpServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:p%40ss%3A%C3%A9@{proxy.authority}")
        with opened() as transport:
            ask(transport, Post("http://api.example.test/v1"))

    sent = proxy.arrived[0].headers["proxy-authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == "me:p@ss:é"


def test_tls_goes_through_a_tunnel_of_the_proxy(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tunnel(_: Arrived) -> Answer:
        return Answer(b"HTTP/1.1 200 Connection established\r\n\r\n", Then.TUNNEL)

    with HttpServer(tls=tls) as origin, HttpServer(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40ss@{proxy.authority}")
        with opened() as transport:
            answers = [ask(transport, Post(f"{origin.url}/v1")) for _ in range(2)]

    (request,) = proxy.arrived
    assert answers == [b"fine"] * 2
    assert request.line.startswith(f"CONNECT {origin.authority} HTTP/1.")
    sent = request.headers["proxy-authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent) == b"me:p@ss"
    assert [seen.line for seen in origin.arrived] == ["POST /v1 HTTP/1.1"] * 2
    assert "proxy-authorization" not in origin.arrived[0].headers


def test_a_proxy_that_refuses_a_tunnel_is_a_transport_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = Answer(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n", Then.CLOSE)
    with HttpServer(lambda _: refused) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:hush@{proxy.authority}")
        text = failure(Post("https://api.example.test/v1"))

    assert "407" in text
    assert "hush" not in text


@pytest.mark.parametrize("excepted", ["127.0.0.1", "example.test, 127.0.0.1", "*"])
def test_an_excepted_host_is_reached_without_the_proxy(
    excepted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HttpServer() as origin, HttpServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", excepted)
        with opened() as transport:
            ask(transport, Post(f"{origin.url}/v1"))

    assert origin.arrived[0].line == "POST /v1 HTTP/1.1"
    assert proxy.connections == 0


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://me:hush@127.0.0.1:1080",
        "https://me:hush@127.0.0.1:1080",
        "http://me:hush@127.0.0.1:port",
        "http://me:hu/sh@127.0.0.1:1080",
        "http://me:hush@[::1",
        "http://me:hush@",
    ],
    ids=["socks5", "https", "bad-port", "bare-slash", "bad-ipv6", "no-host"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(
    proxy: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)

    text = refusal(Post(f"{scheme}://api.example.test/v1"))

    assert "proxy" in text
    assert "hu" not in text


# Through the client


def test_a_key_from_the_environment_is_sent_without_its_line_end() -> None:
    with FakeProvider(answer=lambda _: "ok") as provider:
        client = LMClient(
            engines=Engines(environ={"OPENAI_API_KEY": "sk-key\n"}),
            meter=Meter(SpendCaps(), clock=time.monotonic),
            limiter=Limiter(1, clock=time.monotonic),
            cache=None,
        )
        spec = ModelSpec(model="openai/m", api_base=provider.url, retries=0)
        with closing(client):
            client.complete(Call(spec=spec, messages=(Message(role=Role.USER, content="hi"),)))

    assert provider.requests[0].headers["authorization"] == "Bearer sk-key"
