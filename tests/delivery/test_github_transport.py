"""Tests of gepa_ci.delivery.github_transport: retries, limits, pages and what is said of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from github_cases import Place, place
from http_servers import Answer, Arrived, HttpServer, ok

from gepa_ci.delivery.github_client import GitHub
from gepa_ci.delivery.github_transport import Transport
from gepa_ci.errors import GitHubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOKEN = "ghs_very_secret"


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path) as made:
        yield made


def ask(answer: Callable[[Arrived], Answer]) -> GitHubError:
    """Return the error of a request to a server that answers so."""
    with HttpServer(answer) as server:
        transport = Transport(TOKEN, api_url=server.url, sleep=lambda _: None)
        with pytest.raises(GitHubError) as caught:
            transport.send("GET", "/x", action="look", needs="contents: read")
        transport.close()
    return caught.value


def answer_with(status: str, body: bytes, *headers: str) -> Answer:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return Answer("\r\n".join([*lines, "", ""]).encode() + body)


def test_a_server_error_is_asked_again_a_little_later_each_time(here: Place) -> None:
    here.server.fail_next("GET", ".", status=502, times=3)

    assert here.github.default_branch() == "main"
    assert here.naps == [0.5, 1.0, 2.0]


def test_a_server_that_stays_in_trouble_is_given_up(here: Place) -> None:
    here.server.fail_next("GET", ".", status=503, times=9)

    with pytest.raises(GitHubError, match="HTTP 503") as caught:
        here.github.default_branch()

    assert len(here.server.requests) == 4
    assert "githubstatus.com" in (caught.value.problems[0].hint or "")


def test_a_dropped_connection_is_asked_again(here: Place) -> None:
    here.server.fail_next("GET", ".", status=0, times=2)

    assert here.github.default_branch() == "main"


def test_what_may_not_be_done_twice_is_sent_once(here: Place) -> None:
    number = here.pull()
    here.server.fail_next("POST", "comments", status=0, times=2)

    with pytest.raises(GitHubError, match="GitHub could not be asked to write a comment"):
        here.github.add_comment(number, "x")

    assert here.naps == []


@pytest.mark.parametrize("status", [403, 429])
def test_a_secondary_limit_is_waited_for_as_long_as_github_says(here: Place, status: int) -> None:
    here.server.limit_secondary(retry_after=7, status=status)

    assert here.github.default_branch() == "main"
    assert here.naps == [7.0]


def test_a_secondary_limit_with_no_time_takes_a_minute(here: Place) -> None:
    here.server.limit_secondary(retry_after=None)

    assert here.github.default_branch() == "main"
    assert here.naps == [60.0]


def test_a_limit_is_waited_for_also_by_what_may_not_be_done_twice(here: Place) -> None:
    number = here.pull()
    here.server.limit_secondary("comments", retry_after=1)

    here.github.add_comment(number, "x")

    assert here.naps == [1.0]
    assert len(here.server.comments(number)) == 1


@pytest.mark.parametrize("status", [403, 429])
def test_the_primary_limit_is_waited_for_until_it_ends(here: Place, status: int) -> None:
    here.server.limit_primary(reset_in=20, status=status)

    assert here.github.default_branch() == "main"
    assert len(here.naps) == 1
    assert 19 <= here.naps[0] <= 21


def test_a_primary_limit_that_has_ended_by_the_clock_takes_a_second(here: Place) -> None:
    here.server.limit_primary(reset_in=-100)

    assert here.github.default_branch() == "main"
    assert here.naps == [1.0]


def test_a_limit_beyond_a_minute_is_an_error_at_once(here: Place) -> None:
    here.server.limit_primary(reset_in=3000)

    with pytest.raises(GitHubError, match="API rate limit exceeded") as caught:
        here.github.default_branch()

    assert here.naps == []
    assert "run again later" in (caught.value.problems[0].hint or "")


def test_waits_are_bounded_all_together(here: Place) -> None:
    here.server.limit_secondary(retry_after=25, times=9)

    with pytest.raises(GitHubError, match="secondary rate limit"):
        here.github.default_branch()

    assert here.naps == [25.0, 25.0]


def test_a_run_without_trouble_waits_for_nothing(here: Place) -> None:
    number = here.pull()
    started = time.monotonic()
    for index in range(5):
        here.github.add_comment(number, f"{index}")

    assert time.monotonic() - started < 2
    assert here.naps == []


def test_nobody_who_listens_is_an_error_that_names_what_was_tried() -> None:
    with HttpServer() as server:
        address = server.url
    naps: list[float] = []

    with GitHub("t", "o/n", api_url=address, server_url=address, sleep=naps.append) as github:
        with pytest.raises(GitHubError, match="could not be asked to read pull request 1"):
            github.pull(1)

    assert len(naps) == 3


@pytest.mark.parametrize("address", ["", "github.com", "ftp://x", "file:///etc/passwd"])
def test_what_is_no_address_is_an_error(address: str) -> None:
    with pytest.raises(GitHubError, match="is not the address of an API"):
        Transport("t", api_url=address)


def test_a_slash_at_the_end_of_the_address_does_no_harm() -> None:
    with HttpServer(lambda _: ok(b'{"a": 1}')) as server:
        transport = Transport("t", api_url=f"{server.url}/api/v3/")
        answer = transport.send("GET", "/x", action="look", needs="")
        transport.close()

    assert answer.data == {"a": 1}
    assert server.arrived[0].line == "GET /api/v3/x HTTP/1.1"
    assert server.arrived[0].headers["authorization"] == "token t"


def test_without_a_token_none_is_sent() -> None:
    with HttpServer(lambda _: ok(b"")) as server:
        transport = Transport("", api_url=server.url)
        answer = transport.send("GET", "/x", action="look", needs="")
        transport.close()

    assert answer.data is None
    assert "authorization" not in server.arrived[0].headers


@pytest.mark.parametrize("token", ["ghs_a\nX-Evil: 1", "ghs_a b", "ghs_\u00e4", "ghs_\0"])
def test_a_token_that_no_header_takes_is_refused_without_repeating_it(token: str) -> None:
    with pytest.raises(GitHubError, match="the token has characters that no token has") as caught:
        Transport(token, api_url="https://api.github.com")

    assert "ghs" not in str(caught.value)


def test_blanks_around_a_token_do_no_harm() -> None:
    assert Transport(" ghs_a\n", api_url="https://api.github.com").token == "ghs_a"


def test_it_can_be_used_again_after_it_was_closed(here: Place) -> None:
    here.github.default_branch()
    here.github.close()

    assert here.github.permission("nobody") == "none"


def test_a_page_of_a_proxy_is_not_taken_for_an_answer() -> None:
    error = ask(lambda _: ok(b"<html>sign in</html>"))

    assert str(error) == "GitHub's answer to 'look' makes no sense"


def test_a_refusal_without_json_is_still_one() -> None:
    error = ask(lambda _: answer_with("403 Forbidden", b"<html>no</html>"))

    assert str(error) == "GitHub refused to look: no reason given (HTTP 403)"
    assert "contents: read" in (error.problems[0].hint or "")


def test_a_redirect_to_another_host_is_not_followed() -> None:
    error = ask(lambda _: answer_with("301 Moved", b"", "Location: http://evil.example/x"))

    assert "could not be asked to look" in str(error)


def test_a_repository_that_moved_is_told(here: Place) -> None:
    here.server.fail_next("GET", ".", status=307, body={"message": "Moved Permanently"})

    with pytest.raises(GitHubError, match="Moved Permanently") as caught:
        here.github.default_branch()

    assert "new name" in (caught.value.problems[0].hint or "")


def test_what_github_says_is_cut_cleaned_and_without_the_token() -> None:
    said = f"one {TOKEN} \\u001b[31m\\u202e {'y' * 900}\\nsecond line"
    error = ask(lambda _: answer_with("422 No", f'{{"message": "{said}"}}'.encode()))

    assert "ghs_" not in str(error)
    assert "\x1b" not in str(error)
    assert "\u202e" not in str(error)
    assert "second" not in str(error)
    assert len(str(error)) < 300


def test_the_reasons_of_fields_are_told() -> None:
    body = b'{"message": "Bad", "errors": [{"field": "head", "code": "invalid"}, "and so on"]}'

    error = ask(lambda _: answer_with("422 No", body))

    assert str(error) == "GitHub refused to look: Bad: head invalid, and so on (HTTP 422)"


@pytest.mark.parametrize(
    ("status", "words"),
    [("409 Conflict", "at the same time"), ("410 Gone", "expired"), ("401 No", "not valid")],
)
def test_each_kind_of_refusal_says_what_to_do(status: str, words: str) -> None:
    error = ask(lambda _: answer_with(status, b'{"message": "No"}'))

    assert words in (error.problems[0].hint or "")


@pytest.mark.parametrize("body", [b"{}", b'{"rows": 1}', b"[]", b"null"])
def test_a_list_that_is_none_is_nonsense(body: bytes) -> None:
    with HttpServer(lambda _: ok(body)) as server:
        transport = Transport("t", api_url=server.url)
        with pytest.raises(GitHubError, match="makes no sense"):
            list(transport.pages("/x", action="list", needs="", key="rows"))
        transport.close()


def test_pages_that_never_end_do() -> None:
    with HttpServer(lambda _: ok(b"[1]", 'Link: <http://x/?page=2>; rel="next"')) as server:
        transport = Transport("t", api_url=server.url)
        with pytest.raises(GitHubError, match="more than 10000 rows"):
            list(transport.pages("/x", action="list", needs=""))
        transport.close()

    assert len(server.arrived) == 100
