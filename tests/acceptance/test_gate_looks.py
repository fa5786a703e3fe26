"""Tests of the gate over a real server: looks that save calls, and calls that fail."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest
from provider import FakeProvider, Request, server_error
from world import PROMPT, PROMPT_SOURCE, commit, job, parcels, solve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from world import Run

ONE_TRIAL = {"trials": 1, "margin": 0.1}


def letter_of(request: Request) -> int:
    """Return a number that stays the same for a letter, whichever prompt it came with."""
    return zlib.crc32(request.messages[-1]["content"].encode())


def is_changed(request: Request) -> bool:
    return "Name only the code" in request.text


def judged(
    root: Path,
    *,
    answer: Callable[[Request], str] = solve,
    fails: Callable[[Request], bool] = lambda request: False,
    held_out: int = 200,
    **gate: object,
) -> tuple[Run, FakeProvider]:
    with FakeProvider(answer, faults=[(fails, server_error())]) as provider:
        policy = {"gate": {**ONE_TRIAL, **gate}}
        parcels(root, provider, held_out=held_out, task=policy, model={"retries": 0})
        commit(root)
        changed = PROMPT_SOURCE.replace("Name the code", "Name only the code")
        (root / PROMPT).write_text(changed, encoding="utf-8")
        return job(root, "gate", "--base", "HEAD"), provider


def test_a_change_that_loses_nothing_is_told_for_fewer_calls(tmp_path: Path) -> None:
    looked, few = judged(tmp_path / "looked")
    whole, all_of_them = judged(tmp_path / "whole", sequential=False)

    assert looked.task["verdict"] == whole.task["verdict"] == "pass"
    assert all_of_them.calls == 400
    assert few.calls <= 0.65 * 400
    ran = looked.task["candidate"]["n"]
    assert few.calls == 2 * ran == 2 * len(looked.task["examples"])
    assert f"{ran} of 200" in " ".join(looked.task["reasons"])


def test_a_prompt_that_breaks_is_stopped_early(tmp_path: Path) -> None:
    def worse(request: Request) -> str:
        return "lost" if is_changed(request) and letter_of(request) % 3 == 0 else solve(request)

    ended, provider = judged(tmp_path, answer=worse)

    assert (ended.code, ended.task["verdict"]) == (1, "regression")
    assert provider.calls < 200


@pytest.mark.parametrize("sequential", [True, False])
def test_some_examples_whose_calls_fail_are_left_out_and_counted(
    *, sequential: bool, tmp_path: Path
) -> None:
    def fails(request: Request) -> bool:
        return letter_of(request) % 20 == 0

    ended, _ = judged(tmp_path, fails=fails, held_out=100, sequential=sequential)

    assert ended.code == 0, ended.said
    assert ended.task["verdict"] == "pass"
    missing = ended.task["comparison"]["missing"]
    assert 0 < missing <= 10
    assert ended.task["comparison"]["n"] + missing == len(ended.task["examples"])
    # A failed call is never a score: both prompts are right wherever they were asked.
    assert ended.task["candidate"]["mean"] == ended.task["baseline"]["mean"] == 1.0


def test_too_many_failed_calls_end_the_run_without_a_verdict(tmp_path: Path) -> None:
    def fails(request: Request) -> bool:
        return request.number > 3 and letter_of(request) % 4 == 0

    ended, provider = judged(tmp_path, fails=fails, held_out=100)

    assert ended.code == 3, ended.said
    assert ended.result == {}
    assert "calls failed for more examples than can be left out" in ended.err
    assert provider.calls < 200


def test_calls_that_fail_for_one_prompt_only_decide_nothing(tmp_path: Path) -> None:
    def fails(request: Request) -> bool:
        return is_changed(request) and request.number > 3 and letter_of(request) % 11 == 0

    ended, _ = judged(tmp_path, fails=fails, held_out=200, sequential=False)

    assert ended.code == 0, ended.said
    assert ended.task["verdict"] == "inconclusive"
    assert "more than chance explains" in ended.task["reasons"][0]
