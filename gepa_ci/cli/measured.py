"""Owns what a history keeps of an evaluation: how sure its mean is, and whether it is new."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from gepa_ci.gate.drift import interval, standard_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.spend import Usage

_STALE = 0.1
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How sure a mean score is."""

    error: float
    """Its standard error, over independent units."""
    low: float
    """Lower end of its 95% interval."""
    high: float
    """Upper end of its 95% interval."""
    units: int
    """Independent examples of equal weight that are worth as much."""


def spread_of(evaluation: Evaluation) -> Spread:
    """Return how sure the mean of an evaluation is, in which a group of examples counts once."""
    units: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for example, row in zip(evaluation.examples, evaluation.trials, strict=True):
        if row:
            # An id cannot be mistaken for a group of the same name.
            name = f"id {example.id}" if example.group is None else f"group {example.group}"
            units[name].append((example.weight, fmean(trial.score.value for trial in row)))
    weights = [sum(weight for weight, _ in unit) for unit in units.values()]
    scores = [
        sum(weight * score for weight, score in unit) / total
        for unit, total in zip(units.values(), weights, strict=True)
    ]
    return spread(evaluation.mean, scores, weights)


def spread(mean: float, scores: Sequence[float], weights: Sequence[float] | None = None) -> Spread:
    """Return how sure a mean over independent units is.

    Units of unequal weight are worth fewer of equal weight: the square of the sum of weights by the
    sum of their squares (Kish 1965, Survey Sampling).
    """
    error = standard_error(scores, weights)
    shares = [1.0] * len(scores) if weights is None else weights
    units = max(1, int(sum(shares) ** 2 / sum(share**2 for share in shares) + _ROUNDING))
    low, high = interval(mean, error, units)
    return Spread(error=error, low=low, high=high, units=units)


def is_fresh(evaluation: Evaluation) -> bool:
    """Return whether an evaluation tells how the model answers now."""
    return is_new(evaluation.usage, trials=sum(map(len, evaluation.trials)))


def is_new(usage: Usage, *, trials: int) -> bool:
    """Return whether at most a tenth of the answers came from the cache.

    The answers of one trial more may: a run's first call is answered before the run begins.
    """
    answers = usage.calls - usage.failed_calls + usage.cached_calls
    return usage.cached_calls <= answers * (_STALE + 1 / max(trials, 1))
