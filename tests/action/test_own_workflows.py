"""This project's own workflows, executed for real on a copy of this project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import github_events as events
import pytest
from act import PROJECT, Runner
from action_world import World
from github_repository import BOT, BareRepository
from github_server import GitHubServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NEEDED = ("action", "action.yml", "gepa_ci", "prompts", "requirements", "README.md")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[World]:
    """Return this project, as it is on disk, as a repository on the emulated GitHub."""
    git = BareRepository.create(tmp_path / "name.git")
    index = {"GIT_INDEX_FILE": str(tmp_path / "index")}
    git.git(
        "--work-tree",
        str(PROJECT),
        "add",
        "--",
        *map(str, map(PROJECT.joinpath, _NEEDED)),
        env=index,
    )
    tree = git.git("write-tree", env=index).decode().strip()
    git.git("update-ref", "refs/heads/main", git.put_commit("Begin", tree, [], author=BOT))
    with GitHubServer(git) as server:
        runner = Runner(folder=tmp_path / "runner", server=server)
        yield World(server=server, runner=runner, folder=tmp_path)


def test_the_gate_runs_here_without_a_key(own: World) -> None:
    own.head("change", {"README.md": b"# Changed\n"})
    number = own.server.open_pull(head="change")["number"]

    ran = own.run_own(
        "gepa-ci.yml",
        "pull_request",
        events.pull_request(own.server, number),
        checkout=own.merged("change"),
    )

    assert ran.code == 0, ran.log
    assert ran.jobs == {"gate": "success"}
    assert ran.result_of("Gate") == "success"


def test_a_comment_is_answered_here_without_a_key(own: World) -> None:
    own.server.world.roles["ann"] = "write"
    own.head("change", {"README.md": b"# Changed\n"})
    number = own.server.open_pull(head="change")["number"]

    ran = own.run_own(
        "gepa-ci-requests.yml",
        "issue_comment",
        events.issue_comment(own.server, number, "/gepa-ci gate"),
    )

    assert ran.code == 0, ran.log
    assert ran.jobs == {"answer": "success"}


def test_a_task_that_is_not_there_ends_the_nightly_run_here(own: World) -> None:
    payload = events.workflow_dispatch(own.server, task="nothing")

    ran = own.run_own("gepa-ci-nightly.yml", "workflow_dispatch", payload)

    assert ran.exit_codes == (2,)
    assert "there is no task 'nothing'" in ran.log
