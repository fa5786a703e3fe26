"""Owns optimizing one task with its search written down where the config wants it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.errors import ConfigError, GepaCiError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gepa_ci.cli.session import Session
    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.core.config import Config
    from gepa_ci.core.result import TaskResult
    from gepa_ci.optimizers.tracking import Tracker

# A server that is down is found out in seconds and not in minutes; the user's own settings win.
_MLFLOW = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def check_trackable(tasks: Iterable[TaskInputs], config: Config) -> None:
    """Raise ConfigError unless all libraries are installed that tracking needs."""
    from gepa_ci.optimizers.tracking import check_tracking

    problems: list[Problem] = []
    for inputs in tasks:
        try:
            check_tracking(
                inputs.task.optimize.tracking, where=config.path, line=inputs.task.line or None
            )
        except GepaCiError as error:
            problems += error.problems
    if problems:
        raise ConfigError.of(problems)


def optimize_tracked(session: Session, inputs: TaskInputs) -> TaskResult:
    """Optimize a task, and write its search down.

    Raises:
        UsageError: a place to write it to cannot be reached; nothing was run.
    """
    from gepa_ci.pipeline import optimize

    tracker = _tracker(session, inputs)
    if tracker is None:
        return optimize(inputs.task, inputs.prompt, inputs.suite, session.services(inputs))
    watched = replace(session, watch=tracker.candidate)
    result = None
    try:
        result = optimize(inputs.task, inputs.prompt, inputs.suite, watched.services(inputs))
        return result
    finally:
        tracker.end(result)


def _tracker(session: Session, inputs: TaskInputs) -> Tracker | None:
    from gepa_ci.cli.session import prepare_state_dir
    from gepa_ci.optimizers.tracking import start_tracking

    wanted = inputs.task.optimize.tracking
    if wanted is None:
        return None
    for name, value in _MLFLOW.items():
        os.environ.setdefault(name, value)
    return start_tracking(
        wanted,
        name=inputs.task.name,
        parameters=_parameters(session, inputs),
        folder=str(prepare_state_dir(session.state_dir)),
        warn=session.progress.warn,
    )


def _parameters(session: Session, inputs: TaskInputs) -> dict[str, str]:
    policy, tuning = inputs.task.optimize, inputs.suite.tuning
    task_lm = inputs.program.model(inputs.prompt)
    reflection = session.workspace.config.models.get("reflection")
    budget = policy.max_metric_calls or policy.max_full_evals or policy.auto
    return {
        "task": inputs.task.name,
        "prompts": ", ".join(inputs.task.prompts),
        "baseline": inputs.prompt.digest,
        "metric": inputs.metric.name,
        "task_lm": "" if task_lm is None else task_lm.model,
        "reflection_lm": "" if reflection is None else reflection.model,
        "optimizer": policy.optimizer,
        "proposer": policy.proposer_code or policy.proposer.value,
        "budget": str(budget),
        "train": str(len(tuning.train)),
        "val": str(len(tuning.val)),
        "frontier_type": policy.frontier_type,
        "candidate_selection_strategy": policy.candidate_selection_strategy,
        "component_selector": policy.component_selector,
        "reflection_minibatch_size": str(policy.reflection_minibatch_size),
        "proposals": str(policy.proposals),
        "seed": str(policy.seed),
    }
