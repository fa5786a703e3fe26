"""Tests of gepa_ci.delivery.github_commits: commits, branches and artifacts through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from github_cases import Place, place
from http_servers import Answer as HttpAnswer
from http_servers import HttpServer, Then

from gepa_ci.delivery import github_commits
from gepa_ci.errors import GitHubError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path) as made:
        yield made


def test_a_commit_is_made_that_github_signs(here: Place) -> None:
    content = b"\xff\x00new\r\n"

    sha = here.github.signed_commit(
        parent=here.main, files={"prompts/a.md": content, "x/y.txt": b""}, message="Improve\n\nWhy"
    )

    row = here.repository.commit_row(sha)
    assert here.repository.read(sha, "prompts/a.md") == content
    assert here.repository.read(sha, "x/y.txt") == b""
    assert here.repository.read(sha, "b.txt") == b"b\n"
    assert (row["message"], row["parents"]) == ("Improve\n\nWhy", [{"sha": here.main}])
    assert sha in here.server.world.verified


def test_a_commit_is_made_in_spite_of_server_errors(here: Place) -> None:
    here.server.fail_next("POST", "/git/", status=502, times=2, done_first=True)

    assert here.github.signed_commit(parent=here.main, files={"b.txt": b"2"}, message="m")


def test_a_commit_on_nothing_is_an_error(here: Place) -> None:
    with pytest.raises(GitHubError, match="refused to read the parent: Not Found"):
        here.github.signed_commit(parent="f" * 40, files={"b.txt": b"2"}, message="m")


def test_a_path_out_of_the_repository_is_refused(here: Place) -> None:
    with pytest.raises(GitHubError, match="refused to store the files"):
        here.github.signed_commit(parent=here.main, files={"../b": b"2"}, message="m")


def test_a_token_that_only_reads_contents_is_told_so(here: Place) -> None:
    with here.client_with(contents="read") as github:
        with pytest.raises(GitHubError, match="refused to store a file") as caught:
            github.signed_commit(parent=here.main, files={"b.txt": b"2"}, message="m")

    assert "contents: write" in (caught.value.problems[0].hint or "")


def test_a_branch_is_made(here: Place) -> None:
    here.github.set_branch("gepa-ci/main/a%20#1", here.main, expected=None)

    assert here.tip("gepa-ci/main/a%20#1") == here.main


@pytest.mark.parametrize("name", ["topic", "gepa-ci/main/a%20#1", "%C3%A4;b=c&d"])
def test_a_branch_moves_from_where_it_is_expected(here: Place, name: str) -> None:
    old, new = here.branch(name), here.branch("other", {"b.txt": b"3"})

    here.github.set_branch(name, new, expected=old)

    assert here.tip(name) == new


def test_a_branch_that_is_there_already_is_no_error(here: Place) -> None:
    sha = here.branch("topic")

    here.github.set_branch("topic", sha, expected=None)

    assert here.server.writes == []


def test_a_branch_that_somebody_moved_is_left_alone(here: Place) -> None:
    old, new = here.branch("topic"), here.branch("other", {"b.txt": b"3"})

    with pytest.raises(GitHubError, match=f"'topic' is at {old}, so something else changed it"):
        here.github.set_branch("topic", new, expected=here.main)

    assert here.tip("topic") == old


def test_a_branch_that_somebody_deleted_is_left_alone(here: Place) -> None:
    with pytest.raises(GitHubError, match="'topic' is gone"):
        here.github.set_branch("topic", here.main, expected=here.main)


def test_a_branch_that_somebody_makes_in_between_is_left_alone(here: Place) -> None:
    sha = here.branch("topic")
    here.server.fail_next("GET", "/git/ref/", status=404)

    with pytest.raises(GitHubError, match=f"'topic' is at {sha}"):
        here.github.set_branch("topic", here.main, expected=None)


def test_a_branch_that_somebody_deletes_in_between_stays_deleted(here: Place) -> None:
    body = {"ref": "refs/heads/topic", "object": {"sha": here.main}}
    here.server.fail_next("GET", "/git/ref/", status=200, body=body)

    with pytest.raises(GitHubError, match="'topic' is gone"):
        here.github.set_branch("topic", here.branch("other"), expected=here.main)


def test_a_protected_branch_is_told_by_its_rules(here: Place) -> None:
    here.server.world.protected.add("main")

    with pytest.raises(GitHubError, match="Repository rule violations found") as caught:
        here.github.set_branch("main", here.branch("topic"), expected=here.main)

    assert "protected" in (caught.value.problems[0].hint or "")


def test_a_branch_that_cannot_be_read_is_an_error(here: Place) -> None:
    here.server.fail_next("GET", "/git/ref/", status=403)

    with pytest.raises(GitHubError, match="refused to read the branch 'topic'"):
        here.github.set_branch("topic", here.main, expected=None)


# Artifacts.


def run(here: Place) -> int:
    return here.server.add_run(head_sha=here.main, head_branch="main")


def test_the_newest_artifact_of_the_name_is_fetched_without_the_token(here: Place) -> None:
    number = run(here)
    here.server.add_artifact(number, "result", b"old")
    here.server.add_artifact(number, "result", b"PK new")
    here.server.add_artifact(number, "result-2", b"other")

    assert here.github.artifact(number, "result") == b"PK new"
    assert "authorization" not in here.server.requests[-1].headers


def test_an_artifact_that_is_not_there_or_has_expired_is_none(here: Place) -> None:
    number = run(here)
    here.server.add_artifact(number, "result", b"x", expired=True)

    assert here.github.artifact(number, "result") is None
    assert here.github.artifact(number, "other") is None


def test_an_artifact_that_says_that_it_is_too_large_is_not_fetched(here: Place) -> None:
    number = run(here)
    here.server.add_artifact(number, "result", b"x" * (github_commits.LARGEST_ARTIFACT + 1))

    with pytest.raises(GitHubError, match="'result' is larger than 20 MiB"):
        here.github.artifact(number, "result")

    assert not any("_blob" in request.path for request in here.server.requests)


def test_an_artifact_that_lies_about_its_size_is_read_no_further(here: Place) -> None:
    number = run(here)
    here.server.add_artifact(number, "result", b"x" * (github_commits.LARGEST_ARTIFACT + 1))
    here.server.world.artifacts[0]["size_in_bytes"] = 3

    with pytest.raises(GitHubError, match="larger than 20 MiB"):
        here.github.artifact(number, "result")


def test_an_artifact_that_never_ends_is_read_no_further(here: Place) -> None:
    number = run(here)
    here.server.add_artifact(number, "result", b"x")
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"
    data = head + b"x" * (github_commits.LARGEST_ARTIFACT + 1)
    with HttpServer(lambda _: HttpAnswer(data, Then.HANG)) as store:
        where = {"Location": f"{store.url}/x"}
        here.server.fail_next("GET", "/zip$", status=302, headers=where)

        with pytest.raises(GitHubError, match="larger than 20 MiB"):
            here.github.artifact(number, "result")


@pytest.mark.parametrize("status", [404, 0])
def test_an_artifact_that_its_store_does_not_give_is_an_error(here: Place, status: int) -> None:
    number = run(here)
    here.server.add_artifact(number, "result", b"x")
    here.server.fail_next("GET", "/_blob/", status=status)

    with pytest.raises(GitHubError, match="could not be asked to download the artifact"):
        here.github.artifact(number, "result")


@pytest.mark.parametrize("where", ["file:///etc/passwd", ""])
def test_an_artifact_is_only_fetched_over_http(here: Place, where: str) -> None:
    number = run(here)
    here.server.add_artifact(number, "result", b"x")
    here.server.fail_next("GET", "/zip$", status=302, headers={"Location": where})

    with pytest.raises(GitHubError, match="makes no sense"):
        here.github.artifact(number, "result")
