"""Owns `gepa-ci plan`: what a run would do and cost, without doing it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.affording import check_caps, estimated
from gepa_ci.cli.choosing import reflection_of
from gepa_ci.cli.judges import ruler_cost
from gepa_ci.cli.options import config_option, format_option, state_option, task_argument
from gepa_ci.cli.printing import say
from gepa_ci.cli.progress import Progress
from gepa_ci.cli.readiness import check_models
from gepa_ci.cli.session import PROBES, open_session
from gepa_ci.cli.workspace import open_workspace
from gepa_ci.core.config import CacheMode, ProgramKind, Proposer
from gepa_ci.core.prompt import ComponentKind
from gepa_ci.errors import CapError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gepa_ci.cli.session import Session
    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.evaluate.estimate import Estimate
    from gepa_ci.optimizers.budget import BudgetPlan


@dataclass(frozen=True, kw_only=True)
class _Step:
    """What one command would do for a task."""

    cost: Estimate
    """Of the task LM."""
    refusal: str | None
    """Why the spend caps would stop it before its first call."""
    reflection_calls: int | None = 0
    """None where only the search tells."""


@click.command()
@task_argument
@state_option
@config_option
@format_option
def plan(
    task_name: str | None, state_dir: Path | None, config_path: str, output_format: str
) -> None:
    """Show what evaluate, gate and optimize would cost: calls, tokens, dollars; calls no model."""
    workspace, name = open_workspace(config_path, task_name)
    found = workspace.inputs(workspace.tasks(name))
    check_models(found)
    with open_session(workspace, state_dir, Progress()) as session:
        plans = [(inputs, _steps(session, inputs)) for inputs in found]
    if output_format == "json":
        say(json.dumps({"tasks": [_document(*plan) for plan in plans]}, indent=2))
        return
    for inputs, steps in plans:
        say(f"{inputs.task.name}  (model {inputs.model_name})")
        for line in _lines(steps):
            say(line)
        if inputs.choice:
            say(f"  {inputs.choice}")
        if inputs.task.program.kind is not ProgramKind.CHAT:
            say("  A run of the program counts as one call; running it tells how many it makes.")
    say("Calls are the most that a run makes, retries apart; tokens and dollars are estimates.")


def _steps(session: Session, inputs: TaskInputs) -> dict[str, _Step]:
    from gepa_ci.pipeline import planned_proof_calls, planned_trials

    held_out, prompt = inputs.suite.held_out, inputs.prompt
    if not held_out.examples:
        return {}
    services = session.services(inputs)
    repeats = services.known_to_repeat(prompt)
    once = estimated(session, inputs, (prompt,), held_out, range(1))
    trials = range(planned_trials(inputs.task, held_out, repeats=repeats))
    base = estimated(session, inputs, (prompt,), held_out, trials)
    new = estimated(session, inputs, (prompt,), held_out, trials, cached=False)
    runs = len(held_out.examples) * len(trials)
    anchors = ruler_cost(session, inputs)
    once += anchors
    both = base + anchors + new.scaled(1 + _probes(session, inputs, len(trials)) / runs)

    def afford(cost: Estimate) -> str | None:
        return _refusal(lambda: check_caps(session, inputs, (prompt,), held_out, cost))

    steps = {
        "evaluate": _Step(cost=once, refusal=afford(once)),
        "gate": _Step(cost=both, refusal=afford(both)),
    }
    tuning = inputs.suite.tuning
    if tuning.train and tuning.val:
        budget, proof = _budget(inputs), planned_proof_calls(inputs.suite, repeats=repeats)
        calls = budget.metric_calls + budget.prune + proof + _probes(session, inputs, 2)
        steps["optimize"] = _Step(
            cost=anchors + new.scaled(calls / runs),
            reflection_calls=_reflection_calls(inputs, budget),
            refusal=_search_refusal(session, inputs, proof),
        )
    return steps


def _refusal(check: Callable[[], object]) -> str | None:
    try:
        check()
    except (CapError, ConfigError) as error:
        return error.problems[0].message
    return None


def _search_refusal(session: Session, inputs: TaskInputs, proof: int) -> str | None:
    def check() -> None:
        reflection_of(session.workspace.config, inputs.task.optimize)
        with session.services(inputs).keep_for_proof(inputs.prompt, proof):
            pass

    return _refusal(check)


def _probes(session: Session, inputs: TaskInputs, trials: int) -> int:
    """Return the calls that find out whether a model repeats itself, where no cache keeps them."""
    spec = inputs.program.model(inputs.prompt)
    asks = trials > 1 and spec is not None and spec.parameters.get("temperature") == 0
    return 2 * PROBES if asks and session.workspace.config.cache is CacheMode.OFF else 0


def _budget(inputs: TaskInputs) -> BudgetPlan:
    from gepa_ci.optimizers.budget import plan_budget

    tuning, policy = inputs.suite.tuning, inputs.task.optimize
    return plan_budget(
        policy, train=len(tuning.train), val=len(tuning.val), components=_components(inputs)
    )


def _components(inputs: TaskInputs) -> int:
    """Return the most components that a search would change."""
    from gepa_ci.optimizers import registry

    policy = inputs.task.optimize
    if policy.optimizer != "gepa":
        return max(1, len(registry.components(policy, inputs.prompt)))
    reflects = policy.proposer is not Proposer.EXAMPLES
    kind = ComponentKind.TEXT if reflects else ComponentKind.DEMOS
    able = [c.name for c in inputs.prompt.components if c.kind is kind]
    chosen = [name for name in able if policy.components is None or name in policy.components]
    return max(1, len(chosen))


def _reflection_calls(inputs: TaskInputs, budget: BudgetPlan) -> int | None:
    """Return the most calls of the reflection LM: a first one, then two for each text asked for."""
    from gepa_ci.optimizers import registry

    policy = inputs.task.optimize
    if policy.optimizer != "gepa":
        asks = registry.reflects(policy) or policy.optimizer not in registry.BUILT_IN
        return None if asks else 0
    if policy.proposer is not Proposer.REFLECTION:
        return 0
    texts = _components(inputs) if policy.component_selector == "all" else 1
    return 1 + 2 * budget.proposals * texts


def _lines(steps: dict[str, _Step]) -> list[str]:
    if not steps:
        return ["  nothing can be run: there are no held-out examples"]
    lines = []
    for command, step in steps.items():
        cost = step.cost
        dollars = "price unknown" if cost.usd is None else f"${cost.usd:.4f}"
        lines.append(
            f"  {command:<9} {cost.calls:>6} calls, {cost.cached_calls} of them cached; "
            f"{_tokens(cost)}, {dollars}"
        )
        if step.reflection_calls:
            lines.append(f"  {'':<9} {step.reflection_calls:>6} calls of the reflection LM besides")
        if step.reflection_calls is None:
            lines.append(f"  {'':<9} and as many calls of the reflection LM as it makes")
        if step.refusal is not None:
            lines.append(f"  {'':<9} would be refused: {step.refusal}")
    return lines


def _tokens(cost: Estimate) -> str:
    if cost.new_calls and not cost.input_tokens:
        # Only running a program tells.
        return "tokens unknown"
    return f"about {cost.input_tokens} + {cost.output_tokens} tokens"


def _document(inputs: TaskInputs, steps: dict[str, _Step]) -> dict[str, object]:
    return {
        "name": inputs.task.name,
        "model": inputs.model_name,
        "steps": {
            command: {
                "calls": step.cost.calls,
                "cached_calls": step.cost.cached_calls,
                "input_tokens": step.cost.input_tokens,
                "output_tokens": step.cost.output_tokens,
                "usd": step.cost.usd,
                "reflection_calls": step.reflection_calls,
                "refusal": step.refusal,
            }
            for command, step in steps.items()
        },
    }
