"""Owns the optimizers by name: where each is, what it changes, and what it needs."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.prompt import ComponentKind
from gepa_ci.errors import ConfigError
from gepa_ci.optimizers import plugins
from gepa_ci.optimizers.proposers import has_instructions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gepa_ci.core.config import OptimizePolicy
    from gepa_ci.core.prompt import Component, Prompts
    from gepa_ci.core.values import JSON
    from gepa_ci.optimizers.workbench import Workbench

TEXTS = frozenset({ComponentKind.TEXT})
DEMOS = frozenset({ComponentKind.DEMOS, ComponentKind.RECORDS})
_HERE = "gepa_ci.optimizers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One built-in optimizer."""

    title: str
    """What it is called by those who made it."""
    module: str
    function: str = "run"
    changes: frozenset[ComponentKind] = TEXTS
    """Kinds of components that it changes by itself."""
    reflects: bool = True
    """Whether it asks a reflection LM."""
    package: str = ""
    """What must be installed besides gepa-ci."""
    extra: str = ""
    """The extra of gepa-ci that brings it."""


BUILT_IN: Mapping[str, Entry] = {
    "gepa": Entry(title="GEPA", module="gepa_search"),
    "dspy_gepa": Entry(title="dspy.GEPA", module="dspy_gepa"),
    "miprov2": Entry(title="MIPROv2", module="miprov2", package="optuna", extra="mipro"),
    "copro": Entry(title="COPRO", module="copro"),
    "simba": Entry(title="SIMBA", module="simba"),
    "infer_rules": Entry(title="InferRules", module="infer_rules"),
    "bootstrap_few_shot": Entry(
        title="BootstrapFewShot",
        module="few_shot",
        function="bootstrap",
        changes=DEMOS,
        reflects=False,
    ),
    "bootstrap_random_search": Entry(
        title="BootstrapFewShotWithRandomSearch",
        module="few_shot",
        function="random_search",
        changes=DEMOS,
        reflects=False,
    ),
    "labeled_few_shot": Entry(
        title="LabeledFewShot", module="few_shot", function="labeled", changes=DEMOS, reflects=False
    ),
    "better_together": Entry(title="BetterTogether", module="better_together"),
    "optimize_anything": Entry(title="optimize_anything", module="optimize_anything"),
}


def run(bench: Workbench) -> str:
    """Search with the optimizer that the policy names, and return why the search ended.

    Raises:
        ConfigError: there is no such optimizer.
        BudgetReached: there was no room for another step.
        FailedSearch: a call or the user's code failed.
    """
    return optimizer(bench.search.policy.optimizer)(bench)


def optimizer(name: str) -> Callable[[Workbench], str]:
    """Return the search of an optimizer; an installed plug-in's where no built-in has the name.

    Raises:
        ConfigError: there is none.
    """
    entry = BUILT_IN.get(name)
    if entry is not None:
        found: Callable[[Workbench], str] = getattr(
            importlib.import_module(f"{_HERE}.{entry.module}"), entry.function
        )
        return found
    if name in plugins.installed():
        return plugins.run
    known = ", ".join([*BUILT_IN, *plugins.installed()])
    raise ConfigError(f"unknown optimizer '{name}'", hint=f"optimizers: {known}")


def changes(policy: OptimizePolicy) -> frozenset[ComponentKind]:
    """Return the kinds of components that a policy's optimizer changes."""
    from gepa_ci.optimizers.chain import steps_of

    name, options = policy.optimizer, policy.options
    if name == "better_together":
        return frozenset(kind for step in steps_of(policy) for kind in changes(step))
    entry = BUILT_IN.get(name)
    kinds = TEXTS if entry is None else entry.changes
    if name in ("miprov2", "infer_rules") and _shows_demos(options):
        return kinds | DEMOS
    if name == "simba" and options.get("max_demos"):
        return kinds | DEMOS
    return kinds


def components(policy: OptimizePolicy, prompts: Prompts) -> tuple[str, ...]:
    """Return the components that a policy's optimizer, other than `gepa`, may change."""
    kinds, chosen = changes(policy), policy.components

    def fits(component: Component) -> bool:
        if component.kind is ComponentKind.TEXT:
            return has_instructions(prompts, component)
        # What a prompt within a program is asked is not what an example asks.
        return component.kind is ComponentKind.RECORDS or len(prompts.files) == 1

    return tuple(
        c.name
        for c in prompts.components
        if c.kind in kinds and (chosen is None or c.name in chosen) and fits(c)
    )


def reflects(policy: OptimizePolicy) -> bool:
    """Return whether a policy's optimizer cannot do without a reflection LM."""
    from gepa_ci.optimizers.chain import steps_of

    if policy.optimizer == "better_together":
        return any(reflects(step) for step in steps_of(policy))
    if policy.optimizer == "gepa":
        return policy.proposer.value == "reflection"
    entry = BUILT_IN.get(policy.optimizer)
    # A plug-in says by asking whether it needs one.
    return entry is not None and entry.reflects


def _shows_demos(options: Mapping[str, JSON]) -> bool:
    return bool(options.get("max_bootstrapped_demos") or options.get("max_labeled_demos"))
