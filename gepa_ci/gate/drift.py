"""Owns the search for drift: equal questions that get other scores than they did before.

Two nights ran the same prompt on the same examples with the same metric and the same model string,
so their mean scores differ by the model's own chance alone, or the model behind the name changed.

The means of the last w nights, w = 1 to 5, are compared with those of all r earlier nights since
the last drift:

    z = (mean of w - mean of r) / sqrt(v * (1 / w + 1 / r))

v is the variance of one night's mean, as it would be if all had the same one: the mean square of
scores around the mean of all w + r nights, by the number of examples. Like that of Pearson's
chi-square test, it does not shrink where the last night is extreme by luck. Of each night, one
example of score 0 and one of score 1 are added to it (as Agresti and Caffo 2000, The American
Statistician 54: 280-288, do for differences), so that it is not 0 where all scores are equal. When
the last w nights vary more than that, as they had fewer trials, their own variance counts.

The examples are the same on both sides, so how much they differ from each other cancels out of the
difference, but not out of v: z is too small, and the test conservative, all the more the less a
model's answers vary. Pairing would need every score of every night, which the history does not
keep.

False alarms are held to `alpha` over a whole history, however long, by Bonferroni: look number k
spends alpha * 6 / (pi^2 k^2), which sums to alpha, two-sided, shared by its windows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ALPHA = 0.01
"""Chance of any false alarm in a whole history."""
LEVEL = 0.95
"""Of the interval of one mean."""
LONGEST_WINDOW = 5

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The mean score of one time."""

    question: str
    """What decides a score; readings of the same question are compared."""
    mean: float
    """In [0, 1]."""
    error: float
    """Its standard error, over independent examples."""
    n: int
    """Independent examples of equal weight that it is worth: a group counts once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A change of the mean by more than chance."""

    since: int
    """Index of the first reading of the new level."""
    seen: int
    """Index of the reading at which it was more than chance."""
    before: float
    """Mean of the earlier readings."""
    after: float
    """Mean of the readings from `since` to `seen`."""
    z: float
    """The difference in standard errors."""


def standard_error(scores: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """Return the standard error of a weighted mean over examples; 0 for a single one."""
    n = len(scores)
    if n == 1:
        return 0.0
    shares = [1.0] * n if weights is None else list(weights)
    total = sum(shares)
    mean = sum(w * x for w, x in zip(shares, scores, strict=True)) / total
    squares = sum((w * (x - mean)) ** 2 for w, x in zip(shares, scores, strict=True))
    return math.sqrt(squares * n / (n - 1)) / total


def interval(mean: float, error: float, n: int) -> tuple[float, float]:
    """Return the 95% interval of a mean, never of length 0, within 0 to 1.

    One example of score 0 and one of score 1 are added (Agresti and Coull 1998 add two of each).
    """
    middle, variance = _moments(mean, error, n)
    half = _NORMAL.inv_cdf((1 + LEVEL) / 2) * math.sqrt(variance)
    return max(0.0, middle - half), min(1.0, middle + half)


def drifts(readings: Sequence[Reading], *, alpha: float = ALPHA) -> tuple[Drift, ...]:
    """Return the drifts of a history, oldest first; the module says how they are found."""
    found: list[Drift] = []
    levels: dict[str, _Level] = {}
    for look, (index, reading) in enumerate(_repeated(readings, levels), 1):
        level = levels[reading.question]
        best = max(level.windows(), key=lambda drift: abs(drift.z))
        if abs(best.z) > _critical(alpha * 6 / (math.pi * look) ** 2 / level.widest):
            found.append(best)
            levels[reading.question] = _Level(
                (i, readings[i]) for i in level.indices if best.since <= i <= index
            )
    return tuple(found)


def _repeated(
    readings: Sequence[Reading], levels: dict[str, _Level]
) -> Iterator[tuple[int, Reading]]:
    """Add each reading to its level, and yield those with which there is something to compare."""
    for index, reading in enumerate(readings):
        level = levels.setdefault(reading.question, _Level(()))
        level.add(index, reading)
        if level.widest:
            yield index, reading


class _Level:
    """The readings of one question since its last drift, with running sums of them."""

    def __init__(self, readings: Iterable[tuple[int, Reading]]) -> None:
        self.indices: list[int] = []
        self._n = 0
        # Entry i is of the first i readings: sums of means, of their squares and of variances.
        self._means, self._squares, self._variances = [0.0], [0.0], [0.0]
        for index, reading in readings:
            self.add(index, reading)

    @property
    def widest(self) -> int:
        """Return how many last readings can be compared with earlier ones; 0 without any."""
        return min(LONGEST_WINDOW, len(self.indices) - 1)

    def add(self, index: int, reading: Reading) -> None:
        """Add a reading."""
        self._n = min(self._n or reading.n, reading.n)
        self.indices.append(index)
        self._means.append(self._means[-1] + reading.mean)
        self._squares.append(self._squares[-1] + reading.mean**2)
        _, variance = _moments(reading.mean, reading.error, reading.n)
        self._variances.append(self._variances[-1] + variance)

    def windows(self) -> Iterator[Drift]:
        """Yield each comparison of the last readings with all before them."""
        k, total = len(self.indices), self._means[-1]
        between = max(0.0, self._squares[-1] / k - (total / k) ** 2)
        common = self._variances[-1] / k + between / self._n
        for width in range(1, self.widest + 1):
            early = k - width
            before, after = self._means[early] / early, (total - self._means[early]) / width
            own = (self._variances[-1] - self._variances[early]) / width
            error = math.sqrt(max(common, own) * (1 / width + 1 / early))
            yield Drift(
                since=self.indices[early],
                seen=self.indices[-1],
                before=before,
                after=after,
                z=(after - before) / error,
            )


def _moments(mean: float, error: float, n: int) -> tuple[float, float]:
    """Return a mean and its variance with one example of score 0 and one of score 1 added."""
    middle = (n * mean + 1) / (n + 2)
    squares = error**2 * n * (n - 1) + n * (mean - middle) ** 2 + middle**2 + (1 - middle) ** 2
    return middle, squares / (n + 1) / (n + 2)


def _critical(alpha: float) -> float:
    """Return the two-sided critical value."""
    # The upper quantile of 1 - tiny would lose its digits; the lower one keeps them.
    return -_NORMAL.inv_cdf(alpha / 2)
