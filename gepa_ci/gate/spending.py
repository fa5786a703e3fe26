"""Owns the spending of alpha over looks, and the bound that a normal statistic meets at each.

Alpha is spent as alpha t^2, where t is the share of the units run (Lan and DeMets 1983; Kim and
DeMets 1987). How much a look may spend follows from how far it is, so a look that is left out or
that could not be used does no harm.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_POINTS = 240
_REACH = 8.5
"""Standard deviations that the numerical integration follows."""
_STEPS = 42


def spent(alpha: float, share: float) -> float:
    """Return the alpha that may be spent once that share of the units has been run."""
    return alpha * share**2


@lru_cache(maxsize=256)
def nominal_levels(alpha: float, shares: tuple[float, ...]) -> tuple[float, ...]:
    """Return the one-sided level of each look's own bound.

    A statistic with independent normal increments crosses the bounds of these levels at one of the
    looks with probability alpha (Armitage, McPherson, Rowe 1969), as much of it at each as is
    spent there.
    """
    if len(shares) == 1:
        return (alpha,)
    nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
    levels: list[float] = []
    points, masses, before, used = np.zeros(1), np.ones(1), 0.0, 0.0
    for share in shares:
        budget, step = spent(alpha, share) - used, math.sqrt(share - before)
        bound = _bound(points, masses, step, budget, _REACH * math.sqrt(share))
        levels.append(NormalDist().cdf(-bound / math.sqrt(share)))
        half = (bound + _REACH * math.sqrt(share)) / 2
        ahead = bound - half + half * nodes
        points, masses = ahead, half * weights * _density(ahead, points, masses, step)
        before, used = share, spent(alpha, share)
    return tuple(levels)


def _bound(points: Floats, masses: Floats, step: float, budget: float, most: float) -> float:
    """Return the bound that a walk at these points crosses in one step with the given chance."""
    low, high = 0.0, most
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _crossing(points, masses, step, middle) > budget:
            low = middle
        else:
            high = middle
    return high


def _crossing(points: Floats, masses: Floats, step: float, bound: float) -> float:
    scaled = ((bound - points) / (step * math.sqrt(2.0))).tolist()
    return 0.5 * math.fsum(
        mass * math.erfc(value) for mass, value in zip(masses.tolist(), scaled, strict=True)
    )


def _density(ahead: Floats, points: Floats, masses: Floats, step: float) -> Floats:
    """Return the density after one step, at the points ahead."""
    gaps = (ahead[:, np.newaxis] - points[np.newaxis, :]) / step
    kernel = np.exp(-(gaps**2) / 2) / (step * math.sqrt(2 * math.pi))
    return np.asarray(kernel @ masses, dtype=np.float64)
