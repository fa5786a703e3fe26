"""Owns the outcome of running one prompt on a set of examples."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from gepa_ci.core.spend import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.score import Trial
    from gepa_ci.core.suite import Example, Part


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores of one prompt on examples of one part of the suite."""

    prompt_digest: str
    """SHA-256 of the prompt file's bytes."""
    part: Part
    examples: tuple[Example, ...]
    """In suite order."""
    trials: tuple[tuple[Trial, ...], ...]
    """For each example, its trials in order of their numbers; without those whose call failed."""
    asked: int = 0
    """Trials asked for, per example; 0 for as many as there are."""
    usage: Usage = field(default_factory=Usage)
    """Calls that were sent for it."""
    seconds: float = 0.0
    """Wall time of the evaluation."""
    model: str = ""
    """The model that ran."""

    def __post_init__(self) -> None:
        """Refuse an evaluation of nothing, whose mean would be a number without meaning."""
        if not self.examples or len(self.examples) != len(self.trials):
            raise ValueError("an evaluation needs one row of trials per example, and an example")

    @cached_property
    def width(self) -> int:
        """Return the trials asked for, per example."""
        return max(self.asked, *(len(row) for row in self.trials), 0)

    @cached_property
    def scores(self) -> tuple[tuple[float, ...], ...]:
        """Return the score of each trial: n examples, K trials, NaN where there is none."""
        return tuple(
            tuple(trial.score.value for trial in row) + (math.nan,) * (self.width - len(row))
            for row in self.trials
        )

    @cached_property
    def mean(self) -> float:
        """Return the weighted mean over examples of each example's mean score."""
        pairs = [
            (example.weight, sum(trial.score.value for trial in row) / len(row))
            for example, row in zip(self.examples, self.trials, strict=True)
            if row
        ]
        return sum(weight * mean for weight, mean in pairs) / sum(weight for weight, _ in pairs)

    @property
    def missing(self) -> int:
        """Return the number of trials without a score, as the provider failed."""
        return sum(math.isnan(score) for row in self.scores for score in row)

    @property
    def failures(self) -> int:
        """Return the number of trials in which the model failed."""
        return sum(trial.failure is not None for row in self.trials for trial in row)


def joined(parts: Sequence[Evaluation], order: Sequence[str]) -> Evaluation:
    """Put evaluations of one prompt on different examples together, in the order of some ids."""
    rows = {
        example.id: (example, trials)
        for part in parts
        for example, trials in zip(part.examples, part.trials, strict=True)
    }
    kept = [rows[key] for key in order if key in rows]
    return replace(
        parts[0],
        examples=tuple(example for example, _ in kept),
        trials=tuple(trials for _, trials in kept),
        usage=sum((part.usage for part in parts), Usage()),
        seconds=sum(part.seconds for part in parts),
    )
