"""Owns running a comparison look by look: what need not be known any more is never called."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from gepa_ci.core.evaluation import joined
from gepa_ci.core.suite import Part
from gepa_ci.pipeline.units import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.suite import HeldOutSet
    from gepa_ci.pipeline.services import Services

LOOKS = 10
"""Looks at the scores of a sequential comparison."""
MOST_MISSING = 0.10
"""Share of examples that a comparison can do without; more failures end the run."""


class Plan(Protocol):
    """The order in which examples are run, and after how many there is a look."""

    @property
    def order(self) -> Sequence[int]:
        """Return the examples' places in the set."""
        ...

    @property
    def looks(self) -> Sequence[int]:
        """Return how many have been run at each look; the last is all of them."""
        ...


def run_looks(
    plan: Plan,
    arms: tuple[Prompts, Prompts],
    held_out: HeldOutSet,
    trials: range,
    services: Services,
    *,
    feed: Callable[[Evaluation, Evaluation, int], bool],
    recorded: Evaluation | None = None,
) -> list[Evaluation]:
    """Evaluate both prompts until `feed`, told of each example, says that it is decided.

    Args:
        plan: What is run when.
        arms: Baseline and candidate.
        held_out: The examples.
        trials: Numbers of the trials of each example.
        services: How to evaluate.
        feed: Takes both evaluations and the place of an example in them.
        recorded: The baseline's evaluation where it need not be run.

    Returns:
        Both evaluations, of the examples that were run.

    Raises:
        InfraError: the provider failed for more than a tenth of the examples.
    """
    size = len(held_out.examples)
    spare = int(MOST_MISSING * size)
    run = arms if recorded is None else arms[1:]
    parts: list[list[Evaluation]] = []
    start = 0
    with services.planned(len(run) * size * len(trials)):
        for end in plan.looks:
            batch = in_order(held_out, plan.order[start:end])
            pair = services.evaluate(run, batch, Part.HELD_OUT, trials, spare)
            if recorded is not None:
                pair = [joined([recorded], [example.id for example in batch.examples]), *pair]
            parts.append(pair)
            spare -= _missing(pair)
            decided = [feed(pair[0], pair[1], i) for i in range(len(batch.examples))][-1]
            if decided:
                break
            start = end
    order = [example.id for example in held_out.examples]
    return [joined([pair[arm] for pair in parts], order) for arm in (0, 1)]


def seed_of(arms: tuple[Prompts, Prompts], suite_digest: str) -> str:
    """Return what the order of the examples follows from, before there is any score."""
    return f"{arms[0].digest} {arms[1].digest} {suite_digest}"


def _missing(pair: Sequence[Evaluation]) -> int:
    """Return how many examples of a look have a trial without a score."""
    return sum(
        any(math.isnan(score) for arm in pair for score in arm.scores[i])
        for i in range(len(pair[0].examples))
    )
