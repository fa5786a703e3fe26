"""Owns the exact one-sided sign-flip test of paired differences.

When baseline and candidate are exchangeable, each difference is as likely to have the other sign.
The sum of the differences is compared with its distribution over all sign patterns, which is found
by convolving one binomial a distinct magnitude on an integer lattice. With 0/1 scores and one trial
this is McNemar's exact test (McNemar 1947; mid-p: Fagerland, Lydersen, Laake 2013).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LATTICE = 840
"""Lattice points per unit of score: lcm(1..8), so 0/1 scores of up to 8 trials are not rounded."""

_EXACT_POINTS = 20_000
_WINDOW = 9.0
"""Standard deviations kept of a larger lattice; by Hoeffding what is cut is below 1e-17."""
_MAX_WORK = 1.5e9
"""Multiplications that one test may cost, about half a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignFlip:
    """One-sided p values of one set of differences."""

    better: float
    """P(sum >= observed): small when the candidate is better."""
    worse: float
    """P(sum <= observed): small when the candidate is worse."""
    better_mid: float
    """`better` with half the weight of the observed sum itself."""
    worse_mid: float
    """`worse` with half the weight of the observed sum itself."""


def sign_flip(
    differences: NDArray[np.float64],
    units: NDArray[np.intp] | None = None,
    *,
    lattice: int = LATTICE,
) -> SignFlip:
    """Test weighted differences, whose signs flip together within a unit.

    The differences are rounded to the lattice, and the test is exact for the rounded ones. When
    the exact distribution would cost too much (about 5,000 examples with distinct graded scores)
    the lattice is halved until it does not; the test stays exact for what is rounded then.
    """
    lattice = fitting_lattice(differences, units, lattice)
    values = on_lattice(differences, units, lattice)
    sizes, counts, divisor = _magnitudes(values)
    if not sizes:
        return SignFlip(better=1.0, worse=1.0, better_mid=0.5, worse_mid=0.5)
    return _test(sizes, counts, int(values.sum()) // divisor)


def fitting_lattice(
    differences: NDArray[np.float64],
    units: NDArray[np.intp] | None,
    lattice: int,
    *,
    growth: float = 1.0,
) -> int:
    """Halve a lattice until a test on it does not cost too much.

    `growth` is how many times more units are to come in all.
    """
    while lattice > 1:
        sizes, counts, _ = _magnitudes(on_lattice(differences, units, lattice))
        # Both the sizes to add and, by its root, the width of the distribution grow.
        if _work(sizes, counts) * growth**1.5 <= _MAX_WORK:
            break
        lattice = max(1, lattice // 2)
    return lattice


def _magnitudes(values: NDArray[np.int64]) -> tuple[list[int], list[int], int]:
    """Return the distinct sizes above 0 with nothing in common, their counts, and what was."""
    magnitudes, counts = np.unique(np.abs(values[values != 0]), return_counts=True)
    divisor = int(np.gcd.reduce(magnitudes)) if magnitudes.size else 1
    return (magnitudes // divisor).tolist(), counts.tolist(), divisor


def on_lattice(
    differences: NDArray[np.float64], units: NDArray[np.intp] | None, lattice: int
) -> NDArray[np.int64]:
    """Return each unit's weighted sum of differences in lattice points, rounded per example."""
    values = np.rint(differences * lattice)
    if units is not None:
        values = np.bincount(units, weights=values)
    return values.astype(np.int64)


def _test(magnitudes: Sequence[int], counts: Sequence[int], observed: int) -> SignFlip:
    low, pmf = _null(magnitudes, counts)
    total = sum(m * c for m, c in zip(magnitudes, counts, strict=True))
    spread = sum(m * m * c for m, c in zip(magnitudes, counts, strict=True))

    def upper_tail(value: int) -> tuple[float, float]:
        at = (value + total) // 2 - low
        if at >= pmf.size:
            # Beyond the window the mass is unknown but below Hoeffding's bound.
            return math.exp(-(value**2) / (2 * spread)), 0.0
        if at < 0:
            return 1.0, 0.0
        return min(1.0, float(pmf[at:].sum())), float(pmf[at])

    better, atom = upper_tail(observed)
    worse, other = upper_tail(-observed)
    return SignFlip(
        better=better, worse=worse, better_mid=better - atom / 2, worse_mid=worse - other / 2
    )


def _null(magnitudes: Sequence[int], counts: Sequence[int]) -> tuple[int, NDArray[np.float64]]:
    # The sum is twice the sum of the positive ones less a constant, which halves the lattice.
    half = half_width(magnitudes, counts)
    return spread_signs(0, 0, np.ones(1), magnitudes, counts, half)


def spread_signs(
    low: int,
    done: int,
    pmf: NDArray[np.float64],
    magnitudes: Sequence[int],
    counts: Sequence[int],
    half: float,
) -> tuple[int, NDArray[np.float64]]:
    """Add magnitudes with fair signs to a distribution of the sum of the positive ones.

    The distribution starts at `low`, is of magnitudes that add up to `done`, and is kept within
    `half` of the middle. Return its new start and the new distribution.
    """
    for magnitude, count in zip(magnitudes, counts, strict=True):
        first, row = _binomial(count, _reach(magnitude, count, half))
        low += first * magnitude
        done += magnitude * count
        pmf = _spread(pmf, row, magnitude)
        start = max(0, math.floor(done / 2 - half) - low)
        stop = math.ceil(done / 2 + half) + 1 - low
        pmf = pmf[start:stop]
        low += start
    return low, pmf


def half_width(magnitudes: Sequence[int], counts: Sequence[int]) -> float:
    """Return how far from its middle the sum of the positive ones has to be followed."""
    total = sum(m * c for m, c in zip(magnitudes, counts, strict=True))
    if total <= _EXACT_POINTS:
        return total / 2
    return _WINDOW / 2 * math.sqrt(sum(m * m * c for m, c in zip(magnitudes, counts, strict=True)))


def _reach(magnitude: int, count: int, half: float) -> int:
    if magnitude * count <= _EXACT_POINTS:
        return (count + 1) // 2
    return min((count + 1) // 2, math.ceil(min(half / magnitude, _WINDOW / 2 * math.sqrt(count))))


def _binomial(count: int, reach: int) -> tuple[int, NDArray[np.float64]]:
    """Return the binomial of `count` fair coins within `reach` of its middle, and its start."""
    middle = count // 2
    # Products of ratios outwards from the mode neither overflow nor cancel.
    steps = np.arange(middle, count, dtype=np.float64)
    above = np.cumprod((count - steps) / (steps + 1.0))
    mode = np.ones(1 - count % 2)
    row = np.concatenate((above[::-1], mode, above))
    row /= row.sum()
    first = max(0, (count + 1) // 2 - reach)
    return first, row[first : count + 1 - first]


def _spread(pmf: NDArray[np.float64], row: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Convolve a distribution with a row whose points lie `step` apart."""
    if step == 1:
        return np.convolve(pmf, row)
    span = (row.size - 1) * step + 1
    result = np.zeros(pmf.size + span - 1)
    if row.size <= pmf.size:
        for index, probability in enumerate(row.tolist()):
            result[index * step : index * step + pmf.size] += probability * pmf
    else:
        for index, probability in enumerate(pmf.tolist()):
            result[index : index + span : step] += probability * row
    return result


def _work(magnitudes: Sequence[int], counts: Sequence[int]) -> float:
    half = half_width(magnitudes, counts)
    # The first magnitude starts the distribution and is not convolved with anything.
    later = list(zip(magnitudes, counts, strict=True))[1:]
    return 2 * half * sum(2 * _reach(magnitude, count, half) + 1 for magnitude, count in later)
