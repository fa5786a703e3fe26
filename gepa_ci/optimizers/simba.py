"""Owns the optimizer `simba`: DSPy's SIMBA, which learns from examples with mixed outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gepa_ci.core.prompt import ComponentKind
from gepa_ci.optimizers.dspy_search import explore, model_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON
    from gepa_ci.optimizers.dspy_bridge import Bridge
    from gepa_ci.optimizers.workbench import Workbench

_BATCH, _CANDIDATES, _STEPS, _DEMOS = 32, 6, 8, 4


@dataclass(frozen=True, slots=True)
class Cost:
    """The most metric calls of a run, by its options and the sizes of train and val."""

    options: Mapping[str, JSON]
    train: int
    val: int

    @property
    def batch(self) -> int:
        """Return the train examples of a step."""
        return _whole(self.options.get("bsize"), _BATCH)

    @property
    def candidates(self) -> int:
        """Return the candidates of a step."""
        return _whole(self.options.get("num_candidates"), _CANDIDATES)

    @property
    def ends(self) -> int:
        """Return what the baseline, the last evaluation on train and the final val run cost."""
        return 2 * self.val + (self.candidates + 1) * self.train

    @property
    def step(self) -> int:
        """Return what one step costs: so many trajectories, and new candidates on the batch."""
        return self.batch * (2 * self.candidates + 1)

    def steps(self, budget: int) -> int:
        """Return how many steps a budget can carry to the end."""
        most = _whole(self.options.get("max_steps"), _STEPS)
        return min(most, (budget - self.ends) // self.step)


def run(bench: Workbench) -> str:
    """Search, and return why the search ended."""
    return explore(bench, _compiled, name="SIMBA", finals=1)


def _compiled(bridge: Bridge) -> Any:
    from dspy.teleprompt import SIMBA

    search, calls = bridge.bench.search, bridge.bench.calls
    tuning, options = search.tuning, dict(search.policy.options)
    cost = Cost(options, len(tuning.train), len(tuning.val))
    # Its batches run on threads: which of them a used-up budget would still let through is chance.
    options["max_steps"] = cost.steps(calls.limit - calls.used + cost.val)
    holds = any(
        search.prompt.component(n).kind is not ComponentKind.TEXT for n in search.components
    )
    optimizer = SIMBA(
        **{
            "metric": bridge.judged,
            "prompt_model": model_of(bridge),
            "num_threads": search.evaluator.concurrency,
            **options,
            "max_demos": _whole(options.get("max_demos"), _DEMOS) if holds else 0,
        }
    )
    rows = bridge.rows(tuning.train)
    return optimizer.compile(bridge.student(), trainset=rows, seed=search.policy.seed)


def _whole(value: JSON, default: int) -> int:
    return value if isinstance(value, int) else default
