"""Tests of runs that are killed: the next one leaves exactly what an undisturbed one would have."""

from __future__ import annotations

import itertools
import signal
from functools import partial
from typing import TYPE_CHECKING

import pytest
from night_world import Night, Nights, open_nights, state_of
from world import PROMPT, PROMPT_SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Prepare = Callable[[Night], object]

CHANGED = PROMPT_SOURCE.replace("Name the code", "Say the code").encode()
MOST = 12


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    """Return worlds that begin fresh, or after one night that proposed a prompt."""
    folder = tmp_path_factory.mktemp("nights")
    with open_nights(folder) as nights:
        with nights.world(folder / "night-1") as world:
            ended = world.night()
            assert ended.code == 0, ended.log
            nights.keep("proposed", world)
        yield nights


def something_better(world: Night) -> None:
    """Let the next search find another prompt."""
    world.grow_suite()
    world.minds.verb = "Follow"


def nothing_better(world: Night) -> None:
    """Let the next search find nothing, for a prompt that was changed."""
    world.git.commit("main", {PROMPT: CHANGED})
    world.minds.rules = ()


@pytest.mark.parametrize(
    ("event", "prepare", "effects"),
    [
        ("schedule", something_better, 4),
        ("schedule", nothing_better, 4),
        ("push", lambda _: None, 1),
    ],
    ids=["updated", "closed", "recorded"],
)
def test_killed_after_every_effect_it_ends_as_if_it_had_not_been(
    nights: Nights, tmp_path: Path, event: str, prepare: Prepare, effects: int
) -> None:
    with nights.world(tmp_path / "undisturbed", after="proposed") as world:
        prepare(world)
        assert run(world, event) == 0
        assert len(world.server.writes) == effects
        expected = state_of(world)

    with nights.world(tmp_path / "killed", after="proposed") as world:
        prepare(world)
        crashes = kill_after_each_write(world, event)

        assert crashes == effects
        assert run(world, event) == 0
        assert state_of(world) == expected


def test_a_first_night_that_was_killed_ten_times_leaves_what_one_that_was_not_does(
    nights: Nights, tmp_path: Path
) -> None:
    with nights.world(tmp_path / "undisturbed", after="proposed") as world:
        expected = state_of(world)

    with nights.world(tmp_path / "killed") as world:
        # Before the use is on record, before the push, before the pull request, before the end.
        # None is among the requests of a push: git outlives its parent and sends it again.
        moments = (1, 3, None, 7, None, 10, 17, None, 16, None)
        ends = [world.killed("schedule", partial(doom, world, reads)) for reads in moments]

        assert ends == [-signal.SIGKILL] * 10
        assert len(world.server.writes) == 4
        assert run(world, "schedule") == 0
        assert state_of(world) == expected


def test_a_signed_proposal_that_was_killed_at_every_step_is_there_once(
    nights: Nights, tmp_path: Path
) -> None:
    with nights.world(tmp_path) as world:
        # A run begins the commit's objects anew, so each gets one effect further than the last.
        for writes in (1, 2, 3, 4, 1):
            doomed = partial(world.server.kill_after, writes)
            assert world.killed("schedule", doomed, sign_commits="true") == -signal.SIGKILL
        assert world.night(sign_commits="true").code == 0

        (pull,) = world.server.pulls
        assert pull["head_sha"] in world.server.world.verified
        assert world.head(world.own_branch) == pull["head_sha"]
        assert world.git.text("rev-list", "--count", f"main..{world.own_branch}") == "1"
        assert [outcome for _, outcome in world.uses()] == ["promote"]


def kill_after_each_write(world: Night, event: str) -> int:
    """Kill run after run after its first effect that is new, until one has none; count them."""
    done = len(world.server.writes)
    for crashes in itertools.count():
        assert crashes < MOST
        before = len(world.server.writes)
        code = world.killed(event, partial(world.server.kill_after, 1))
        if len(world.server.writes) == before:
            assert code == 0
            return len(world.server.writes) - done
        assert code == -signal.SIGKILL
    raise AssertionError


def doom(world: Night, reads: int | None, kill: Callable[[], None]) -> None:
    """Kill at a request, or after the first write."""
    if reads is None:
        world.server.kill_after(1, kill)
    else:
        world.server.kill_at(reads, kill)


def run(world: Night, event: str) -> int:
    """Run undisturbed and return the exit code."""
    ended = world.night() if event == "schedule" else world.pushed()
    return ended.code
