"""Owns the exact distribution of a growing sum of fair signs that is cut off at each look.

Given their sizes, the signs of exchangeable differences are fair coins, independent of all sizes
before and after. So the chance that the sum crosses a limit at one of the looks is found without
any approximation: convolve, cut off what crossed, go on with what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gepa_ci.gate.signflip import half_width, spread_signs

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Whether a sum and its mirror image have crossed the limit of a look."""

    is_loss: bool
    """The sum of the losses is at or above the limit, counted in full."""
    is_loss_mid: bool
    """The same where the limit itself counts half; only the last look may use it."""
    is_gain: bool
    """The sum of the gains is at or above the limit, counted in full."""


class RunningNull:
    """The sum of signed sizes under exchangeability, alive where it has not crossed yet."""

    def __init__(self) -> None:
        self.spent = 0.0
        """Chance of having crossed at the looks so far."""
        self._step = 0
        self._low, self._pmf = 0, np.ones(1)
        self._sizes: dict[int, int] = {}
        self._observed = 0

    def extend(self, values: NDArray[np.int64]) -> None:
        """Add the differences of further units, in lattice points."""
        magnitudes, counts = np.unique(np.abs(values[values != 0]), return_counts=True)
        self._observed += int(values.sum())
        if magnitudes.size == 0:
            return
        self._refine(int(np.gcd(self._step, np.gcd.reduce(magnitudes))))
        sizes = (magnitudes // self._step).tolist()
        done = self._total()
        for size, count in zip(sizes, counts.tolist(), strict=True):
            self._sizes[size] = self._sizes.get(size, 0) + count
        half = half_width(list(self._sizes), list(self._sizes.values()))
        self._low, self._pmf = spread_signs(
            self._low, done, self._pmf, sizes, counts.tolist(), half
        )

    def look(self, budget: float) -> Crossing:
        """Cut off as much of the upper end as brings the chance of a crossing to the budget."""
        tail = np.cumsum(self._pmf[::-1])
        left = budget - self.spent
        cut = int(np.searchsorted(tail, left, side="right"))
        cut_mid = int(np.searchsorted(tail - self._pmf[::-1] / 2, left, side="right"))
        # Positions are counted in sums of the positive ones; the sum itself is twice that.
        total, highest = self._total(), self._low + self._pmf.size
        observed = 0 if self._step == 0 else self._observed // self._step
        gains, losses = (total + observed) // 2, (total - observed) // 2
        if cut:
            self.spent += float(tail[cut - 1])
            self._pmf = self._pmf[:-cut]
        return Crossing(
            is_loss=losses >= highest - cut,
            is_loss_mid=losses >= highest - cut_mid,
            is_gain=gains >= highest - cut,
        )

    def _total(self) -> int:
        return sum(size * count for size, count in self._sizes.items())

    def _refine(self, step: int) -> None:
        """Go over to a finer lattice, of which the present one is every so many points."""
        ratio = self._step // step
        self._step = step
        if ratio <= 1:
            return
        self._low *= ratio
        self._sizes = {size * ratio: count for size, count in self._sizes.items()}
        finer = np.zeros((self._pmf.size - 1) * ratio + 1)
        finer[::ratio] = self._pmf
        self._pmf = finer
