from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from github_repository import BareRepository
from github_server import WORKFLOW_TOKEN, GitHubServer

from gepa_ci.delivery.github_client import GitHub
from gepa_ci.delivery.sticky import put_comment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gepa_ci.delivery.forge import Comment

MARKER = "<!-- gepa-ci:test:v1 -->"


class Together(GitHub):
    """A client that looks for the first time only when all the others look, too."""

    def __init__(self, server: GitHubServer, barrier: threading.Barrier | None = None) -> None:
        super().__init__(WORKFLOW_TOKEN, server.name, api_url=server.api_url, server_url=server.url)
        self._barrier = barrier

    def comments(self, number: int) -> list[Comment]:
        found = super().comments(number)
        barrier, self._barrier = self._barrier, None
        if barrier is not None:
            barrier.wait(20)
        return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitHubServer]:
    git = BareRepository.create(tmp_path / "name.git", {"a.txt": b"1"})
    with GitHubServer(git) as server:
        git.git("branch", "change", "main")
        git.commit("change", {"a.txt": b"2"})
        server.open_pull(head="change", base="main", login="ann")
        yield server


def bodies(server: GitHubServer) -> list[str]:
    return [comment["body"] for comment in server.comments(1)]


def test_a_comment_is_written_once_and_then_changed_in_place(server: GitHubServer) -> None:
    with Together(server) as github:
        put_comment(github, 1, MARKER, "first")
        put_comment(github, 1, MARKER, "second")
        before = len(server.writes)
        put_comment(github, 1, MARKER, "second")

    assert bodies(server) == [f"{MARKER}\nsecond"]
    assert len(server.writes) == before


def test_a_comment_that_is_said_once_is_not_changed(server: GitHubServer) -> None:
    with Together(server) as github:
        put_comment(github, 1, MARKER, "first", edits=False)
        put_comment(github, 1, MARKER, "second", edits=False)

    assert bodies(server) == [f"{MARKER}\nfirst"]


def test_where_there_is_none_none_is_added_unless_wanted(server: GitHubServer) -> None:
    with Together(server) as github:
        put_comment(github, 1, MARKER, "first", adds=False)

    assert bodies(server) == []


def test_somebody_elses_comment_with_our_marker_is_left_alone(server: GitHubServer) -> None:
    theirs = f"{MARKER}\nAll is well."
    server.comment(1, login="eve", body=theirs)
    with Together(server) as github:
        put_comment(github, 1, MARKER, "ours")

    assert bodies(server) == [theirs, f"{MARKER}\nours"]


def test_runs_that_look_at_once_leave_one_comment(server: GitHubServer) -> None:
    count = 5
    barrier = threading.Barrier(count)
    clients = [Together(server, barrier) for _ in range(count)]
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda client: put_comment(client, 1, MARKER, "said"), clients))
    for client in clients:
        client.close()

    assert bodies(server) == [f"{MARKER}\nsaid"]


def test_a_comment_that_is_gone_can_be_deleted_again(server: GitHubServer) -> None:
    with Together(server) as github:
        made = github.add_comment(1, "x")
        github.delete_comment(made.id)
        github.delete_comment(made.id)

    assert bodies(server) == []
