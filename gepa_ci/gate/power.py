"""Owns what a gate can see: the chance that its test shows a drop, before any model is called.

The chance is that of the fixed-sample regression test. Given how many examples differ, and by how
much, the test's critical value and the chance to pass it are exact. With one trial their number is
summed over exactly, with several over evenly spread quantiles, so nothing is left to chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from gepa_ci.gate.bounds import quantile
from gepa_ci.gate.noise import LARGEST_EFFECT, Noise, outcomes
from gepa_ci.gate.regression_gate import MIN_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

POWER = 0.80
"""Chance at which a drop counts as one that will be seen."""
_POINTS = 64
"""Ways in which several trials may turn out that are averaged over."""
_LARGEST_EXACT = 2_000
"""Units, or thirds of them with several trials, from which the normal law is close enough."""
_SPREAD = 7.0
"""Standard deviations of the number of differing examples that are summed over."""
_FINEST = 0.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """What a gate will say of a prompt that lost a given amount."""

    seen: float
    """Chance that the loss is shown: the test's p value is at or below alpha."""
    passes: float
    """Chance that the lower bound is within the margin, so that the change passes."""


@cache
def chances(
    units: int, effect: float, trials: int, *, alpha: float, margin: float, noise: Noise
) -> Chances:
    """Return what a gate says of a drop of the mean score, on so many independent examples.

    Raises:
        ValueError: a number is out of its range.
    """
    if units < 1 or trials < 1:
        raise ValueError(f"units and trials must be at least 1, not {units} and {trials}")
    if not 0.0 <= effect <= LARGEST_EFFECT:
        raise ValueError(f"effect must be between 0 and {LARGEST_EFFECT}, not {effect}")
    shares = np.asarray(outcomes(effect, trials, noise))
    if units * min(trials, 3) > _LARGEST_EXACT:
        return _normal(units, effect, trials, shares, alpha, margin)
    logs = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, units + 1)))))
    seen = passes = 0.0
    for counts, weight in _counts(units, trials, shares, logs):
        found = _given(counts, units, trials, shares, logs, alpha, margin)
        seen += weight * found.seen
        passes += weight * found.passes
    return Chances(seen=min(1.0, seen), passes=min(1.0, passes))


def smallest_seen(units: int, trials: int, *, alpha: float, noise: Noise) -> float | None:
    """Return the smallest drop that is seen with 80% power; None when none is."""

    def seen(effect: float) -> float:
        return chances(units, effect, trials, alpha=alpha, margin=0.0, noise=noise).seen

    low, high = 0.0, LARGEST_EFFECT
    if seen(high) < POWER:
        return None
    while high - low > _FINEST:
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) >= POWER else (middle, high)
    return high


def units_for(effect: float, trials: int, *, alpha: float, noise: Noise) -> int:
    """Return about how many independent examples show a drop of that size with 80% power."""

    def enough(units: int) -> bool:
        found = chances(units, effect, trials, alpha=alpha, margin=0.0, noise=noise)
        return found.seen >= POWER

    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
    while high - low > max(1, high // 200):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _counts(
    units: int, trials: int, shares: Floats, logs: Floats
) -> Iterator[tuple[Sequence[int], float]]:
    """Yield how many units differ by 1, 2 ... successes, with weights that sum to 1."""
    sizes = shares[trials + 1 :] + shares[:trials][::-1]
    if trials == 1:
        differing = float(sizes[0])
        row = _binomial(units, differing, logs)
        reach = _SPREAD * math.sqrt(units * differing * (1 - differing)) + 1
        for count in range(units + 1):
            if abs(count - units * differing) <= reach:
                yield (count,), float(row[count])
        return
    for point in _spread_points(trials):
        rest, unseen, counts = units, 1.0, []
        for place, size in zip(point, sizes.tolist(), strict=True):
            share = min(1.0, size / unseen) if unseen > size else float(size > 0.0)
            row = np.cumsum(_binomial(rest, share, logs))
            counts.append(min(rest, int(np.searchsorted(row, place))))
            rest, unseen = rest - counts[-1], unseen - size
        yield counts, 1 / _POINTS


@cache
def _spread_points(dimensions: int) -> tuple[tuple[float, ...], ...]:
    """Return points that fill a unit cube evenly: multiples of powers of the golden ratio's kin."""
    base = 1.5
    for _ in range(_POINTS):
        base = (1 + base) ** (1 / (dimensions + 1))
    steps = [base**-power for power in range(1, dimensions + 1)]
    return tuple(
        tuple((0.5 + number * step) % 1.0 for step in steps) for number in range(1, _POINTS + 1)
    )


def _given(
    counts: Sequence[int],
    units: int,
    trials: int,
    shares: Floats,
    logs: Floats,
    alpha: float,
    margin: float,
) -> Chances:
    """Return the chances when it is known how many units differ, and by how much."""
    null, truth = np.ones(1), np.ones(1)
    for size, count in enumerate(counts, start=1):
        worse, better = float(shares[trials - size]), float(shares[trials + size])
        if count:
            null = np.convolve(null, _stretched(_binomial(count, 0.5, logs), size))
            lost = worse / (worse + better)
            truth = np.convolve(truth, _stretched(_binomial(count, lost, logs), size))
    # The lattice is the weight of the losses, from none to all.
    tail = np.cumsum(null[::-1])[::-1]
    p_values = tail if units < MIN_UNITS else tail - null / 2
    seen = float(truth[p_values <= alpha].sum())
    if units < MIN_UNITS:
        return Chances(seen=seen, passes=0.0)
    total = sum(size * count for size, count in enumerate(counts, start=1))
    squares = sum(size * size * count for size, count in enumerate(counts, start=1)) / trials**2
    means = (total - 2 * np.arange(null.size)) / trials / (units + 2)
    spread = np.sqrt(((squares + 2) / (units + 2) - means**2) / (units + 2))
    passes = float(truth[means - quantile(1 - alpha) * spread > -margin].sum())
    return Chances(seen=seen, passes=passes)


def _binomial(count: int, share: float, logs: Floats) -> Floats:
    if share <= 0.0 or share >= 1.0:
        row = np.zeros(count + 1)
        row[count if share >= 1.0 else 0] = 1.0
        return row
    found = np.arange(count + 1)
    ways = logs[count] - logs[found] - logs[count - found]
    return np.asarray(np.exp(ways + found * math.log(share) + (count - found) * math.log1p(-share)))


def _stretched(row: Floats, step: int) -> Floats:
    if step == 1:
        return row
    wide = np.zeros((row.size - 1) * step + 1)
    wide[::step] = row
    return wide


def _normal(
    units: int, effect: float, trials: int, shares: Floats, alpha: float, margin: float
) -> Chances:
    values = np.arange(-trials, trials + 1) / trials
    square = float(shares @ values**2)
    spread = math.sqrt(max(1e-12, square - effect**2))
    root, z = math.sqrt(units), quantile(1 - alpha)
    return Chances(
        seen=_below((effect * root - z * math.sqrt(square)) / spread),
        passes=_below((margin - effect) * root / spread - z),
    )


def _below(z: float) -> float:
    """Return the standard normal distribution function."""
    return math.erfc(-z / math.sqrt(2)) / 2
