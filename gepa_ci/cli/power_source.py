"""Owns where `gepa-ci power` takes it from how scores vary: a guess, a share, a saved result."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.cli.report import read_result
from gepa_ci.errors import UsageError
from gepa_ci.gate.noise import Noise, measured
from gepa_ci.reports.reader import Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_HINT = "give a gate's result, or one of `gepa-ci evaluate --trials 3 --output FILE`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """How scores vary, and how that is known."""

    noise: Noise
    kind: str
    """assumed, given or measured."""
    sentence: str


def sources(
    names: Sequence[str], flip: float | None, result_path: Path | None
) -> dict[str, Source]:
    """Return how the scores of each task vary.

    Raises:
        UsageError: the result cannot be read, or does not tell it for any of the tasks.
    """
    usual = _stated(flip)
    if result_path is None:
        return dict.fromkeys(names, usual)
    document = read_result(result_path)
    root = Node(value=document, where="result")
    saved = {task["name"].text(): task for task in root["tasks"].items()}
    found = {name: _measured(saved[name], name, result_path) for name in names if name in saved}
    if not found:
        raise UsageError(
            f"the result has no task {_listed(names)}",
            path=str(result_path),
            hint=f"it has {_listed(saved) or 'none'}",
        )
    return {name: found.get(name, usual) for name in names}


def _stated(flip: float | None) -> Source:
    noise = Noise() if flip is None else Noise(flip=flip)
    share = f"two runs of the same prompt differ on {noise.flip:.0%} of the examples"
    if flip is not None:
        return Source(noise=noise, kind="given", sentence=f"As given: {share}.")
    return Source(
        noise=noise,
        kind="assumed",
        sentence=f"A guess: {share}. `--flip` sets it, `--from RESULT` measures it.",
    )


def _measured(task: Node, name: str, path: Path) -> Source:
    sides = [_scores(task, side) for side in ("baseline", "candidate")]
    noise = measured(*sides)
    if noise is None:
        raise UsageError(
            f"the result has too few trials of task '{name}' to tell how its scores vary",
            path=str(path),
            hint=_HINT,
        )
    n, single = len(sides[0]), max(len(row) for side in sides for row in side) == 1
    what = "the two prompts gave" if single else "two runs of the same prompt give"
    return Source(
        noise=noise,
        kind="measured",
        sentence=f"Measured on {n} examples of {path}: {what} scores that vary like "
        f"0/1 scores that differ on {noise.flip:.0%} of the examples.",
    )


def _scores(task: Node, side: str) -> list[list[float]]:
    """Return one prompt's saved scores, trials by example."""
    return [
        [math.nan if score.value is None else score.number() for score in example[side].items()]
        for example in task["examples"].items()
    ]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
