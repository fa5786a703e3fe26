"""Owns which optimizer and which reflection LM a task gets."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.core.config import AUTO, Proposer
from gepa_ci.core.prompt import ComponentKind
from gepa_ci.errors import ConfigError, MetricError

if TYPE_CHECKING:
    from gepa_ci.core.config import Config, ModelSpec, OptimizePolicy, Task
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.suite import Example, Suite
    from gepa_ci.metrics import Metric
    from gepa_ci.programs import Program


def chosen(
    task: Task, config: Config, prompts: Prompts, program: Program, suite: Suite, metric: Metric
) -> tuple[Task, str]:
    """Return a task with its optimizer, and why `auto` chose it; empty where the config says."""
    policy = task.optimize
    if policy.optimizer != AUTO:
        return task, ""
    from gepa_ci.optimizers.choice import Situation, choose

    train = suite.tuning.train
    choice = choose(
        Situation(
            feedback=_gives_feedback(metric, train),
            labelled=sum(example.labelled for example in train),
            train=len(train),
            holds_demos=_holds_demos(prompts),
            dspy=getattr(program, "is_dspy", False),
            reflection="reflection" in config.models,
            has_optuna=importlib.util.find_spec("optuna") is not None,
        )
    )
    why = f"`optimizer: auto` chose {choice.why}"
    return replace(task, optimize=replace(policy, optimizer=choice.name)), why


def reflection_of(config: Config, policy: OptimizePolicy) -> ModelSpec | None:
    """Return the reflection LM of a search; None where it has none.

    Raises:
        ConfigError: it needs one, and the config names none.
    """
    from gepa_ci.optimizers import registry

    if registry.reflects(policy):
        return reflection_model(config, policy)
    # The user's own proposer or plug-in may do without.
    is_code = policy.proposer is Proposer.CODE or policy.optimizer not in registry.BUILT_IN
    return config.models.get("reflection") if is_code else None


def reflection_model(config: Config, policy: OptimizePolicy) -> ModelSpec:
    """Return the reflection LM of a config.

    Raises:
        ConfigError: the config names none.
    """
    spec = config.models.get("reflection")
    if spec is not None:
        return spec
    is_gepa = policy.optimizer == "gepa"
    what = "`proposer: reflection`" if is_gepa else f"`optimizer: {policy.optimizer}`"
    other = "`optimize: {proposer: examples}`" if is_gepa else "choose another optimizer"
    raise ConfigError(
        f"{what} needs a reflection LM, and the config names none",
        path=config.path,
        hint=f"add `models: {{reflection: openai/gpt-5}}`, or {other}",
    )


def _gives_feedback(metric: Metric, train: tuple[Example, ...]) -> bool:
    """Find out whether a metric says more than a number; a judge always gives its reason."""
    from gepa_ci.metrics import judges_of

    if judges_of((metric,)) or not train:
        return True
    try:
        # An answer that is wrong for certain is the one that feedback is for.
        return bool(metric(train[0], "").feedback)
    except MetricError:
        return False


def _holds_demos(prompts: Prompts) -> bool:
    kinds = {component.kind for component in prompts.components}
    is_one = len(prompts.files) == 1
    return ComponentKind.RECORDS in kinds or (is_one and ComponentKind.DEMOS in kinds)
