"""Owns the optimizer `dspy_gepa`: dspy.GEPA, with every parameter that a config can hold."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gepa_ci.optimizers.dspy_search import explore, model_of
from gepa_ci.optimizers.gepa_rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON
    from gepa_ci.optimizers.dspy_bridge import Bridge
    from gepa_ci.optimizers.workbench import Workbench

# The workbench refuses what the budget has no room for, and GEPA counts what costs nothing too.
_NO_LIMIT = 10**9
IMPORTED = (
    *("instruction_proposer", "code_proposer", "component_selector", "acceptance_criterion"),
    *("sampling_strategy", "selection_strategy", "val_evaluation_policy", "batch_sampler"),
)
"""Options that may name an object of an installed package, as `package.module:name`."""


def run(bench: Workbench) -> str:
    """Search, and return why the search ended."""
    said: list[Rounds] = []
    reason = explore(bench, lambda bridge: _compiled(bridge, said), name="dspy.GEPA")
    return said[0].reason or reason if said else reason


def _compiled(bridge: Bridge, said: list[Rounds]) -> Any:
    from dspy.teleprompt import GEPA

    search = bridge.bench.search
    bridge.records_val = False
    rounds = Rounds(bridge.bench, bridge.candidate, guarded=bridge.guarded)
    said.append(rounds)
    optimizer = GEPA(
        metric=bridge.judged,
        max_metric_calls=_NO_LIMIT,
        reflection_lm=model_of(bridge),
        seed=search.policy.seed,
        track_stats=True,
        **_parameters(bridge, rounds),
    )
    return optimizer.compile(
        bridge.student(),
        trainset=bridge.rows(search.tuning.train),
        valset=bridge.rows(search.tuning.val),
    )


def _parameters(bridge: Bridge, rounds: Rounds) -> dict[str, Any]:
    policy, tuning = bridge.bench.search.policy, bridge.bench.search.tuning
    given = {name: _object(name, value) for name, value in policy.options.items()}
    more = given.pop("gepa_kwargs", {})
    kwargs = {
        "frontier_type": policy.frontier_type,
        "acceptance_criterion": policy.acceptance,
        **{name: _object(name, value) for name, value in more.items()},
        "callbacks": [rounds],
        "stop_callbacks": [rounds.should_stop],
    }
    parameters = {
        "reflection_minibatch_size": min(policy.reflection_minibatch_size, len(tuning.train)),
        "candidate_selection_strategy": policy.candidate_selection_strategy,
        "skip_perfect_score": policy.skip_perfect_score,
        "component_selector": policy.component_selector,
        "use_merge": policy.use_merge,
        "max_merge_invocations": policy.max_merge_invocations,
        **given,
        "gepa_kwargs": kwargs,
    }
    if "batch_sampler" in kwargs:
        # A sampler knows how much it draws, and GEPA refuses to be told twice.
        parameters["reflection_minibatch_size"] = None
    return parameters


def _object(name: str, value: JSON) -> Any:
    if name == "instruction_proposer" and isinstance(value, dict):
        from dspy.teleprompt.gepa import InstructionProposer

        return InstructionProposer(**_adapted(value))
    if name in IMPORTED and isinstance(value, str) and ":" in value:
        module, _, attribute = value.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        return found() if isinstance(found, type) else found
    return value


def _adapted(options: Mapping[str, JSON]) -> dict[str, Any]:
    import dspy

    made: dict[str, Any] = dict(options)
    if "adapter" in made:
        kinds = {"chat": dspy.ChatAdapter, "json": dspy.JSONAdapter, "xml": dspy.XMLAdapter}
        made["adapter"] = kinds[made["adapter"]]()
    return made
