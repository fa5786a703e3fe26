"""Owns what a history keeps of an evaluation: how sure its mean is, and whether it is new."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from gepa_ci.gate.drift import interval, standard_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.spend import Usage

_STALE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How sure a mean score is."""

    error: float
    """Its standard error, over examples."""
    low: float
    """Lower end of its 95% interval."""
    high: float
    """Upper end of its 95% interval."""


def spread_of(evaluation: Evaluation) -> Spread:
    """Return how sure the mean of an evaluation is."""
    scored = [
        (example.weight, [trial.score.value for trial in row])
        for example, row in zip(evaluation.examples, evaluation.trials, strict=True)
        if row
    ]
    weights = [weight for weight, _ in scored]
    return spread(evaluation.mean, [scores for _, scores in scored], weights)


def spread(
    mean: float, scores: Sequence[Sequence[float]], weights: Sequence[float] | None = None
) -> Spread:
    """Return how sure a mean over examples is, each with its trials' scores."""
    error = standard_error([fmean(row) for row in scores], weights)
    low, high = interval(mean, error, len(scores))
    return Spread(error=error, low=low, high=high)


def is_fresh(evaluation: Evaluation) -> bool:
    """Return whether an evaluation tells how the model answers now."""
    return is_new(evaluation.usage, trials=sum(map(len, evaluation.trials)))


def is_new(usage: Usage, *, trials: int) -> bool:
    """Return whether at most a tenth of the answers came from the cache.

    The answers of one trial more may: a run's first call is answered before the run begins.
    """
    answers = usage.calls - usage.failed_calls + usage.cached_calls
    return usage.cached_calls <= answers * (_STALE + 1 / max(trials, 1))
