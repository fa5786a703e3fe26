"""Owns the optimizer `better_together`: several optimizers in turn, each from the best so far."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.optimizers import registry
from gepa_ci.optimizers.budget import BudgetReached
from gepa_ci.optimizers.chain import Step, steps_of
from gepa_ci.optimizers.recording import begin

if TYPE_CHECKING:
    from gepa_ci.core.config import OptimizePolicy
    from gepa_ci.optimizers.workbench import Workbench


def run(bench: Workbench) -> str:
    """Run the steps, and return why each ended.

    A step may use its share of what is left: what one step leaves over is there for the next.

    Raises:
        BudgetReached: there is no room to score the baseline on val.
        FailedSearch: a call or the user's code failed.
        Enough: there is no reason to go on.
    """
    begin(bench)
    steps = steps_of(bench.search.policy)
    return " ".join(
        f"{policy.optimizer}: {_run(bench, policy, left=len(steps) - number)}"
        for number, policy in enumerate(steps)
    )


def _run(bench: Workbench, policy: OptimizePolicy, *, left: int) -> str:
    search, calls, limit = bench.search, bench.calls, bench.calls.limit
    kinds = registry.changes(policy)
    own = tuple(n for n in search.components if search.prompt.component(n).kind in kinds)
    step = Step.of(bench, replace(search, policy=policy, components=own))
    bench.stoppers.since_best = 0
    calls.limit = calls.used + (limit - calls.used) // left
    try:
        return registry.optimizer(policy.optimizer)(step)
    except BudgetReached:
        return step.budget_reason
    finally:
        calls.limit = limit
        bench.proposals += step.proposals
