"""Owns p values adjusted for how many claims are tested together."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Return adjusted p values under which any false claim has probability alpha (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    scaled = [(len(order) - rank) * p_values[i] for rank, i in enumerate(order)]
    return _in_place(order, accumulate(scaled, max))


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return adjusted p values under which a share alpha of the claims is false (1995)."""
    order = sorted(range(len(p_values)), key=lambda i: -p_values[i])
    total = len(order)
    scaled = [p_values[i] * total / (total - rank) for rank, i in enumerate(order)]
    return _in_place(order, accumulate(scaled, min))


def _in_place(order: Sequence[int], adjusted: accumulate[float]) -> list[float]:
    result = [1.0] * len(order)
    for i, value in zip(order, adjusted, strict=True):
        result[i] = min(1.0, value)
    return result
