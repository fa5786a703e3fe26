"""Owns `gepa-ci plan`: what a run would do and cost, without doing it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.options import config_option, format_option, state_option, task_argument
from gepa_ci.cli.progress import Progress
from gepa_ci.cli.session import open_session
from gepa_ci.cli.workspace import open_workspace

if TYPE_CHECKING:
    from pathlib import Path

    from gepa_ci.cli.session import Session
    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.evaluate.estimate import Estimate


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
    with open_session(workspace, state_dir, Progress()) as session:
        plans = [(inputs, _steps(session, inputs)) for inputs in found]
    if output_format == "json":
        document = {"tasks": [_document(inputs, steps) for inputs, steps in plans]}
        click.echo(json.dumps(document, indent=2))
        return
    for inputs, steps in plans:
        model = _model(inputs)
        click.echo(f"{inputs.task.name}  (model {model})")
        for command, cost in steps.items():
            click.echo(f"  {command:<9} {_line(cost)}")
    click.echo(
        "Calls are the most that a run makes, retries apart; tokens and dollars are estimates."
    )


def _steps(session: Session, inputs: TaskInputs) -> dict[str, Estimate]:
    from gepa_ci.evaluate.estimate import estimate
    from gepa_ci.optimizers.budget import plan_budget
    from gepa_ci.pipeline import planned_proof_calls, planned_trials

    program, held_out = session.program(inputs), inputs.suite.held_out
    tuning, prompt = inputs.suite.tuning, inputs.prompt
    steps: dict[str, Estimate] = {}
    if not held_out.examples:
        return steps
    services = session.services(inputs)
    once = estimate(session.client, program, (prompt,), held_out, range(1))
    steps["evaluate"] = once
    trials = planned_trials(inputs.task, held_out, repeats=services.known_to_repeat(prompt))
    base = estimate(session.client, program, (prompt,), held_out, range(trials))
    new = estimate(session.client, program, (prompt,), held_out, range(trials), cached=False)
    steps["gate"] = base + new
    if tuning.train and tuning.val:
        budget = plan_budget(
            inputs.task.optimize, train=len(tuning.train), val=len(tuning.val), components=1
        )
        repeats = services.known_to_repeat(prompt)
        calls = budget.metric_calls + planned_proof_calls(inputs.suite, repeats=repeats)
        steps["optimize"] = new.scaled(calls / new.calls)
    return steps


def _model(inputs: TaskInputs) -> str:
    from gepa_ci.programs.chat import task_model

    return task_model(inputs.prompt, inputs.task.model).model


def _line(cost: Estimate) -> str:
    dollars = "price unknown" if cost.usd is None else f"${cost.usd:.4f}"
    return (
        f"{cost.calls:>6} calls, {cost.cached_calls} of them cached; "
        f"about {cost.input_tokens} + {cost.output_tokens} tokens, {dollars}"
    )


def _document(inputs: TaskInputs, steps: dict[str, Estimate]) -> dict[str, object]:
    return {
        "name": inputs.task.name,
        "model": _model(inputs),
        "steps": {
            command: {
                "calls": cost.calls,
                "cached_calls": cost.cached_calls,
                "input_tokens": cost.input_tokens,
                "output_tokens": cost.output_tokens,
                "usd": cost.usd,
            }
            for command, cost in steps.items()
        },
    }
