"""Owns how scores and examples are handed to the gate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.suite import HeldOutSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.config import Task
    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.suite import Example
    from gepa_ci.gate import Guard


def scores(
    arms: Sequence[Evaluation],
) -> tuple[tuple[tuple[float, ...], ...], tuple[tuple[float, ...], ...]]:
    """Return the scores of baseline and candidate."""
    return arms[0].scores, arms[1].scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """How examples count: clusters and weights, None where all are alike."""

    groups: list[str] | None
    weights: list[float] | None


def units_of(examples: Sequence[Example]) -> Units:
    """Return clusters and weights of some examples."""
    grouped = any(example.group is not None for example in examples)
    weighted = any(example.weight != 1.0 for example in examples)
    return Units(
        # An example without a group is a unit of its own; ids and groups must not meet.
        groups=[f"g:{e.group}" if e.group is not None else f"e:{e.id}" for e in examples]
        if grouped
        else None,
        weights=[example.weight for example in examples] if weighted else None,
    )


def guards_of(task: Task) -> tuple[Guard, ...]:
    """Return a task's guards as the gate takes them."""
    from gepa_ci.gate import Guard

    return tuple(
        Guard(name=spec.name, margin=spec.margin, relative=spec.measure is not None)
        for spec in task.gate.guards
    )


def row_of(evaluation: Evaluation, index: int, guards: Sequence[str]) -> dict[str, list[float]]:
    """Return an example's values in all trials: "" is the score, the others are the guards'."""
    row = evaluation.trials[index]
    gaps = [math.nan] * (evaluation.width - len(row))
    values = {name: [t.guards.get(name, math.nan) for t in row] + gaps for name in guards}
    return {"": [*evaluation.scores[index]], **values}


def columns_of(evaluation: Evaluation, guards: Sequence[str]) -> dict[str, list[list[float]]]:
    """Return each guard's values: n examples by K trials."""
    rows = [row_of(evaluation, index, guards) for index in range(len(evaluation.examples))]
    return {name: [row[name] for row in rows] for name in guards}


def in_order(held_out: HeldOutSet, order: Sequence[int]) -> HeldOutSet:
    """Return held-out examples in another order."""
    return HeldOutSet(examples=tuple(held_out.examples[index] for index in order))
