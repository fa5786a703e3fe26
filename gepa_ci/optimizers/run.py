"""Owns one optimization: the chosen optimizer's search, the prune pass, and the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.optimizers import gepa_search
from gepa_ci.optimizers.budget import BudgetReached
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
    bench = Workbench(search)
    try:
        reason = gepa_search.run(bench)
    except BudgetReached:
        reason = bench.budget_reason
    except FailedSearch as failed:
        reason = spend_reason(failed)
    proposer = "example accumulation" if search.reflection is None else "reflection"
    return bench.result(optimizer=search.policy.optimizer, proposer=proposer, reason=reason)
