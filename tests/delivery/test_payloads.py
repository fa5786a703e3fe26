from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING, Any

import pytest
from event_samples import FORK_ID, HEAD, forked, pull
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.delivery.forge import Account
from gepa_ci.delivery.payloads import (
    Fields,
    is_sha,
    parse_account,
    parse_check_run,
    parse_comment,
    parse_pull,
    shown,
)
from gepa_ci.errors import GitHubError

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONAL = {("body",), ("draft",), ("merged",), ("labels",), ("merged_at",), ("head", "repo")}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from places(item, (*path, number))


USED = [path for path in places(pull()) if path != ("user", "type")]


def with_value(path: tuple[Any, ...], value: object) -> dict[str, Any]:
    found = copy.deepcopy(pull())
    place: Any = found
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return found


def test_pull_request_is_read_whole() -> None:
    found = parse_pull(pull(body="Text", draft=True))

    assert (found.number, found.title, found.body) == (7, "Shorten the prompt", "Text")
    assert found.url == "https://github.example/acme/mail/pull/7"
    assert found.author == Account(id=5, login="octo")
    assert (found.head_sha, found.head_branch, found.head_repository) == (HEAD, "shorter", 100)
    assert (found.base_sha, found.base_branch, found.base_repository) == ("b" * 40, "main", 100)
    assert found.is_open
    assert found.is_draft
    assert not found.is_merged
    assert not found.is_from_fork
    assert found.labels == ("prompts",)


def test_fork_is_known_by_its_id() -> None:
    found = parse_pull(forked())

    assert found.is_from_fork
    assert found.head_repository == FORK_ID


def test_fork_that_is_gone_is_still_a_fork() -> None:
    found = parse_pull(pull(head={"sha": HEAD, "ref": "x", "repo": None}))

    assert found.head_repository is None
    assert found.is_from_fork


def test_merge_is_seen_in_a_list_of_pull_requests_too() -> None:
    listed = {key: value for key, value in pull(state="closed").items() if key != "merged"}

    assert parse_pull({**listed, "merged_at": "2026-11-21T00:00:00Z"}).is_merged
    assert not parse_pull({**listed, "merged_at": None}).is_merged
    assert parse_pull(pull(merged=True)).is_merged


@pytest.mark.parametrize("path", USED, ids=str)
def test_field_of_another_type_is_named(path: tuple[Any, ...]) -> None:
    for wrong in (3.5, float("nan")):
        with pytest.raises(GitHubError, match=r"GitHub's (pull request|account|label) has no"):
            parse_pull(with_value(path, wrong))


@pytest.mark.parametrize("path", [p for p in USED if p not in OPTIONAL and p != ("user",)], ids=str)
def test_missing_field_is_named(path: tuple[Any, ...]) -> None:
    with pytest.raises(GitHubError, match="has no"):
        parse_pull(with_value(path, None))


def test_what_may_be_missing_may_be_missing() -> None:
    bare = {key: value for key, value in pull().items() if (key,) not in OPTIONAL}
    found = parse_pull(bare)

    assert (found.body, found.labels, found.is_draft, found.is_merged) == ("", (), False, False)


@pytest.mark.parametrize("number", [-1, True, "7", None])
def test_number_is_a_whole_number(number: object) -> None:
    with pytest.raises(GitHubError, match="no 'number' that is a number"):
        parse_pull(pull(number=number))


@pytest.mark.parametrize("sha", ["", "A" * 40, "a" * 39, "a" * 41, f"{'a' * 40}\n", "--all"])
def test_git_injection_a_sha_is_forty_digits_and_nothing_else(sha: str) -> None:
    with pytest.raises(GitHubError, match=r"no 'head\.sha' that is a commit"):
        parse_pull(with_value(("head", "sha"), sha))


@pytest.mark.parametrize(
    "name", ["", "a b", "a\nb", "a..b", "a~1", "a^", "a:b", "a\\b", "a@{0}", "x" * 501, "a//b"]
)
def test_git_injection_a_branch_is_a_name_that_git_could_have(name: str) -> None:
    with pytest.raises(GitHubError, match=r"no 'head\.ref'"):
        parse_pull(with_value(("head", "ref"), name))


@pytest.mark.parametrize("name", ["--force", "$(id)", "a;b", "feature/ünïcode", "refs/heads/main"])
def test_odd_name_of_a_branch_is_kept_as_it_is(name: str) -> None:
    assert parse_pull(with_value(("head", "ref"), name)).head_branch == name


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a b", "https://a/)](x", "https://a/\n", "https://<b>"]
)
def test_address_is_http_and_has_no_blanks(url: str) -> None:
    if url == "https://a/)](x":
        assert parse_pull(pull(html_url=url)).url == url
        return
    with pytest.raises(GitHubError, match="http address"):
        parse_pull(pull(html_url=url))


def test_half_a_surrogate_pair_can_be_written_afterwards() -> None:
    assert parse_pull(pull(title="a\ud800b")).title == "a?b"


@given(JSON_VALUES)
def test_any_json_is_read_or_refused(value: Any) -> None:
    for path in USED:
        with contextlib.suppress(GitHubError):
            parse_pull(with_value(path, value))


def test_shown_text_is_cut() -> None:
    assert shown("a\n\tb" + "c" * 100) == "a b" + "c" * 57


def test_account_that_is_gone_is_nobodys() -> None:
    assert parse_account(None).login == "ghost"
    assert parse_pull(pull(user=None)).author.login == "ghost"


def test_a_field_below_something_else_is_named() -> None:
    with pytest.raises(GitHubError, match=r"no 'a\.b' that is an object around it"):
        Fields({"a": "text"}, "event").get("a.b")


def test_a_list_is_a_list() -> None:
    with pytest.raises(GitHubError, match="no 'rows' that is a list"):
        Fields({"rows": "text"}, "event").rows("rows")


def test_only_full_ids_are_shas() -> None:
    assert is_sha("0a" * 20)
    assert not is_sha("0a" * 20 + "\n")


def test_comment_is_read_and_may_be_empty() -> None:
    found = parse_comment({"id": 3, "user": {"id": 5, "login": "octo"}, "body": None})

    assert (found.id, found.author.id, found.body, found.url) == (3, 5, "", "")


def test_check_run_that_still_runs_has_no_conclusion() -> None:
    found = parse_check_run({"id": 4, "name": "gepa-ci", "conclusion": None, "app": None})

    assert (found.conclusion, found.digest, found.app, found.title) == (None, "", "", "")
