"""Owns the words in which the gate tells figures to people who know no statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.core.comparison import Comparison

_SMALLEST_P = 0.001


def number(value: float) -> str:
    """Write a score or an effect with two decimals, or three where it needs them."""
    text = f"{value:.3f}"
    return text.removesuffix("0")


def rate(value: float) -> str:
    """Write a probability in percent."""
    return f"{100 * value:.4g}%"


def chance(p_value: float) -> str:
    """Say how surprising a p value is: `in 1.2% of runs (p = 0.012)`."""
    if p_value < _SMALLEST_P:
        return "in fewer than 0.1% of runs (p < 0.001)"
    return f"in {100 * p_value:.3g}% of runs (p = {p_value:.3g})"


def things(comparison: Comparison, n: int) -> str:
    """Write how many examples, and how many groups when they are in groups."""
    text = f"{n} example{'' if n == 1 else 's'}"
    if comparison.units == comparison.n:
        return text
    return f"{text} in {comparison.units} group{'' if comparison.units == 1 else 's'}"


def change(comparison: Comparison) -> str:
    """Say what happened to the mean score, with wins and losses."""
    before, after = number(comparison.baseline_mean), number(comparison.candidate_mean)
    sign = "-" if comparison.difference < 0 else "+"
    return (
        f"the mean score went from {before} to {after} "
        f"({sign}{number(abs(comparison.difference))}) over {things(comparison, comparison.n)}, "
        f"{comparison.wins} better, {comparison.losses} worse and {comparison.ties} equal"
    )
