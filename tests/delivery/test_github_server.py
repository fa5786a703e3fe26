"""Tests of the GitHub emulator: what it refuses, what it makes of git, how it fails to order."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from github_repository import BareRepository, GitFailedError, Person, clean_env
from github_server import WORKFLOW_TOKEN, GitHubServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from github_model import Request

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Said:
    """An answer."""

    status: int
    data: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """GitHub's words."""
        return str(self.data["message"])

    @property
    def reason(self) -> str:
        """The first reason of a field."""
        return str(self.data["errors"][0].get("message") or self.data["errors"][0]["field"])


def ask(
    server: GitHubServer,
    method: str,
    path: str,
    body: object = None,
    *,
    token: str | None = WORKFLOW_TOKEN,
    whole: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Said:
    """Send one request."""
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    sent = {"User-Agent": "test", **(headers or {})}
    sent |= {} if token is None else {"Authorization": f"token {token}"}
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    target = path if whole else f"/api/v3/repos/{server.name}{path}"
    try:
        connection.request(method, target, data, sent)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    is_json = content and "json" in (answer.headers["Content-Type"] or "")
    parsed = json.loads(content) if is_json else content
    return Said(answer.status, parsed, dict(answer.headers))


@pytest.fixture(name="repository")
def _repository(tmp_path: Path) -> BareRepository:
    return BareRepository.create(tmp_path / "name.git", {"a.txt": b"1\n2\n3\n", "d/b.txt": b"b"})


@pytest.fixture(name="server")
def _server(repository: BareRepository) -> Iterator[GitHubServer]:
    with GitHubServer(repository) as server:
        yield server


def open_one(server: GitHubServer, **fields: object) -> Said:
    body = {"title": "T", "head": "topic", "base": "main", **fields}
    return ask(server, "POST", "/pulls", body)


@pytest.fixture(name="topic")
def _topic(repository: BareRepository) -> str:
    tip = repository.branches()["main"]
    return repository.commit("topic", {"a.txt": b"1\ntwo\n3\n"}, parent=tip)


# Who may.


def test_a_token_that_it_does_not_know_is_refused(server: GitHubServer) -> None:
    assert ask(server, "GET", "", token="ghs_wrong").status == 401


def test_without_a_token_a_private_repository_is_hidden(server: GitHubServer) -> None:
    assert ask(server, "GET", "/pulls", token=None).status == 404


def test_without_a_token_a_public_repository_is_only_read(server: GitHubServer) -> None:
    server.world.is_private = False

    assert ask(server, "GET", "/pulls", token=None).status == 200
    assert ask(server, "POST", "/pulls", {}, token=None).status == 401


def test_requests_without_a_user_agent_are_refused(server: GitHubServer) -> None:
    assert ask(server, "GET", "", headers={"User-Agent": ""}).status == 403


def test_the_workflow_s_token_does_not_know_its_account(server: GitHubServer) -> None:
    server.add_token("p", login="ann", app=None)

    assert ask(server, "GET", "/api/v3/user", whole=True).status == 403
    assert ask(server, "GET", "/api/v3/user", whole=True, token=None).status == 401
    assert ask(server, "GET", "/api/v3/user", whole=True, token="p").data["login"] == "ann"


@pytest.mark.parametrize(
    ("method", "path", "need"),
    [
        ("GET", "/pulls", "pull-requests"),
        ("POST", "/pulls", "pull-requests"),
        ("POST", "/issues/1/comments", "issues"),
        ("POST", "/check-runs", "checks"),
        ("POST", f"/statuses/{'0' * 40}", "statuses"),
        ("POST", "/git/blobs", "contents"),
        ("GET", "/actions/runs/1", "actions"),
    ],
)
def test_an_endpoint_takes_its_permission(
    server: GitHubServer, method: str, path: str, need: str
) -> None:
    others = {"contents", "pull-requests", "issues", "checks", "statuses", "actions"} - {need}
    others -= {"pull-requests"} if need == "issues" else set()
    server.add_token("less", permissions=dict.fromkeys(others, "write"))
    server.add_token("read", permissions={need: "read"})

    said = ask(server, method, path, {} if method == "POST" else None, token="less")

    assert (said.status, said.message) == (403, "Resource not accessible by integration")
    with_read = ask(server, method, path, {} if method == "POST" else None, token="read").status
    assert (with_read == 403) == (method == "POST")


@pytest.mark.parametrize(
    "path", ["/nothing", "/pulls/99", "/issues/9/comments", "/git/ref/heads/x"]
)
def test_what_is_not_there_is_not_found(server: GitHubServer, path: str) -> None:
    assert ask(server, "GET", path).status == 404


def test_another_repository_is_not_found(server: GitHubServer) -> None:
    assert ask(server, "GET", "/api/v3/repos/owner/other", whole=True).status == 404
    assert ask(server, "GET", "/repos/owner/name", whole=True).status == 404


def test_a_body_that_is_no_json_is_refused(server: GitHubServer) -> None:
    assert ask(server, "POST", "/pulls", b"{oops").message == "Problems parsing JSON"


def test_the_primary_budget_runs_out(server: GitHubServer) -> None:
    server.world.budget = 1

    assert ask(server, "GET", "").headers["X-RateLimit-Remaining"] == "0"
    said = ask(server, "GET", "")
    assert said.status == 403
    assert said.message.startswith("API rate limit exceeded")


def test_the_rest_of_the_budget_is_told(server: GitHubServer) -> None:
    said = ask(server, "GET", "/api/v3/rate_limit", whole=True)

    assert said.data["rate"]["remaining"] == 14_999


# Pull requests.


def test_a_pull_request_has_git_s_commits(
    server: GitHubServer, repository: BareRepository, topic: str
) -> None:
    said = open_one(server, body="B")

    assert (said.status, said.data["number"], said.data["head"]["sha"]) == (201, 1, topic)
    assert said.data["base"]["sha"] == repository.branches()["main"]
    assert said.data["user"]["login"] == "github-actions[bot]"
    assert repository.sha("refs/pull/1/head") == topic


def test_lists_do_not_say_whether_it_is_merged(server: GitHubServer, topic: str) -> None:
    open_one(server)

    assert "merged" not in ask(server, "GET", "/pulls").data[0]
    assert ask(server, "GET", "/pulls/1").data["merged"] is False


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"title": ""}, "title"),
        ({"title": 3}, "title"),
        ({"head": "gone"}, "head"),
        ({"base": "gone"}, "base"),
        ({"head": "main"}, "No commits between main and main"),
        ({"body": "x" * 65_537}, "body is too long (maximum is 65536 characters)"),
    ],
)
def test_a_wrong_pull_request_is_refused(
    server: GitHubServer, topic: str, fields: dict[str, object], reason: str
) -> None:
    said = open_one(server, **fields)

    assert (said.status, said.reason) == (422, reason)


def test_a_second_one_for_the_same_branches_is_refused(server: GitHubServer, topic: str) -> None:
    open_one(server)

    said = open_one(server)

    assert (said.status, said.reason) == (422, "A pull request already exists for owner:topic.")


def test_the_switch_of_the_settings_holds_for_the_workflow_only(
    server: GitHubServer, topic: str
) -> None:
    server.world.may_actions_open_pulls = False
    server.add_token("p", login="ann", app=None)

    assert open_one(server).status == 403
    body = {"title": "T", "head": "topic", "base": "main"}
    assert ask(server, "POST", "/pulls", body, token="p").status == 201


def test_a_push_shows_in_the_pull_request(
    server: GitHubServer, repository: BareRepository, topic: str
) -> None:
    open_one(server)
    newer = repository.commit("topic", {"a.txt": b"4\n"})

    assert ask(server, "GET", "/pulls/1").data["head"]["sha"] == newer
    assert repository.sha("refs/pull/1/head") == newer


def test_a_pull_request_whose_branch_is_deleted_is_closed(
    server: GitHubServer, repository: BareRepository, topic: str
) -> None:
    open_one(server)
    assert ask(server, "DELETE", "/git/refs/heads/topic").status == 204

    assert server.pulls[0]["state"] == "closed"
    assert ask(server, "PATCH", "/pulls/1", {"state": "open"}).status == 422


def test_a_pull_request_whose_commits_are_pushed_to_its_base_is_merged(
    server: GitHubServer, repository: BareRepository, topic: str
) -> None:
    open_one(server)
    repository.git("update-ref", "refs/heads/main", topic)

    assert ask(server, "GET", "/pulls/1").data["merged"] is True


@pytest.mark.parametrize("method", ["merge", "squash"])
def test_the_button_merges(
    server: GitHubServer, repository: BareRepository, topic: str, method: str
) -> None:
    open_one(server)

    said = ask(server, "PUT", "/pulls/1/merge", {"merge_method": method})

    assert repository.read("main", "a.txt") == b"1\ntwo\n3\n"
    assert len(repository.commit_row(said.data["sha"])["parents"]) == (
        2 if method == "merge" else 1
    )
    assert ask(server, "GET", "/pulls/1").data["merged"] is True
    assert ask(server, "PUT", "/pulls/1/merge", {}).status == 405


def test_a_closed_one_cannot_be_opened_beside_its_twin(server: GitHubServer, topic: str) -> None:
    open_one(server)
    ask(server, "PATCH", "/pulls/1", {"state": "closed"})
    open_one(server)

    assert "already an open one" in ask(server, "PATCH", "/pulls/1", {"state": "open"}).reason


def test_states_and_bases_are_changed_by_name(
    server: GitHubServer, repository: BareRepository, topic: str
) -> None:
    repository.commit("release", {"c": b""}, parent=repository.branches()["main"])
    open_one(server)

    assert ask(server, "PATCH", "/pulls/1", {"state": "merged"}).status == 422
    said = ask(server, "PATCH", "/pulls/1", {"base": "release", "title": "U", "body": ""})
    assert (said.data["base"]["ref"], said.data["title"], said.data["body"]) == (
        "release",
        "U",
        None,
    )


def test_lists_filter_by_state_and_base_and_a_head_with_its_owner(
    server: GitHubServer, repository: BareRepository, topic: str
) -> None:
    repository.commit("other", {"c": b""}, parent=repository.branches()["main"])
    for head in ("topic", "other"):
        open_one(server, head=head)
    ask(server, "PATCH", "/pulls/1", {"state": "closed"})

    def numbers(query: str) -> list[int]:
        return [row["number"] for row in ask(server, "GET", f"/pulls?{query}").data]

    assert numbers("") == [2]
    assert numbers("state=all") == [2, 1]
    assert numbers("state=all&direction=asc") == [1, 2]
    assert numbers("state=all&head=owner:topic") == [1]
    assert numbers("state=all&head=topic") == [2, 1]
    assert numbers("base=release") == []


def test_pages_are_linked(server: GitHubServer, topic: str) -> None:
    open_one(server)
    for index in range(250):
        server.comment(1, body=str(index))

    first = ask(server, "GET", "/issues/1/comments")
    second = ask(server, "GET", "/issues/1/comments?per_page=500&page=2")

    assert (len(first.data), len(second.data)) == (30, 100)
    assert 'page=2>; rel="next"' in first.headers["Link"]
    assert "per_page=500&page=3>" in second.headers["Link"]
    assert 'rel="prev"' in second.headers["Link"]
    last = ask(server, "GET", "/issues/1/comments?per_page=100&page=3")
    assert len(last.data) == 50
    assert 'rel="next"' not in last.headers["Link"]


def test_files_and_commits_of_a_pull_request_are_git_s(
    server: GitHubServer, repository: BareRepository, topic: str
) -> None:
    newer = repository.commit("topic", {"d/b.txt": None, "d/c.txt": b"b"})
    open_one(server)

    files = ask(server, "GET", "/pulls/1/files").data
    commits = ask(server, "GET", "/pulls/1/commits").data

    assert [(file["filename"], file["status"]) for file in files] == [
        ("a.txt", "modified"),
        ("d/c.txt", "renamed"),
    ]
    assert files[1]["previous_filename"] == "d/b.txt"
    assert [row["sha"] for row in commits] == [topic, newer]
    assert ask(server, "GET", f"/commits/{newer}/pulls").data[0]["number"] == 1
    assert ask(server, "GET", f"/commits/{'f' * 40}/pulls").status == 422


# Comments, labels, people.


def test_a_comment_is_read_changed_and_deleted(server: GitHubServer, topic: str) -> None:
    open_one(server)
    made = ask(server, "POST", "/issues/1/comments", {"body": "a"}).data["id"]

    assert ask(server, "PATCH", f"/issues/comments/{made}", {"body": "b"}).status == 200
    assert ask(server, "GET", f"/issues/comments/{made}").data["body"] == "b"
    assert ask(server, "DELETE", f"/issues/comments/{made}").status == 204
    assert ask(server, "GET", f"/issues/comments/{made}").status == 404


@pytest.mark.parametrize("body", ["", None, "x" * 65_537])
def test_a_wrong_comment_is_refused(server: GitHubServer, topic: str, body: object) -> None:
    open_one(server)

    assert ask(server, "POST", "/issues/1/comments", {"body": body}).status == 422


def test_a_comment_is_reacted_to(server: GitHubServer, topic: str) -> None:
    open_one(server)
    made = server.comment(1, body="/gepa-ci gate")["id"]

    path = f"/issues/comments/{made}/reactions"
    assert ask(server, "POST", path, {"content": "eyes"}).status == 201
    assert ask(server, "POST", path, {"content": "wink"}).status == 422
    assert [row["content"] for row in server.world.reactions] == ["eyes"]


def test_labels_are_made_and_taken_away(server: GitHubServer, topic: str) -> None:
    open_one(server)

    assert ask(server, "POST", "/issues/1/labels", {"labels": ["a b", "c"]}).status == 200
    assert ask(server, "DELETE", "/issues/1/labels/a%20b").data == [{"name": "c"}]
    assert ask(server, "DELETE", "/issues/1/labels/a%20b").status == 404
    assert ask(server, "POST", "/issues/1/labels", {"labels": ["x" * 51]}).status == 422
    assert ask(server, "POST", "/issues/1/labels", {"labels": "x"}).status == 422


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"line": 9}, "line must be part of the diff"),
        ({"line": 0}, "line"),
        ({"line": 1, "start_line": 2}, "line"),
        ({"line": 1, "start_line": 1}, "start_line must precede the end line."),
        ({"path": "d/b.txt"}, "path could not be resolved"),
        ({"commit_id": "f" * 40}, "commit_id is not part of the pull request"),
    ],
)
def test_a_remark_outside_the_diff_is_refused(
    server: GitHubServer, topic: str, fields: dict[str, object], reason: str
) -> None:
    open_one(server)
    body = {"body": "x", "path": "a.txt", "commit_id": topic, "line": 2, **fields}

    said = ask(server, "POST", "/pulls/1/comments", body)

    assert (said.status, said.reason) == (422, reason)


def test_permissions_are_told_as_the_old_words_and_the_role(server: GitHubServer) -> None:
    server.world.roles |= {"ann": "maintain", "bob": "custom"}
    server.world.account("cy")

    def said(login: str) -> tuple[str, str]:
        data = ask(server, "GET", f"/collaborators/{login}/permission").data
        return data["permission"], data["role_name"]

    assert said("ann") == ("write", "maintain")
    assert said("bob") == ("read", "custom")
    assert said("cy") == ("none", "none")


# Checks and statuses.


def start_check(server: GitHubServer, sha: str, **fields: object) -> Said:
    body = {"name": "c", "head_sha": sha, "conclusion": "success", **fields}
    return ask(server, "POST", "/check-runs", body)


ANNOTATION = {
    "path": "a.txt",
    "start_line": 1,
    "end_line": 1,
    "annotation_level": "notice",
    "message": "m",
}


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"head_sha": "f" * 40},
        {"conclusion": "great"},
        {"conclusion": None, "status": "completed"},
        {"status": "half"},
        {"output": {"title": "t"}},
        {"output": {"summary": "s"}},
        {"output": {"title": "t", "summary": "s" * 65_536}},
        {"output": {"title": "t" * 256, "summary": "s"}},
        {"output": {"title": "t", "summary": "s", "annotations": [ANNOTATION] * 51}},
        *(
            {"output": {"title": "t", "summary": "s", "annotations": [{**ANNOTATION, **wrong}]}}
            for wrong in (
                {"path": ""},
                {"start_line": "1"},
                {"end_line": 0},
                {"start_line": 2},
                {"annotation_level": "bad"},
                {"message": "x" * 70_000},
            )
        ),
    ],
)
def test_a_wrong_check_run_is_refused(
    server: GitHubServer, topic: str, fields: dict[str, object]
) -> None:
    assert start_check(server, topic, **fields).status == 422
    assert server.world.checks == []


def test_annotations_add_up(server: GitHubServer, topic: str) -> None:
    output = {"title": "t", "summary": "s", "annotations": [ANNOTATION] * 50}
    made = start_check(server, topic, output=output).data["id"]

    said = ask(server, "PATCH", f"/check-runs/{made}", {"output": output})

    assert said.data["output"]["annotations_count"] == 100
    assert len(ask(server, "GET", f"/check-runs/{made}/annotations?per_page=100").data) == 100


def test_a_check_run_starts_before_it_ends(server: GitHubServer, topic: str) -> None:
    made = start_check(server, topic, conclusion=None, status="in_progress").data["id"]
    assert ask(server, "GET", f"/check-runs/{made}").data["status"] == "in_progress"

    ask(server, "PATCH", f"/check-runs/{made}", {"conclusion": "neutral"})

    assert ask(server, "GET", f"/check-runs/{made}").data["status"] == "completed"
    assert ask(server, "GET", "/check-runs/1").status == 404


def test_check_runs_are_for_apps_and_changed_by_their_own(server: GitHubServer, topic: str) -> None:
    server.add_token("p", login="ann", app=None)
    server.add_token("other", login="other[bot]", app="other")
    made = start_check(server, topic).data["id"]

    body = {"name": "c", "head_sha": topic}
    assert ask(server, "POST", "/check-runs", body, token="p").status == 403
    assert ask(server, "PATCH", f"/check-runs/{made}", {}, token="other").status == 403


def test_the_latest_check_run_of_a_name_hides_the_older(server: GitHubServer, topic: str) -> None:
    for name in ("c", "c", "d"):
        start_check(server, topic, name=name)

    def count(query: str) -> int:
        return int(ask(server, "GET", f"/commits/topic/check-runs?{query}").data["total_count"])

    assert (count(""), count("filter=all"), count("check_name=c")) == (2, 3, 1)


def test_a_status_is_short(server: GitHubServer, topic: str) -> None:
    good = {"state": "success", "description": "d", "context": "c"}

    assert ask(server, "POST", f"/statuses/{topic}", good).status == 201
    assert ask(server, "POST", f"/statuses/{topic}", {"state": "neutral"}).status == 422
    assert (
        ask(server, "POST", f"/statuses/{topic}", {**good, "description": "x" * 141}).status == 422
    )
    assert ask(server, "POST", f"/statuses/{'f' * 40}", good).status == 422
    assert [row["context"] for row in ask(server, "GET", "/commits/topic/statuses").data] == ["c"]
    assert server.statuses(topic)[0]["state"] == "success"


# Git's data.


def test_a_branch_of_api_commits_is_a_branch_of_git(
    server: GitHubServer, repository: BareRepository
) -> None:
    main = repository.branches()["main"]
    content = base64.b64encode(b"\xff").decode()
    blob = ask(server, "POST", "/git/blobs", {"content": content, "encoding": "base64"}).data["sha"]
    rows = [
        {"path": "x/y", "mode": "100644", "type": "blob", "sha": blob},
        {"path": "z", "mode": "100644", "type": "blob", "content": "z"},
        {"path": "a.txt", "mode": "100644", "type": "blob", "sha": None},
    ]
    tree = ask(server, "POST", "/git/trees", {"base_tree": main, "tree": rows}).data["sha"]
    body = {"message": "m", "tree": tree, "parents": [main]}
    made = ask(server, "POST", "/git/commits", body).data

    assert made["verification"]["verified"] is True
    said = ask(server, "POST", "/git/refs", {"ref": "refs/heads/new", "sha": made["sha"]})
    assert said.data["url"].endswith("/git/refs/heads/new")
    assert repository.read("new", "x/y") == b"\xff"
    with pytest.raises(GitFailedError):
        repository.read("new", "a.txt")
    assert ask(server, "GET", f"/git/commits/{made['sha']}").data["tree"]["sha"] == tree
    paths = [
        row["path"] for row in ask(server, "GET", f"/git/trees/{tree}?recursive=1").data["tree"]
    ]
    assert paths == ["d", "d/b.txt", "x", "x/y", "z"]
    assert ask(server, "GET", f"/git/trees/{main}").data["tree"][0]["path"] == "a.txt"
    assert base64.b64decode(ask(server, "GET", f"/git/blobs/{blob}").data["content"]) == b"\xff"


def test_a_commit_with_an_author_is_not_signed(
    server: GitHubServer, repository: BareRepository
) -> None:
    tree = repository.commit_row(repository.branches()["main"])["tree"]["sha"]
    author = {"name": "Ann", "email": "ann@example.com"}

    said = ask(server, "POST", "/git/commits", {"message": "m", "tree": tree, "author": author})

    assert said.data["author"]["name"] == "Ann"
    assert said.data["verification"]["verified"] is False


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("blobs", {}),
        ("blobs", {"content": "?", "encoding": "base64"}),
        ("blobs", {"content": "?", "encoding": "rot13"}),
        ("trees", {"tree": []}),
        ("trees", {"base_tree": "f" * 40, "tree": [{}]}),
        ("trees", {"tree": [{"path": "../x", "mode": "100644", "content": ""}]}),
        ("trees", {"tree": [{"path": "x", "mode": "777", "content": ""}]}),
        ("trees", {"tree": [{"path": "x", "mode": "100644", "sha": "f" * 40}]}),
        ("commits", {"message": "m", "tree": "f" * 40}),
        ("commits", {"message": "", "tree": "f" * 40}),
        ("refs", {"ref": "refs/heads/x", "sha": "f" * 40}),
        ("refs", {"ref": "refs/heads/x", "sha": "main"}),
    ],
)
def test_wrong_git_objects_are_refused(
    server: GitHubServer, path: str, body: dict[str, object]
) -> None:
    assert ask(server, "POST", f"/git/{path}", body).status == 422


def test_a_commit_with_no_such_parent_is_refused(
    server: GitHubServer, repository: BareRepository
) -> None:
    tree = repository.commit_row(repository.branches()["main"])["tree"]["sha"]
    body = {"message": "m", "tree": tree, "parents": ["f" * 40]}

    assert ask(server, "POST", "/git/commits", body).message.startswith("Parent SHA")


def test_refs_are_made_moved_and_deleted_by_their_rules(
    server: GitHubServer, repository: BareRepository, topic: str
) -> None:
    main = repository.branches()["main"]
    new = {"ref": "refs/heads/topic", "sha": main}

    assert ask(server, "POST", "/git/refs", new).message == "Reference already exists"
    assert ask(server, "POST", "/git/refs", {**new, "ref": "refs/heads/a..b"}).status == 422
    assert ask(server, "POST", "/git/refs", {**new, "ref": "refs/pull/1/head"}).status == 422
    back = ask(server, "PATCH", "/git/refs/heads/topic", {"sha": main})
    assert back.message == "Update is not a fast forward"
    forced = ask(server, "PATCH", "/git/refs/heads/topic", {"sha": main, "force": True})
    assert forced.data["object"]["sha"] == main
    assert ask(server, "GET", "/git/ref/heads/topic").data["object"]["sha"] == main
    assert len(ask(server, "GET", "/git/matching-refs/heads/t").data) == 1
    assert ask(server, "DELETE", "/git/refs/heads/topic").status == 204
    assert ask(server, "DELETE", "/git/refs/heads/topic").status == 422
    assert ask(server, "PATCH", "/git/refs/heads/topic", {"sha": main}).status == 422


def test_a_protected_branch_is_neither_moved_nor_deleted(server: GitHubServer, topic: str) -> None:
    server.world.protected |= {"main", "new"}

    assert ask(server, "PATCH", "/git/refs/heads/main", {"sha": topic}).status == 422
    assert ask(server, "DELETE", "/git/refs/heads/main").status == 422
    assert ask(server, "POST", "/git/refs", {"ref": "refs/heads/new", "sha": topic}).status == 422
    assert ask(server, "GET", "/branches/main").data["protected"] is True


def test_commits_branches_and_contents_are_git_s(
    server: GitHubServer, repository: BareRepository, topic: str
) -> None:
    said = ask(server, "GET", "/contents/a.txt?ref=topic").data
    assert base64.b64decode(said["content"]) == b"1\ntwo\n3\n"
    assert ask(server, "GET", "/contents/nothing").status == 404
    assert ask(server, "GET", "/branches/topic").data["commit"]["sha"] == topic
    assert ask(server, "GET", "/branches/nothing").status == 404
    commit = ask(server, "GET", "/commits/topic").data
    assert (commit["sha"], commit["files"][0]["filename"]) == (topic, "a.txt")
    assert ask(server, "GET", "/commits/main").data["files"] == []
    assert ask(server, "GET", "/commits/nothing").status == 422


def test_branches_are_compared(
    server: GitHubServer, repository: BareRepository, topic: str
) -> None:
    def status(pair: str) -> str:
        return str(ask(server, "GET", f"/compare/{pair}").data["status"])

    assert status("main...topic") == "ahead"
    assert status("topic...main") == "behind"
    assert status("main...main") == "identical"
    repository.commit("main", {"e": b""}, person=Person(name="Ann", email="ann@example.com"))
    assert status("main...topic") == "diverged"


# Runs and artifacts.


def test_an_artifact_is_found_behind_a_redirect_that_takes_no_token(
    server: GitHubServer, topic: str
) -> None:
    run = server.add_run(head_sha=topic, head_branch="topic")
    made = server.add_artifact(run, "a", b"PK")
    old = server.add_artifact(run, "b", b"PK", expired=True)

    said = ask(server, "GET", f"/actions/artifacts/{made}/zip")
    where = said.headers["Location"].removeprefix(server.url)

    assert said.status == 302
    assert ask(server, "GET", where, whole=True, token=None).data == b"PK"
    assert ask(server, "GET", where, whole=True).status == 400
    assert ask(server, "GET", "/_blob/1", whole=True, token=None).status == 404
    assert ask(server, "GET", f"/actions/artifacts/{old}/zip").status == 410
    assert ask(server, "GET", f"/actions/artifacts/{made}/tar").status == 404
    assert ask(server, "GET", f"/actions/runs/{run}/artifacts?name=a").data["total_count"] == 1
    assert ask(server, "GET", "/actions/runs/1/artifacts").status == 404


# Git over HTTP.


def git(
    server: GitHubServer, *arguments: str, token: str | None = WORKFLOW_TOKEN, cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run a git client whose address for `origin` has a token."""
    user = "" if token is None else f"x-access-token:{token}@"
    origin = server.clone_url.replace("http://", f"http://{user}")
    person = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    return subprocess.run(
        ["git", *person, *(origin if word == "ORIGIN" else word for word in arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=clean_env(),
    )


@pytest.fixture(name="clone")
def _clone(server: GitHubServer, tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    assert git(server, "clone", "--depth=1", "ORIGIN", str(folder), cwd=tmp_path).returncode == 0
    (folder / "a.txt").write_text("pushed\n", encoding="utf-8")
    assert git(server, "commit", "-qam", "Push", cwd=folder).returncode == 0
    return folder


def test_a_push_over_git_shows_in_the_api(
    server: GitHubServer, repository: BareRepository, clone: Path
) -> None:
    done = git(server, "push", "ORIGIN", "HEAD:refs/heads/topic", cwd=clone)

    assert done.returncode == 0, done.stderr
    assert open_one(server).data["head"]["sha"] == repository.branches()["topic"]
    assert server.writes[0].body == {"topic": repository.branches()["topic"]}


def test_a_large_push_arrives_whole(
    server: GitHubServer, repository: BareRepository, clone: Path
) -> None:
    content = os.urandom(1 << 21)
    (clone / "big").write_bytes(content)
    git(server, "add", "big", cwd=clone)
    git(server, "commit", "-qm", "Big", cwd=clone)

    assert git(server, "push", "ORIGIN", "HEAD:refs/heads/big", cwd=clone).returncode == 0
    assert repository.read("big", "big") == content


def test_a_commit_of_the_api_is_fetched_by_its_id(
    server: GitHubServer, clone: Path, topic: str
) -> None:
    assert git(server, "fetch", "--depth=1", "ORIGIN", topic, cwd=clone).returncode == 0
    assert git(server, "cat-file", "-t", topic, cwd=clone).stdout == "commit\n"


def test_the_address_works_without_its_ending(server: GitHubServer, tmp_path: Path) -> None:
    assert git(server, "ls-remote", "ORIGIN", cwd=tmp_path).returncode == 0
    origin = f"http://x-access-token:{WORKFLOW_TOKEN}@{server.url[7:]}/{server.name}"
    assert git(server, "ls-remote", origin, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("token", [None, "ghs_wrong"])
def test_a_stranger_gets_nothing(server: GitHubServer, tmp_path: Path, token: str | None) -> None:
    assert git(server, "ls-remote", "ORIGIN", token=token, cwd=tmp_path).returncode == 128


@pytest.mark.parametrize(
    "value", ["Bearer ghs_workflow", "Basic !!!", "Basic /w==", "Basic YW5uOmdoc193b3JrZmxvdw=="]
)
def test_other_ways_to_sign_in_are_refused(server: GitHubServer, value: str) -> None:
    path = f"/{server.name}.git/info/refs?service=git-upload-pack"

    said = ask(server, "GET", path, whole=True, token=None, headers={"Authorization": value})

    assert (said.status, said.headers["WWW-Authenticate"]) == (401, 'Basic realm="GitHub"')


def test_a_public_repository_is_cloned_by_anybody_and_pushed_to_by_nobody(
    server: GitHubServer, clone: Path
) -> None:
    server.world.is_private = False

    assert git(server, "ls-remote", "ORIGIN", token=None, cwd=clone).returncode == 0
    assert git(server, "push", "ORIGIN", "HEAD:refs/heads/x", token=None, cwd=clone).returncode


def test_a_token_that_only_reads_cannot_push(server: GitHubServer, clone: Path) -> None:
    server.add_token("read", permissions={"contents": "read"})

    assert git(server, "ls-remote", "ORIGIN", token="read", cwd=clone).returncode == 0
    done = git(server, "push", "ORIGIN", "HEAD:refs/heads/x", token="read", cwd=clone)
    assert done.returncode != 0
    assert "403" in done.stderr


@pytest.mark.parametrize(
    ("ref", "words"),
    [("refs/heads/main", "GH006: Protected branch"), ("refs/pull/1/head", "hidden ref")],
)
def test_protected_refs_are_not_pushed_to(
    server: GitHubServer, repository: BareRepository, clone: Path, ref: str, words: str
) -> None:
    server.world.protected.add("main")
    before = repository.branches()

    done = git(server, "push", "ORIGIN", f"+HEAD:{ref}", cwd=clone)

    assert done.returncode == 1
    assert words in done.stderr
    assert repository.branches() == before
    assert server.writes == []


def test_workflow_files_take_a_permission_of_their_own(server: GitHubServer, clone: Path) -> None:
    folder = clone / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "ci.yml").write_text("on: push\n", encoding="utf-8")
    git(server, "add", ".github", cwd=clone)
    git(server, "commit", "-qm", "CI", cwd=clone)
    server.add_token("more", permissions={"contents": "write", "workflows": "write"})

    done = git(server, "push", "ORIGIN", "HEAD:refs/heads/ci", cwd=clone)

    assert "without `workflows` permission" in done.stderr
    assert (
        git(server, "push", "ORIGIN", "HEAD:refs/heads/ci", token="more", cwd=clone).returncode == 0
    )


def test_a_lease_holds_against_what_the_api_did(
    server: GitHubServer, repository: BareRepository, clone: Path, topic: str
) -> None:
    lease = f"--force-with-lease=refs/heads/topic:{repository.branches()['main']}"

    done = git(server, "push", lease, "ORIGIN", "HEAD:refs/heads/topic", cwd=clone)

    assert "stale info" in done.stderr
    assert repository.branches()["topic"] == topic


# Faults.


def test_requests_fail_to_order(server: GitHubServer) -> None:
    server.fail_next("GET", "/pulls", status=502, times=2)

    assert [ask(server, "GET", "/pulls").status for _ in range(3)] == [502, 502, 200]
    assert [request.status for request in server.requests] == [502, 502, 200]


def test_every_third_request_fails_to_order(server: GitHubServer) -> None:
    server.fail_next("*", "/pulls", every=3, times=2)

    statuses = [ask(server, "GET", "/pulls").status for _ in range(9)]

    assert statuses == [200, 200, 502, 200, 200, 502, 200, 200, 200]


def test_a_request_takes_effect_and_its_answer_is_lost(server: GitHubServer, topic: str) -> None:
    server.fail_next("POST", "/pulls$", status=0, done_first=True)

    with pytest.raises(RemoteDisconnected):
        open_one(server)

    assert len(server.pulls) == 1
    assert len(server.writes) == 1


def test_a_push_fails_to_order(
    server: GitHubServer, repository: BareRepository, clone: Path
) -> None:
    server.fail_next("POST", "git-receive-pack", status=502)

    assert git(server, "push", "ORIGIN", "HEAD:refs/heads/x", cwd=clone).returncode != 0
    assert "x" not in repository.branches()


def test_limits_come_as_github_s(server: GitHubServer) -> None:
    server.limit_primary()
    server.limit_secondary(retry_after=3)

    primary, secondary = ask(server, "GET", ""), ask(server, "GET", "")

    assert (primary.status, primary.headers["x-ratelimit-remaining"]) == (403, "0")
    assert (secondary.status, secondary.headers["Retry-After"]) == (403, "3")


def test_somebody_is_killed_after_so_many_writes(server: GitHubServer, topic: str) -> None:
    killed = threading.Event()
    open_one(server)
    server.kill_after(2, killed.set)

    ask(server, "POST", "/issues/1/comments", {"body": "1"})
    assert not killed.is_set()
    with pytest.raises(RemoteDisconnected):
        ask(server, "POST", "/issues/1/comments", {"body": "2"})

    assert killed.is_set()
    assert len(server.comments(1)) == 2
    assert ask(server, "POST", "/issues/1/comments", {"body": "3"}).status == 201


def test_who_wants_to_hears_of_every_write(server: GitHubServer, topic: str) -> None:
    heard: list[Request] = []
    server.on_write(heard.append)

    open_one(server)
    open_one(server)
    ask(server, "GET", "/pulls")

    assert [(request.method, request.status) for request in heard] == [("POST", 201)]


def test_an_endpoint_that_breaks_fails_the_test(repository: BareRepository) -> None:
    with pytest.raises(AttributeError):
        with GitHubServer(repository) as server:
            del server.world.git
            assert ask(server, "GET", "").status == 500


# A process of its own.


def test_as_a_process_it_keeps_what_it_knows(
    repository: BareRepository, tmp_path: Path, topic: str
) -> None:
    state = tmp_path / "state.json"
    command = [sys.executable, str(HERE / "github_server.py"), "--git", str(repository.path)]
    for status in (201, 422):
        process = subprocess.Popen(
            [*command, "--state-file", str(state)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            connection = HTTPConnection(re.sub("^http://", "", url), timeout=10)
            body = json.dumps({"title": "T", "head": "topic", "base": "main"})
            headers = {"User-Agent": "t", "Authorization": f"Bearer {WORKFLOW_TOKEN}"}
            connection.request("POST", "/api/v3/repos/owner/name/pulls", body, headers)
            answer = connection.getresponse()
            answer.read()
            connection.close()
            assert answer.status == status
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)
            assert process.stdout is not None
            process.stdout.close()
        assert process.returncode == 0
    saved = json.loads(state.read_text(encoding="utf-8"))
    assert [row["number"] for row in saved["pulls"]] == [1]
    assert saved["requests"][0]["status"] == 422
