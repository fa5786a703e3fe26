"""Runs of the Action that ask somebody else's emulator for all but git's own protocol."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from emulate_server import BOT, INSTALLED, OWNER, TOKENS, WHY_MISSING, Emulate, Twin, running
from forge_world import GOOD, HALF, ForgeWorld, forge_world
from github_repository import BOT as ROBOT
from world import PROMPT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not INSTALLED.exists(), reason=WHY_MISSING)

MARKER = "<!-- gepa-ci:"
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def emulate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulate]:
    with running(tmp_path_factory.mktemp("emulate")) as emulate:
        yield emulate


@contextmanager
def _pair(folder: Path, emulate: Emulate, prompt: bytes) -> Iterator[tuple[ForgeWorld, Twin]]:
    """Give a repository whose git is ours and whose API is the emulator's."""
    name = f"parcels-{next(_NUMBERS)}"
    emulate.ask("POST", "/user/repos", {"name": name})
    with forge_world(folder, prompt=prompt) as world:
        # The emulator ends every message with a line's end, so this one must have it too.
        tree = world.git.text("rev-parse", "main^{tree}")
        root = world.git.put_commit("Begin\n", tree, [], author=ROBOT)
        world.git.git("update-ref", "refs/heads/main", root)
        twin = Twin(emulate, f"{OWNER}/{name}", world.git)
        twin.ask("PUT", f"/collaborators/{BOT}", {"permission": "push"})
        twin.put()
        world.server.world.name = twin.name
        world.server.add_token(TOKENS[BOT])
        # What is pushed stands in the emulator before the push is answered.
        world.server.on_write(lambda _: twin.put())
        world.environment |= {"GITHUB_API_URL": emulate.url, "GEPA_CI_TOKEN": TOKENS[BOT]}
        yield world, twin


def _payload(twin: Twin, **more: Any) -> dict[str, Any]:
    sender = twin.emulate.ask("GET", "/user")
    return {"repository": twin.ask("GET", ""), "sender": sender, **more}


def test_a_worse_prompt_is_blocked_with_one_comment_and_a_red_check(
    emulate: Emulate, tmp_path: Path
) -> None:
    with _pair(tmp_path, emulate, GOOD) as (world, twin):
        world.git.git("branch", "change", "main")
        sha = world.git.commit("change", {PROMPT: HALF}, message="Change\n")
        # Only for the ref of the test merge, which git serves.
        world.server.open_pull(head="change")
        twin.put()
        body = {"head": "change", "base": "main", "title": "Change", "body": ""}
        number = twin.ask("POST", "/pulls", body)["number"]
        pull = twin.ask("GET", f"/pulls/{number}")
        payload = _payload(twin, action="opened", number=number, pull_request=pull)
        ref = world.merge_ref(number)
        runs = [world.run("pull_request", payload, ref=ref) for _ in range(2)]
        asked = [request.path for request in world.server.requests]

    assert [run.code for run in runs] == [1, 1], runs[0].log
    (comment,) = twin.ask("GET", f"/issues/{number}/comments")
    assert comment["body"].startswith(MARKER)
    assert comment["user"]["login"] == BOT
    (run,) = twin.ask("GET", f"/commits/{sha}/check-runs")["check_runs"]
    assert (run["name"], run["conclusion"]) == ("gepa-ci", "failure")
    assert all("/pulls" not in path for path in asked)


def test_a_night_leaves_one_branch_and_one_pull_request_however_often_it_comes(
    emulate: Emulate, tmp_path: Path
) -> None:
    with _pair(tmp_path, emulate, HALF) as (world, twin):
        runs = [world.run("schedule", _payload(twin, schedule="17 3 * * *")) for _ in range(2)]

    assert [run.code for run in runs] == [0, 0], runs[0].log
    (pull,) = twin.ask("GET", "/pulls?state=all")
    assert runs[0].outputs["pull-request-number"] == str(pull["number"])
    assert runs[0].outputs["pull-request-operation"] == "created"
    assert runs[1].outputs["pull-request-operation"] == "none"
    branches = twin.branches()
    assert set(branches) == {"main", "gepa-ci-data", pull["head"]["ref"]}
    assert branches[pull["head"]["ref"]] == pull["head"]["sha"]
    assert twin.show(pull["head"]["sha"], PROMPT) != HALF
