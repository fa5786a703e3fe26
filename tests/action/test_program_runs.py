"""Runs of the Action on a task of three prompt files and a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import github_events
import pytest
from forge_world import ForgeWorld
from github_repository import BareRepository
from github_server import GitHubServer
from pipeline_world import PATHS, PYTHON, answer, pipeline, source
from provider import FakeProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RAN = "the program was run"
CODE = f"print({RAN!r})\n{PYTHON}"


def world(folder: Path, *, rules: bool) -> Iterator[ForgeWorld]:
    with FakeProvider(answer) as provider:
        tree = pipeline(folder / "start", provider, code=CODE, rules=rules, held_out=40)
        files = {
            path.relative_to(tree).as_posix(): path.read_bytes()
            for path in tree.rglob("*")
            if path.is_file()
        }
        git = BareRepository.create(folder / "name.git", files)
        with GitHubServer(git) as server:
            yield ForgeWorld(folder=folder, server=server, provider=provider, git=git, files=files)


@pytest.fixture
def good(tmp_path: Path) -> Iterator[ForgeWorld]:
    """Return a repository whose prompts all state their rules."""
    yield from world(tmp_path, rules=True)


@pytest.fixture
def poor(tmp_path: Path) -> Iterator[ForgeWorld]:
    """Return a repository whose prompts all lack their rules."""
    yield from world(tmp_path, rules=False)


def test_a_pull_request_that_makes_one_of_the_prompts_worse_is_blocked(good: ForgeWorld) -> None:
    worse: dict[str, bytes | None] = {
        "prompts/retrieve.md": source("retrieve").encode(),
        "programs/pipeline.py": b"raise SystemExit('code of the head was run')\n",
    }
    number = good.pull(files=worse)
    ended = good.gate(number, "opened")
    check = good.check(good.head())

    assert ended.code == 1, ended.log
    assert RAN in ended.log
    assert check["title"] == "parcels: regression, 1.00 → 0.75 (-0.25)"
    assert {remark["path"] for remark in check["annotations"]} == {"prompts/retrieve.md"}
    assert "The exam differs between base and head (programs/pipeline.py)" in good.comment(number)


def test_for_a_fork_nothing_of_the_program_is_run(good: ForgeWorld) -> None:
    good.git.git("branch", "theirs", "main")
    head = good.git.commit("theirs", {"prompts/retrieve.md": source("retrieve").encode()})
    number = int(good.server.open_fork_pull(head)["number"])
    ended = good.gate(number, "opened")

    assert ended.code == 0, ended.log
    assert RAN not in ended.log
    assert "comes from a fork, for which no model is called" in ended.log
    assert good.provider.calls == 0


def test_a_night_proposes_all_prompts_that_got_better_in_one_pull_request(
    poor: ForgeWorld,
) -> None:
    ended = poor.run("schedule", github_events.schedule(poor.server))
    (pull,) = poor.server.pulls
    branch = pull["head_ref"]

    assert ended.code == 0, ended.log
    changed = poor.git.text("diff", "--name-only", f"main..{branch}").splitlines()
    assert sorted(changed) == sorted(PATHS)
    assert poor.git.text("rev-list", "--count", f"main..{branch}").strip() == "1"
    assert "Obey rule-2." in poor.git.read(branch, "prompts/answer.md").decode()
    again = poor.run("schedule", github_events.schedule(poor.server))
    assert "Nothing that decides a search was changed" in again.log
