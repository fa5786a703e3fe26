"""Owns the optimizer `copro`: DSPy's COPRO, which asks for better instructions, breadth first.

It evaluates on val: what it is shown are instructions and their scores, never an example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gepa_ci.optimizers.dspy_search import explore

if TYPE_CHECKING:
    from gepa_ci.optimizers.dspy_bridge import Bridge
    from gepa_ci.optimizers.workbench import Workbench


def run(bench: Workbench) -> str:
    """Search, and return why the search ended."""
    return explore(bench, _compiled, name="COPRO")


def _compiled(bridge: Bridge) -> Any:
    from dspy.teleprompt import COPRO

    search = bridge.bench.search
    optimizer = COPRO(metric=bridge.score, **search.policy.options)
    return optimizer.compile(bridge.student(), trainset=bridge.rows(search.tuning.val))
