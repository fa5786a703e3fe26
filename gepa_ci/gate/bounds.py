"""Owns normal-theory bounds of a mean difference, and the sample sizes that follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_POWER = 0.80
_SMALLEST_EFFECT = 1e-6
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlusTwo:
    """Moments of the differences with +1 and -1 appended (Bonett and Price 2012)."""

    n: float
    """Units, the appended ones included."""
    mean: float
    """Mean difference, drawn towards 0 by the two."""
    variance: float
    """Variance of one difference; above 0 even when all are ties."""

    def bound(self, alpha: float) -> float:
        """Return half the width of the interval whose ends are one-sided bounds at alpha."""
        return quantile(1 - alpha) * math.sqrt(self.variance / self.n)

    def lower(self, alpha: float) -> float:
        """Return the one-sided lower confidence bound of the effect."""
        return max(-1.0, self.mean - self.bound(alpha))

    def upper(self, alpha: float) -> float:
        """Return the one-sided upper confidence bound of the effect."""
        return min(1.0, self.mean + self.bound(alpha))

    def mde(self, alpha: float) -> float:
        """Return the smallest effect that a one-sided test at alpha shows with 80% power."""
        z = quantile(1 - alpha) + quantile(_POWER)
        return min(1.0, z * math.sqrt(self.variance / self.n))

    def units_needed(self, effect: float, alpha: float) -> int:
        """Return how many units show an effect of that size with 80% power."""
        # A margin may be set so small that the square of its inverse is no number any more.
        effect = max(effect, _SMALLEST_EFFECT)
        spread = math.sqrt(self.variance)
        rest = math.sqrt(max(0.0, self.variance - effect**2))
        root = (quantile(1 - alpha) * spread + quantile(_POWER) * rest) / effect
        return math.ceil(root**2)


def plus_two(units: NDArray[np.float64], *, pairs: float = 1.0) -> PlusTwo:
    """Append +1 and -1 to the units' differences, so many times, and return their moments."""
    n = units.size + 2 * pairs
    mean = float(units.sum()) / n
    variance = (float(units @ units) + 2 * pairs) / n - mean**2
    return PlusTwo(n=n, mean=mean, variance=variance)


def pairs_for(level: float, alpha: float) -> float:
    """Return how many times to append the two for a bound of a stricter level than alpha.

    Farther out in the tails the normal shape holds less. What is appended grows with z squared, as
    it does in the score interval that the two stand for (Wilson 1927; Agresti and Coull 1998).
    """
    return (quantile(level) / quantile(alpha)) ** 2


def planned_mde(n: int, *, discordance: float = 0.2, alpha: float = 0.05) -> float:
    """Return the effect that n 0/1 examples can show when that share of them would differ.

    A plan made before there is any data; once there is, use the comparison's own `mde`.
    """
    return PlusTwo(n=n + 2, mean=0.0, variance=(n * discordance + 2) / (n + 2)).mde(alpha)


def quantile(probability: float) -> float:
    """Return the standard normal quantile."""
    return _NORMAL.inv_cdf(probability)
