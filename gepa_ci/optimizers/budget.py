"""Owns how many metric calls an optimization may make, and refuses the one after the last."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.config import Budget, Prune

if TYPE_CHECKING:
    from gepa_ci.core.config import OptimizePolicy

_CANDIDATES = {Budget.LIGHT: 6, Budget.MEDIUM: 12, Budget.HEAVY: 18}
# What DSPy reckons for one trial, and how many trials go between full evaluations.
_MINIBATCH, _FULL_EVERY = 35, 5
_PRUNE_EVALS = 5
"""Runs on all of val that a prune pass is given; it tests most removals on a part of val."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPlan:
    """The most metric calls of a run, and whether they can try anything."""

    metric_calls: int
    smallest_useful: int
    """The baseline on val, one proposal on its minibatch, and its val run."""
    proposals: int
    """The most proposals that the metric calls stand for: what is known already costs none of
    them, and a search that finds nothing new must end all the same."""
    prune: int = 0
    """Metric calls of the prune pass besides; one without any uses what the search has left."""

    @property
    def warning(self) -> str | None:
        """Return a finished sentence when the budget cannot carry one proposal to the end."""
        if self.metric_calls >= self.smallest_useful:
            return None
        return (
            f"The budget of {self.metric_calls} metric calls is too small to try anything: one "
            f"proposal needs {self.smallest_useful}."
        )


def plan_budget(policy: OptimizePolicy, *, train: int, val: int, components: int) -> BudgetPlan:
    """Work out the budget from the policy and the sizes of the two parts."""
    if policy.max_metric_calls is not None:
        calls = policy.max_metric_calls
    elif policy.max_full_evals is not None:
        calls = policy.max_full_evals * (train + val)
    else:
        calls = _named_budget(policy.auto or Budget.LIGHT, val=val, components=components)
    minibatch = min(policy.reflection_minibatch_size, train)
    return BudgetPlan(
        metric_calls=calls,
        smallest_useful=2 * val + 2 * minibatch,
        proposals=max(0, calls - val) // max(1, minibatch),
        prune=_PRUNE_EVALS * val if _is_named(policy) and policy.prune is not Prune.OFF else 0,
    )


def _is_named(policy: OptimizePolicy) -> bool:
    """Return whether the budget is one of GEPA's; one in metric calls is the most there may be."""
    return policy.max_metric_calls is None and policy.max_full_evals is None


def _named_budget(name: Budget, *, val: int, components: int) -> int:
    """Return GEPA's named budgets as DSPy reckons them, so that `auto` means the same here."""
    candidates = _CANDIDATES[name]
    trials = int(max(4 * components * math.log2(candidates), 1.5 * candidates))
    full_evals = (trials + 1) // _FULL_EVERY + 1
    return val + 5 * candidates + trials * _MINIBATCH + full_evals * val


class BudgetReached(BaseException):
    """Ends the search from inside a library that catches `Exception`."""


class MetricCalls:
    """Counts metric calls, and refuses a batch that does not fit whole."""

    def __init__(self, limit: int) -> None:
        """Allow `limit` metric calls."""
        self.limit = limit
        self.used = 0
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Count a batch, or raise BudgetReached before any of it is run."""
        with self._lock:
            if self.used + count > self.limit:
                raise BudgetReached
            self.used += count
