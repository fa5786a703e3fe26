"""Owns the way from two arrays of trial scores to one difference per independent unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gepa_ci.gate.signflip import LATTICE

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

_LARGEST_LATTICE = LATTICE * 143
"""Beyond this (unusual numbers of trials) 0/1 means are rounded like graded ones."""
_LARGEST_WEIGHT_RATIO = 100
_TIE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arm:
    """One prompt's scores, summed up per example."""

    means: Floats
    """Mean score of each example; 0 where there is none."""
    counts: NDArray[np.intp]
    """Trials with a score, per example."""
    asked: int
    """Trials asked for, all examples together."""
    trials: int
    """Trials asked for, per example."""
    within: float | None
    """Variance between trials of one example, pooled; None when no example has two."""

    @property
    def failed(self) -> int:
        """Return the number of trials without a score."""
        return self.asked - int(self.counts.sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Examples that have a score on both sides."""

    differences: Floats
    """Candidate minus baseline, per example."""
    weights: Floats
    """Relative weights, whole numbers where their ratios allow it."""
    groups: NDArray[np.intp] | None
    """Number of each example's unit, from 0; None when each example is its own."""
    units: Floats
    """One difference per unit, scaled so that their mean is the weighted mean difference."""
    baseline_mean: float
    candidate_mean: float
    missing: int
    """Examples left out because a side has no score."""
    failed: tuple[int, int]
    """Trials without a score: baseline, candidate."""
    asked: tuple[int, int]
    """Trials asked for: baseline, candidate."""
    trials: tuple[int, int]
    """Trials asked for per example: baseline, candidate."""
    lattice: int
    """Points per unit of score on which the differences of 0/1 trials are whole."""
    within: float | None
    """Variance of a difference that comes from trials; None when it cannot be known."""

    @property
    def n(self) -> int:
        """Return the number of examples compared."""
        return self.differences.size

    def wins_and_losses(self) -> tuple[int, int]:
        """Count examples on which the candidate scored higher, and lower."""
        wins = int(np.count_nonzero(self.differences > _TIE))
        return wins, int(np.count_nonzero(self.differences < -_TIE))


def pair(
    baseline: ArrayLike,
    candidate: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    weights: ArrayLike | None = None,
) -> Pairs:
    """Pair scores by example: arrays of n examples by K trials, NaN for a trial without a score.

    A group of None means that the example is a unit of its own.

    Raises:
        ValueError: shapes differ, or a score, weight or group list is not usable.
    """
    before, after = _arm(baseline, "baseline"), _arm(candidate, "candidate")
    total = before.counts.size
    if after.counts.size != total:
        raise ValueError(f"baseline has {total} examples but candidate has {after.counts.size}")
    kept = (before.counts > 0) & (after.counts > 0)
    relative = relative_weights(weights, total)[kept]
    codes = None if groups is None else _codes(groups, total, kept)
    differences = (after.means - before.means)[kept]
    return Pairs(
        differences=differences,
        weights=relative,
        groups=codes,
        units=unit_differences(differences * relative, codes, float(relative.sum())),
        baseline_mean=_mean(before.means[kept], relative),
        candidate_mean=_mean(after.means[kept], relative),
        missing=total - differences.size,
        failed=(before.failed, after.failed),
        asked=(before.asked, after.asked),
        trials=(before.trials, after.trials),
        lattice=lattice_of(before.trials, after.trials),
        within=_within(before, after, kept),
    )


def _arm(scores: ArrayLike, name: str) -> Arm:
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2:
        raise ValueError(f"{name} must be n examples by K trials, not {array.ndim}-dimensional")
    scored = ~np.isnan(array)
    filled = np.where(scored, array, 0.0)
    if filled.size and not (filled.min() >= 0.0 and filled.max() <= 1.0):
        row = int(np.argwhere((filled < 0.0) | (filled > 1.0))[0][0])
        raise ValueError(f"{name} has a score outside [0, 1] at example {row}")
    counts = np.count_nonzero(scored, axis=1)
    means = filled.sum(axis=1) / np.maximum(counts, 1)
    within = None
    if array.shape[1] > 1 and (freedom := int(np.maximum(counts - 1, 0).sum())) > 0:
        deviations = np.where(scored, array - means[:, np.newaxis], 0.0)
        within = float((deviations**2).sum()) / freedom
    return Arm(means=means, counts=counts, asked=array.size, trials=array.shape[1], within=within)


def relative_weights(weights: ArrayLike | None, total: int) -> Floats:
    """Check weights and scale them to whole numbers where their ratios allow it.

    Raises:
        ValueError: a weight is missing, not finite or not above 0.
    """
    if weights is None:
        return np.ones(total)
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (total,):
        raise ValueError(f"weights must be {total} numbers, not of shape {array.shape}")
    if not np.all(np.isfinite(array) & (array > 0.0)):
        raise ValueError("weights must be finite and above 0")
    ratios = array / array.min() if total else array
    whole = np.rint(ratios)
    if np.allclose(ratios, whole, rtol=0.0, atol=_TIE) and np.all(whole <= _LARGEST_WEIGHT_RATIO):
        return np.asarray(whole, dtype=np.float64)
    return np.asarray(array / array.mean(), dtype=np.float64)


def unit_codes(groups: Sequence[Hashable], total: int) -> list[int]:
    """Number the units of all examples in the order of their first examples.

    Raises:
        ValueError: there is not one group an example.
    """
    if len(groups) != total:
        raise ValueError(f"groups must name {total} examples, not {len(groups)}")
    numbers: dict[Hashable, int] = {}
    return [
        numbers.setdefault((index,) if group is None else (group, "group"), len(numbers))
        for index, group in enumerate(groups)
    ]


def _codes(groups: Sequence[Hashable], total: int, kept: Bools) -> NDArray[np.intp]:
    codes = np.asarray(unit_codes(groups, total), dtype=np.intp)[kept]
    # Units of which nothing is kept are not counted.
    return np.asarray(np.unique(codes, return_inverse=True)[1], dtype=np.intp)


def unit_differences(weighted: Floats, codes: NDArray[np.intp] | None, weight: float) -> Floats:
    """Add up weighted differences by unit, scaled so that the units' mean is the effect."""
    if weighted.size == 0:
        return weighted
    sums = weighted if codes is None else np.bincount(codes, weights=weighted)
    return np.asarray(sums * (sums.size / weight), dtype=np.float64)


def _mean(means: Floats, weights: Floats) -> float:
    return float(means @ weights / weights.sum()) if means.size else 0.0


def lattice_of(*trials: int) -> int:
    """Return the points per unit of score on which means of so many 0/1 trials are whole."""
    lattice = math.lcm(LATTICE, *(max(1, count) for count in trials))
    return lattice if lattice <= _LARGEST_LATTICE else LATTICE


def _within(before: Arm, after: Arm, kept: Bools) -> float | None:
    if before.within is None or after.within is None or not kept.any():
        return None
    inverse_before = float((1.0 / before.counts[kept]).mean())
    inverse_after = float((1.0 / after.counts[kept]).mean())
    return before.within * inverse_before + after.within * inverse_after
