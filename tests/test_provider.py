"""The stand-in provider behaves, and misbehaves, as ordered."""

from __future__ import annotations

import email.utils
import http.client
import json
import socket
import threading
import time
from typing import Any

import pytest
from provider import (
    FakeProvider,
    Fault,
    Predicate,
    Reply,
    Request,
    Usage,
    after,
    always,
    at,
    content_filter,
    context_length_exceeded,
    empty,
    every,
    forbidden,
    hang,
    http_date,
    insufficient_quota,
    malformed,
    rate_limited,
    refusal,
    reset,
    server_error,
    share,
    slow,
    truncated,
    unauthorized,
    unknown_model,
)


def echo(request: Request) -> str:
    return request.text.upper()


def connect(provider: FakeProvider, timeout: float = 5.0) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", provider.port, timeout=timeout)


def ask(
    connection: http.client.HTTPConnection, text: str = "one two", key: str = "k"
) -> tuple[int, dict[str, str], bytes]:
    body = json.dumps({"model": "mock", "messages": [{"role": "user", "content": text}]})
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", body, headers)
    reply = connection.getresponse()
    return reply.status, dict(reply.getheaders()), reply.read()


def ask_once(provider: FakeProvider, text: str = "one two") -> tuple[int, dict[str, str], Any]:
    connection = connect(provider)
    status, headers, body = ask(connection, text)
    connection.close()
    return status, headers, json.loads(body)


def numbered(number: int) -> Request:
    return Request(number=number, path="/", headers={}, raw=b"", body={})


def test_it_answers_and_reports_the_tokens_it_counts() -> None:
    with FakeProvider(answer=echo) as provider:
        status, _, body = ask_once(provider)

    assert status == 200
    assert body["choices"][0]["message"]["content"] == "ONE TWO"
    assert body["usage"] == {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}
    assert provider.usage == Usage(prompt_tokens=2, completion_tokens=2)
    assert (provider.calls, provider.answered, provider.max_in_flight) == (1, 1, 1)


def test_it_records_the_exact_bytes_and_headers() -> None:
    raw = b'{"model": "m",  "messages": [{"role": "user", "content": [{"text": "a\\tb"}]}]}'
    with FakeProvider(answer=echo) as provider:
        connection = connect(provider)
        connection.request("POST", "/chat/completions", raw, {"X-Thing": "yes"})
        connection.getresponse().read()
        connection.close()

    (request,) = provider.requests
    assert request.raw == raw
    assert (request.model, request.text, request.number) == ("m", "a\tb", 1)
    assert request.headers["x-thing"] == "yes"


def test_it_keeps_one_connection_for_many_requests() -> None:
    with FakeProvider(answer=echo) as provider:
        connection = connect(provider)
        connection.connect()
        used = connection.sock
        statuses = [ask(connection)[0] for _ in range(3)]

        assert connection.sock is used
        connection.close()
    assert statuses == [200, 200, 200]


def test_it_lists_models_and_refuses_other_paths() -> None:
    with FakeProvider(answer=echo, models=("a", "b")) as provider:
        connection = connect(provider)
        connection.request("GET", "/v1/models")
        listed = json.loads(connection.getresponse().read())
        connection.request("GET", "/v2/models")
        unknown_get = connection.getresponse()
        unknown_get.read()
        connection.request("POST", "/v1/embeddings", b"{}")
        unknown_post = connection.getresponse()
        unknown_post.read()
        connection.close()

    assert [model["id"] for model in listed["data"]] == ["a", "b"]
    assert (unknown_get.status, unknown_post.status, provider.calls) == (404, 404, 0)


def test_it_serves_64_at_once_and_reports_so() -> None:
    together = threading.Barrier(64, timeout=20)

    def answer(request: Request) -> str:
        together.wait()
        return request.text

    answers: list[str] = []
    with FakeProvider(answer=answer) as provider:

        def client(number: int) -> None:
            _, _, body = ask_once(provider, f"n{number}")
            answers.append(body["choices"][0]["message"]["content"])

        threads = [threading.Thread(target=client, args=(number,)) for number in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(answers) == sorted(f"n{number}" for number in range(64))
    assert provider.max_in_flight == 64
    assert [request.number for request in provider.requests] == list(range(1, 65))


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        pytest.param(rate_limited(), 429, "rate_limit_exceeded", id="rate limit"),
        pytest.param(server_error(503), 503, None, id="unavailable"),
        pytest.param(unauthorized(), 401, "invalid_api_key", id="wrong key"),
        pytest.param(forbidden(), 403, "model_not_found", id="forbidden"),
        pytest.param(unknown_model("x"), 404, "model_not_found", id="unknown model"),
        pytest.param(insufficient_quota(), 429, "insufficient_quota", id="quota"),
        pytest.param(insufficient_quota(402), 402, "insufficient_quota", id="payment"),
        pytest.param(context_length_exceeded(), 400, "context_length_exceeded", id="too long"),
    ],
)
def test_an_error_has_its_status_and_code(fault: Fault, status: int, code: str | None) -> None:
    with FakeProvider(answer=echo, faults=[(always, fault)]) as provider:
        got, headers, body = ask_once(provider)

    assert (got, body["error"]["code"]) == (status, code)
    assert "Retry-After" not in headers
    assert (provider.calls, provider.answered, provider.usage) == (1, 0, Usage())


def test_retry_after_is_seconds_or_a_date() -> None:
    faults = [(at(1), rate_limited(0.5)), (at(2), rate_limited(http_date(60)))]
    with FakeProvider(answer=echo, faults=faults) as provider:
        in_seconds = ask_once(provider)[1]["Retry-After"]
        as_date = ask_once(provider)[1]["Retry-After"]

    assert in_seconds == "0.5"
    moment = email.utils.parsedate_to_datetime(as_date).timestamp()
    assert 50 < moment - time.time() <= 60


@pytest.mark.parametrize(
    ("fault", "content", "finish", "refused"),
    [
        pytest.param(content_filter(), None, "content_filter", None, id="filter"),
        pytest.param(refusal("no"), None, "stop", "no", id="refusal"),
        pytest.param(truncated(), "ONE", "length", None, id="truncated"),
        pytest.param(empty(), "", "stop", None, id="empty"),
    ],
)
def test_a_bad_outcome_of_the_model_comes_with_status_200_and_is_paid_for(
    fault: Fault, content: str | None, finish: str, refused: str | None
) -> None:
    with FakeProvider(answer=echo, faults=[(always, fault)]) as provider:
        status, _, body = ask_once(provider)

    choice = body["choices"][0]
    assert (status, choice["finish_reason"]) == (200, finish)
    assert (choice["message"]["content"], choice["message"]["refusal"]) == (content, refused)
    assert provider.usage.prompt_tokens == 2


def test_a_malformed_reply_is_no_json() -> None:
    with FakeProvider(answer=echo, faults=[(always, malformed())]) as provider:
        connection = connect(provider)
        status, _, body = ask(connection)
        connection.close()

    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_a_reset_breaks_the_connection_after_the_request_was_counted() -> None:
    with FakeProvider(answer=echo, faults=[(at(1), reset())]) as provider:
        connection = connect(provider)
        with pytest.raises(ConnectionResetError) as raised:
            ask(connection)
        connection.close()

        # A polite end of the connection is a RemoteDisconnected, which is a subclass.
        assert raised.type is ConnectionResetError
        assert ask_once(provider)[0] == 200
        assert (provider.calls, provider.answered) == (2, 1)


def test_a_hang_ends_with_the_client_s_patience_and_never_blocks_the_end() -> None:
    with FakeProvider(answer=echo, faults=[(always, hang())]) as provider:
        connection = connect(provider, timeout=0.1)
        with pytest.raises(TimeoutError):
            ask(connection)
        connection.close()
        waiting = socket.create_connection(("127.0.0.1", provider.port))
        waiting.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
        )
        while provider.calls < 2:
            time.sleep(0.005)
        began = time.monotonic()
    waiting.close()

    assert time.monotonic() - began < 2


def test_latency_adds_to_another_fault() -> None:
    faults = [(always, slow(0.05)), (always, server_error()), (always, slow(0.05))]
    with FakeProvider(answer=echo, faults=faults) as provider:
        began = time.monotonic()
        status = ask_once(provider)[0]

    assert status == 500
    assert time.monotonic() - began >= 0.1


def test_the_first_fault_that_decides_wins() -> None:
    with FakeProvider(
        answer=echo, faults=[(always, server_error(503)), (always, reset())]
    ) as provider:
        status = ask_once(provider)[0]

    assert status == 503


def test_only_known_keys_are_let_in() -> None:
    with FakeProvider(answer=echo, keys={"good"}) as provider:
        connection = connect(provider)
        refused = ask(connection, key="bad")[0]
        accepted = ask(connection, key="good")[0]
        connection.close()

    assert (refused, accepted, provider.calls) == (401, 200, 2)


def test_an_answer_may_be_a_whole_reply() -> None:
    cut = Reply(content="x", finish_reason="length")
    with FakeProvider(answer=lambda _: cut) as provider:
        body = ask_once(provider)[2]

    assert body["choices"][0]["finish_reason"] == "length"


def test_a_broken_answer_fails_the_test_that_wrote_it() -> None:
    def broken(request: Request) -> str:
        raise LookupError(request.text)

    def run() -> None:
        with FakeProvider(answer=broken) as provider:
            connection = connect(provider)
            with pytest.raises(http.client.RemoteDisconnected):
                ask(connection)
            connection.close()

    with pytest.raises(LookupError, match="one two"):
        run()


@pytest.mark.parametrize(
    ("predicate", "numbers"),
    [
        pytest.param(every(4), [4, 8, 12], id="every"),
        pytest.param(at(2, 7), [2, 7], id="at"),
        pytest.param(after(10), [11, 12], id="after"),
    ],
)
def test_a_predicate_picks_by_number(predicate: Predicate, numbers: list[int]) -> None:
    assert [n for n in range(1, 13) if predicate(numbered(n))] == numbers


def test_a_share_is_about_right_and_the_same_every_time() -> None:
    first = [share(0.05, seed=3)(numbered(n)) for n in range(1, 2001)]
    second = [share(0.05, seed=3)(numbered(n)) for n in range(1, 2001)]

    assert first == second
    assert 70 <= sum(first) <= 130
