"""Owns how scores and examples are handed to the gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.suite import Example


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
