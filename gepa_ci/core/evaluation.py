"""Owns the outcome of running one prompt on a set of examples."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from gepa_ci.core.spend import Usage

if TYPE_CHECKING:
    from gepa_ci.core.score import Trial
    from gepa_ci.core.suite import Example, Part


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores of one prompt on one part of the suite; every example has all of its trials."""

    prompt_digest: str
    """SHA-256 of the prompt file's bytes."""
    part: Part
    examples: tuple[Example, ...]
    """In suite order."""
    trials: tuple[tuple[Trial, ...], ...]
    """For each example, its trials in order of their numbers."""
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
    def scores(self) -> tuple[tuple[float, ...], ...]:
        """Return the score of each trial: n examples, K trials."""
        return tuple(tuple(trial.score.value for trial in row) for row in self.trials)

    @cached_property
    def mean(self) -> float:
        """Return the weighted mean over examples of each example's mean score."""
        total = sum(example.weight for example in self.examples)
        return (
            sum(
                example.weight * sum(row) / len(row)
                for example, row in zip(self.examples, self.scores, strict=True)
            )
            / total
        )

    @property
    def failures(self) -> int:
        """Return the number of trials in which the model failed."""
        return sum(trial.failure is not None for row in self.trials for trial in row)
