"""Owns what a run that has decided nothing says: what it would take to know more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.core.comparison import Comparison
    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.optimization import Optimization
    from gepa_ci.core.spend import Usage


def price_of_more(comparison: Comparison, arms: tuple[Evaluation, Evaluation]) -> tuple[str, ...]:
    """Say what a comparison on as many examples or trials as are needed would cost, if any are."""
    if comparison.n_needed is None:
        return ()
    width, usage = arms[1].width, arms[0].usage + arms[1].usage
    said = f"A comparison on {comparison.n_needed} examples makes at most "
    said += _calls(2 * width * comparison.n_needed, usage)
    if comparison.trials_needed is not None:
        more = 2 * comparison.trials_needed * len(arms[1].examples)
        said += (
            f"; one with {comparison.trials_needed} trials of these examples, {_calls(more, usage)}"
        )
    return (f"{said}.",)


def unproved(optimization: Optimization) -> tuple[str, ...]:
    """Say what a search that was stopped by hand leaves, and how it goes on."""
    stopped = "The search was stopped by hand, so nothing was proved on held-out examples."
    again = "The same command goes on from here; what was paid for is kept."
    if not optimization.changed:
        return stopped, "No candidate so far is better on val than the baseline.", again
    best = optimization.candidates[optimization.best]
    baseline = optimization.candidates[0].val_mean or 0.0
    found = f"The best so far is candidate {best.number}, with {best.val_mean:.3f} on val"
    return stopped, f"{found}; the baseline has {baseline:.3f}.", again


def _calls(count: int, usage: Usage) -> str:
    if usage.usd is None or not usage.calls:
        return f"{count:,} calls"
    return f"{count:,} calls, about ${usage.usd / usage.calls * count:.2f}"
