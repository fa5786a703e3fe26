"""Owns the optimizer `infer_rules`: DSPy's InferRules, which reads rules off train examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gepa_ci.optimizers.dspy_search import explore

if TYPE_CHECKING:
    from gepa_ci.optimizers.dspy_bridge import Bridge
    from gepa_ci.optimizers.workbench import Workbench


def run(bench: Workbench) -> str:
    """Search, and return why the search ended."""
    return explore(bench, _compiled, name="InferRules")


def _compiled(bridge: Bridge) -> Any:
    from dspy.teleprompt import InferRules

    search = bridge.bench.search
    # Without demos it changes instructions only, and spends no metric call on bootstrapping.
    options = {"max_bootstrapped_demos": 0, "max_labeled_demos": 0, **search.policy.options}
    optimizer = InferRules(metric=bridge.score, metric_threshold=1.0, **options)
    rows = bridge.rows(search.tuning.train)
    return optimizer.compile(bridge.student(), trainset=rows, valset=bridge.rows(search.tuning.val))
