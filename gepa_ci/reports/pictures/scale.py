"""Owns how values become positions: a linear scale, and the round numbers that label it."""

from __future__ import annotations

import math
from dataclasses import dataclass

_FAR = 1e15
_ROUND = (1.0, 2.0, 5.0, 10.0)
_MOST_DECIMALS = 6


def tame(value: float, low: float = -_FAR, high: float = _FAR) -> float:
    """Return a number from a saved result as a float within limits; NaN becomes the lower one."""
    # In this order an integer of any length compares, and a NaN falls to the lower limit.
    return float(max(low, min(value, high))) if value == value else low  # noqa: PLR0124 - NaN


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A linear map from values to positions, which never leaves its range."""

    low: float
    """The value at the start."""
    high: float
    """The value at the end; more than the low one."""
    start: float
    """Position of the low value."""
    end: float
    """Position of the high value, which may be less than the start."""

    def __call__(self, value: float) -> float:
        """Return the position of a value, or of the nearest end for one that is outside."""
        share = (tame(value, self.low, self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticks:
    """Round values within an axis."""

    values: tuple[float, ...]
    """Strictly increasing."""
    decimals: int
    """How many of them the labels need."""

    def label(self, value: float, *, sign: bool = False) -> str:
        """Write the value of a tick: `0.2`, `+0.2`, `1,200`."""
        return f"{value:{'+' if sign and value else ''},.{self.decimals}f}"


def padded(
    low: float, high: float, *, share: float, least: float, limits: tuple[float, float]
) -> tuple[float, float]:
    """Return a range that is some wider than the given one, and wide enough, within limits."""
    extra = max(share * (high - low), (least - (high - low)) / 2)
    low, high = max(limits[0], low - extra), min(limits[1], high + extra)
    if high - low < least:
        low, high = (low, low + least) if low == limits[0] else (high - least, high)
    return low, high


def ticks(low: float, high: float, most: int, *, whole: bool = False) -> Ticks:
    """Return at most so many round values from low to high, such as multiples of 0.2."""
    step = _step((high - low) / most)
    if whole:
        step = max(1.0, step)
    decimals = min(_MOST_DECIMALS, max(0, -math.floor(math.log10(step) + 1e-9)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    found = (tame(round(k * step, decimals) + 0.0, low, high) for k in range(first, last + 1))
    return Ticks(values=tuple(sorted(set(found))), decimals=decimals)


def _step(least: float) -> float:
    unit = float(10.0 ** math.floor(math.log10(max(least, 1e-6))))
    return next(unit * factor for factor in _ROUND if unit * factor >= least * (1 - 1e-9))
