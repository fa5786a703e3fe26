"""Owns one optimization: the chosen optimizer's search, the prune pass, and the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.core.config import Proposer
from gepa_ci.optimizers import registry
from gepa_ci.optimizers.budget import BudgetReached
from gepa_ci.optimizers.endings import Enough
from gepa_ci.optimizers.prune import prune
from gepa_ci.optimizers.stoppers import SecondInterrupt
from gepa_ci.optimizers.workbench import FailedSearch, Workbench, spend_reason

if TYPE_CHECKING:
    from gepa_ci.core.optimization import Optimization
    from gepa_ci.optimizers.search import Search


def optimize(search: Search) -> Optimization:
    """Run the search and return the best candidate on val, however the search ended.

    Raises:
        LMError: a model could not be called; a search that cannot ask has no result.
        MetricError: the user's metric failed.
    """
    bench, interrupted = Workbench(search), False
    try:
        reason = registry.run(bench)
    except BudgetReached:
        reason = bench.budget_reason
    except FailedSearch as failed:
        reason = spend_reason(failed)
    except Enough as enough:
        reason = enough.reason
    except KeyboardInterrupt as pressed:
        if search.patience is None or isinstance(pressed, SecondInterrupt):
            raise
        reason, interrupted = "Stopped by hand.", True
    if not interrupted:
        _pruned(bench)
    proposer = "example accumulation" if search.reflection is None else "reflection"
    if search.policy.proposer is Proposer.CODE:
        proposer = "code"
    return bench.result(
        optimizer=search.policy.optimizer,
        proposer=proposer,
        reason=reason,
        interrupted=interrupted,
    )


def _pruned(bench: Workbench) -> None:
    """Shorten the best candidate, with what the budget keeps for it and what the search left."""
    search = bench.search
    bench.calls.limit += search.budget.prune
    prune(bench, mode=search.policy.prune, repeats=search.repeats)
