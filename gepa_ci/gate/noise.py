"""Owns the model of how scores vary, from which the power of a gate is worked out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Scores = Sequence[Sequence[float]]

USUAL_FLIP = 0.1
"""With a drop of 0.10 about one example in five differs then, which `planned_mde` assumes too."""
USUAL_CHURN = 0.04
LARGEST_EFFECT = 0.5
_GOOD, _EVEN = 0.8, 0.5
"""Mean score that the model starts from, and the one that lets scores vary most."""
_MOST_FLIP = 0.495
_GOOD_FLIP, _GOOD_CHURN = 0.28, 0.30
"""What is feasible at the good mean score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How scores of two prompts differ besides the effect that is looked for."""

    flip: float = USUAL_FLIP
    """Share of examples on which two runs of the same prompt differ; for graded scores, twice
    the variance between the trials of one example. In [0, 0.5]."""
    churn: float = USUAL_CHURN
    """Least share of examples that a change breaks or repairs for good. In [0, 0.5]."""


def outcomes(effect: float, trials: int, noise: Noise) -> list[float]:
    """Return the chance of each difference of one example, from -trials to +trials successes.

    Scores are 0 or 1, and the share of examples that a prompt gets right in the long run follows a
    beta distribution. A share of the examples breaks, another is repaired, by `effect` on balance.
    """
    even = noise.flip > _GOOD_FLIP or noise.churn > _GOOD_CHURN or effect > _GOOD
    mean = _EVEN if even else _GOOD
    flip = min(noise.flip, _MOST_FLIP)
    changed = max(effect, noise.churn)
    broken = (changed + effect) / 2 / mean
    repaired = (changed - effect) / 2 / (1 - mean)
    right = _successes(trials, mean, flip)
    found = [0.0] * (2 * trials + 1)
    for before, share in enumerate(right):
        found[trials - before] += broken * share
        found[2 * trials - before] += repaired * share
    unchanged = 1 - broken - repaired
    for (before, after), share in _pairs(trials, mean, flip):
        found[trials + after - before] += unchanged * share
    return found


def _successes(trials: int, mean: float, flip: float) -> list[float]:
    """Return the chance of so many right answers of one example in some trials."""
    if flip <= 0:
        return [1 - mean, *([0.0] * (trials - 1)), mean]
    first, second = _beta(mean, flip)
    return [
        math.comb(trials, right) * _moment(first, second, right, trials - right)
        for right in range(trials + 1)
    ]


def _pairs(trials: int, mean: float, flip: float) -> list[tuple[tuple[int, int], float]]:
    """Return the chance of so many right answers in two runs of the same prompt."""
    if flip <= 0:
        return [((0, 0), 1.0)]
    first, second = _beta(mean, flip)
    counts = range(trials + 1)
    return [
        (
            (one, two),
            math.comb(trials, one)
            * math.comb(trials, two)
            * _moment(first, second, one + two, 2 * trials - one - two),
        )
        for one in counts
        for two in counts
    ]


def _beta(mean: float, flip: float) -> tuple[float, float]:
    """Return the beta distribution under which two trials differ on that share of examples."""
    size = flip / (2 * mean * (1 - mean) - flip)
    return mean * size, (1 - mean) * size


def _moment(first: float, second: float, right: int, wrong: int) -> float:
    """Return the chance of one sequence with so many right and wrong answers."""
    return math.exp(
        math.lgamma(first + right)
        + math.lgamma(second + wrong)
        - math.lgamma(first + second + right + wrong)
        - (math.lgamma(first) + math.lgamma(second) - math.lgamma(first + second))
    )


def measured(baseline: Scores, candidate: Scores) -> Noise | None:
    """Return the noise of saved scores: trials by example, in the same order on both sides.

    A side may have no scores at all. None when there are too few trials to tell noise from
    difficulty.
    """
    arms = [arm for arm in map(_filled, (baseline, candidate)) if not np.isnan(arm).all()]
    within = [value for value in map(_within, arms) if value is not None]
    if within:
        churn = USUAL_CHURN
        if len(within) == 2:
            noise = sum(value / arm.shape[1] for value, arm in zip(within, arms, strict=True))
            churn = max(0.0, _variance(_means(arms[1]) - _means(arms[0])) - noise)
        return Noise(flip=min(2 * sum(within) / len(within), 0.5), churn=min(churn, 0.5))
    if len(arms) < 2:
        return None
    # What the change itself did cannot be told from noise here, so it counts as noise.
    return Noise(flip=min(0.5, _variance(_means(arms[1]) - _means(arms[0]))))


def _filled(scores: Scores) -> Floats:
    """Return scores as examples by trials, NaN where there is none."""
    width = max([1, *map(len, scores)])
    rows = [[*row, *([math.nan] * (width - len(row)))] for row in scores]
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), width)


def _means(scores: Floats) -> Floats:
    """Return the mean of each example, NaN where it has no score."""
    counts = np.count_nonzero(~np.isnan(scores), axis=1)
    return np.where(counts > 0, np.nansum(scores, axis=1) / np.maximum(counts, 1), math.nan)


def _within(scores: Floats) -> float | None:
    counts = np.count_nonzero(~np.isnan(scores), axis=1)
    freedom = int(np.maximum(counts - 1, 0).sum())
    if freedom == 0:
        return None
    return float(np.nansum((scores - _means(scores)[:, np.newaxis]) ** 2)) / freedom


def _variance(differences: Floats) -> float:
    kept = differences[~np.isnan(differences)]
    return float(kept.var()) if kept.size else 0.0
