"""Owns the optimizer `miprov2`: DSPy's MIPROv2, Bayesian search over instructions and demos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gepa_ci.core.config import Budget
from gepa_ci.optimizers.dspy_search import explore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.config import OptimizePolicy
    from gepa_ci.core.values import JSON
    from gepa_ci.optimizers.dspy_bridge import Bridge
    from gepa_ci.optimizers.workbench import Workbench

FROM_VAL = 50
"""MIPROv2 uses minibatches from so many val examples on."""
MINIBATCH = 35
_OF_COMPILE = frozenset(
    {
        *("num_trials", "minibatch", "minibatch_size", "minibatch_full_eval_steps"),
        *("program_aware_proposer", "data_aware_proposer", "view_data_batch_size"),
        *("tip_aware_proposer", "fewshot_aware_proposer"),
    }
)


def run(bench: Workbench) -> str:
    """Search, and return why the search ended."""
    return explore(bench, _compiled, name="MIPROv2")


def uses_minibatches(options: Mapping[str, JSON], val: int) -> bool:
    """Return whether trials are scored on a part of val."""
    return bool(options.get("minibatch", val > FROM_VAL))


def _compiled(bridge: Bridge) -> Any:
    from dspy.teleprompt import MIPROv2

    search = bridge.bench.search
    val, options = search.tuning.val, search.policy.options
    made = {name: value for name, value in options.items() if name not in _OF_COMPILE}
    asked = {name: value for name, value in options.items() if name in _OF_COMPILE}
    optimizer = MIPROv2(
        **{
            "metric": bridge.score,
            "auto": _auto(search.policy),
            "max_bootstrapped_demos": 0,
            "max_labeled_demos": 0,
            "metric_threshold": 1.0,
            "seed": search.policy.seed,
            **made,
        }
    )
    return optimizer.compile(
        bridge.student(),
        trainset=bridge.rows(search.tuning.train),
        valset=bridge.rows(val),
        **{"minibatch": uses_minibatches(options, len(val)), **asked},
    )


def _auto(policy: OptimizePolicy) -> str | None:
    return None if "num_trials" in policy.options else (policy.auto or Budget.LIGHT).value
