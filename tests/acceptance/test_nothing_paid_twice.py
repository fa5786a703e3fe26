from __future__ import annotations

import json
import random
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from killing import Hitman, start
from provider import FakeProvider
from world import (
    CONFIG,
    PROMPT,
    PROMPT_SOURCE,
    Run,
    answer,
    is_reflection,
    job,
    parcels,
    process,
    rules_in,
    solve,
    spend_of,
)

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

KILLED = -signal.SIGKILL


def world(root: Path, provider: FakeProvider, **keys: Any) -> Path:
    # The task LM at temperature 1 is asked each trial afresh, so equal bodies do occur.
    return parcels(root, provider, concurrency=4, **keys)


def outcome(run: Run) -> dict[str, Any]:
    """Return what must not depend on how often a run was interrupted."""
    task = run.task
    search = {key: task["optimization"][key] for key in task["optimization"] if key != "seconds"}
    kept = ("verdict", "reasons", "comparison", "changes", "written", "trials", "examples")
    return {**{key: task[key] for key in kept}, "optimization": search}


def uninterrupted(tmp_path: Path, **keys: Any) -> tuple[Run, Counter[bytes], bytes, int]:
    """Run once and return the result, all requests, the file, and the requests of the search."""
    with FakeProvider(answer) as provider:
        hitman = Hitman.on(provider)
        root = world(tmp_path / "calm", provider, **keys)
        ended = job(root, "optimize")
    assert ended.code == 0, ended.said
    assert ended.task["verdict"] == "promote"
    reflections = [i for i, request in enumerate(hitman.answered) if is_reflection(request)]
    return ended, hitman.bodies, (root / PROMPT).read_bytes(), reflections[-1]


@pytest.mark.parametrize(("temperature", "kills"), [(0, 4), (1, 6)], ids=["repeatable", "varying"])
def test_kills_cost_nothing_but_what_was_in_flight(
    temperature: int, kills: int, tmp_path: Path
) -> None:
    keys = {"model": {"temperature": temperature}}
    calm, requests, written, _ = uninterrupted(tmp_path, **keys)
    moments = sorted(random.Random(temperature).sample(range(1, requests.total()), kills))
    with FakeProvider(answer) as provider:
        hitman = Hitman.on(provider)
        root = world(tmp_path / "killed", provider, **keys)
        codes = [hitman.kill_at(at, partial(start, root, "optimize")) for at in moments]
        untouched = (root / PROMPT).read_text()
        ended = job(root, "optimize")

    assert codes == [KILLED] * kills
    assert untouched == PROMPT_SOURCE
    assert ended.code == 0, ended.said
    # Every request was answered as often as in a run that nobody killed: never twice for one use.
    assert hitman.bodies == requests
    assert provider.calls > requests.total()
    assert outcome(ended) == outcome(calm)
    assert (root / PROMPT).read_bytes() == written


def test_without_a_cache_the_journal_answers_what_the_search_has_paid_for(tmp_path: Path) -> None:
    keys = {"cache": "off", "model": {"temperature": 1}}
    calm, requests, written, search = uninterrupted(tmp_path, **keys)
    with FakeProvider(answer) as provider:
        hitman = Hitman.on(provider)
        root = world(tmp_path / "killed", provider, **keys)
        moments = [search // 4, search // 2, search]
        for at in moments:
            hitman.kill_at(at, partial(start, root, "optimize"))
        ended = job(root, "optimize")

    assert ended.code == 0, ended.said
    # The first call of each run shows that the model can be reached; it is no part of the search.
    first_calls = {request.raw for request in hitman.answered[:1]}
    twice = hitman.bodies - requests
    assert set(twice) <= first_calls
    assert twice.total() <= len(moments)
    assert outcome(ended) == outcome(calm)
    assert (root / PROMPT).read_bytes() == written


def test_a_killed_evaluation_asks_only_what_is_missing(tmp_path: Path) -> None:
    with FakeProvider(solve) as provider:
        hitman = Hitman.on(provider)
        root = world(tmp_path / "repository", provider, held_out=40)
        codes = [hitman.kill_at(at, partial(process, root, "evaluate")) for at in (7, 25)]
        ended = job(root, "evaluate")

    assert codes == [KILLED] * 2
    assert ended.code == 0, ended.said
    assert ended.task["candidate"]["mean"] == 1.0
    assert set(hitman.bodies.values()) == {1}
    assert hitman.bodies.total() == 40
    assert spend_of(ended)[0] == 40 - 25
    assert ended.result["spend"]["cached_calls"] >= 25


def test_a_run_that_ended_is_free_to_repeat(tmp_path: Path) -> None:
    with FakeProvider(answer) as provider:
        root = world(tmp_path / "repository", provider)
        first = job(root, "optimize")
        before = provider.calls
        (root / PROMPT).write_text(PROMPT_SOURCE)
        second = job(root, "optimize")

    assert provider.calls == before
    assert spend_of(second) == (0, 0, 0)
    assert outcome(second) == outcome(first)


def replaying(root: Path) -> None:
    config = json.loads((root / CONFIG).read_text())
    (root / CONFIG).write_text(json.dumps({**config, "cache": "replay"}))


def test_replay_needs_no_provider(tmp_path: Path) -> None:
    with FakeProvider(answer) as provider:
        root = world(tmp_path / "repository", provider)
        first = job(root, "optimize")
    written = (root / PROMPT).read_bytes()
    (root / PROMPT).write_text(PROMPT_SOURCE)
    replaying(root)

    second = job(root, "optimize")

    assert second.code == 0, second.said
    assert outcome(second) == outcome(first)
    assert (root / PROMPT).read_bytes() == written
    assert spend_of(second) == (0, 0, 0)


@pytest.mark.parametrize("command", ["evaluate", "optimize"])
def test_a_miss_in_replay_is_no_verdict(command: str, tmp_path: Path) -> None:
    with FakeProvider(answer) as provider:
        root = world(tmp_path / "repository", provider)
        job(root, "optimize")
        before = provider.calls
        other = PROMPT_SOURCE.replace("Name", "Give")
        (root / PROMPT).write_text(other)
        replaying(root)
        ended = job(root, command)

    assert (ended.code, ended.result) == (3, {})
    assert "cache: replay" in ended.err
    assert "cache: on" in ended.err
    assert "Traceback" not in ended.err
    assert provider.calls == before
    assert (root / PROMPT).read_text() == other


def test_a_part_of_the_rules_is_found_again_after_a_kill_in_the_search(tmp_path: Path) -> None:
    with FakeProvider(answer) as provider:
        hitman = Hitman.on(provider)
        root = world(tmp_path / "repository", provider)
        hitman.kill_at(60, partial(start, root, "optimize"))
        ended = job(root, "optimize")

    assert ended.task["verdict"] == "promote"
    assert len(rules_in((root / PROMPT).read_text())) == 4
    assert ended.result["spend"]["calls"] == provider.answered - 60
