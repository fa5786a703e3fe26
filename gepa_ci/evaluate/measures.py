"""Owns what the guards of a task measure on one trial; what has no value is left out, never 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.core.config import Measure
from gepa_ci.core.score import Seen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.score import Output
    from gepa_ci.core.spend import Price
    from gepa_ci.core.suite import Example
    from gepa_ci.metrics import Metric


def guard_values(
    guards: Mapping[str, Metric | Measure],
    example: Example,
    output: Output,
    *,
    seconds: float | None,
    price: Price | None,
) -> dict[str, float]:
    """Return the value of each guard that has one: a score in [0, 1], or what a measure counts.

    Args:
        guards: What measures each guard, by its name.
        example: The example that was run.
        output: What came of it.
        seconds: How long it took; None when that is not known.
        price: What tokens cost; None to count tokens in place of dollars.

    Raises:
        MetricError: the user's metric raised or returned no score.
    """
    found = {
        name: _measured(guard, output, seconds, price)
        if isinstance(guard, Measure)
        else _scored(guard, example, output)
        for name, guard in guards.items()
    }
    return {name: value for name, value in found.items() if value is not None}


def _scored(metric: Metric, example: Example, output: Output) -> float:
    # As for the task's own score: a model that fails has failed in every respect.
    if output.failure is not None:
        return 0.0
    return metric(example, output.text, seen_of(output)).value


def seen_of(output: Output) -> Seen:
    """Return what a metric may look at besides the text."""
    return Seen(fields=output.fields, steps=output.steps, score=output.score)


def _measured(
    measure: Measure, output: Output, seconds: float | None, price: Price | None
) -> float | None:
    if measure is Measure.COST:
        return _cost(output, price)
    if measure is Measure.LATENCY:
        return seconds
    return float(len(output.text) if measure is Measure.OUTPUT_LENGTH else output.prompt_length)


def _cost(output: Output, price: Price | None) -> float | None:
    if output.input_tokens == output.output_tokens == 0:
        # No call is without tokens: this provider does not count them.
        return None
    if price is None:
        return float(output.input_tokens + output.output_tokens)
    return price.usd(output.input_tokens, output.output_tokens)
