"""Owns what it would cost to find out more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.core.comparison import Comparison
    from gepa_ci.core.evaluation import Evaluation


def price_of_more(comparison: Comparison, arms: tuple[Evaluation, Evaluation]) -> tuple[str, ...]:
    """Say what a comparison on as many examples as are needed would cost, if any are."""
    if comparison.n_needed is None:
        return ()
    usage = arms[0].usage + arms[1].usage
    calls = 2 * arms[1].width * comparison.n_needed
    price = ""
    if usage.usd is not None and usage.calls:
        price = f", about ${usage.usd / usage.calls * calls:.2f}"
    return (
        f"A comparison on {comparison.n_needed} examples makes at most {calls:,} calls{price}.",
    )
