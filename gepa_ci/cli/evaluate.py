"""Owns `gepa-ci evaluate`: the score of the working tree's prompt."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.options import run_options, task_argument
from gepa_ci.cli.own_templates import own_templates, shows_texts
from gepa_ci.cli.progress import Progress
from gepa_ci.cli.results import check_outputs, deliver, run_result
from gepa_ci.cli.session import open_session
from gepa_ci.cli.words import OneOf
from gepa_ci.cli.workspace import open_workspace
from gepa_ci.core.suite import Part

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@task_argument
@click.option(
    "--part",
    type=OneOf([part.value for part in Part]),
    default=Part.HELD_OUT.value,
    show_default=True,
    help="Part of the suite to score.",
)
@click.option(
    "--trials",
    type=click.IntRange(1, 32),
    default=1,
    show_default=True,
    help="Runs of each example.",
)
@run_options
def evaluate(
    task_name: str | None,
    part: str,
    trials: int,
    config_path: str,
    output_format: str,
    output: Path | None,
    reports: tuple[Path, ...],
    state_dir: Path | None,
) -> None:
    """Score the working tree's prompt on one part of the suite.

    TASK is a task of the config, or a .prompt.yml file with testData; all tasks if not given.
    """
    from gepa_ci.cli.readiness import check_runnable
    from gepa_ci.pipeline import evaluate as evaluate_task

    started = time.perf_counter()
    workspace, name = open_workspace(config_path, task_name)
    found = workspace.inputs(workspace.tasks(name))
    check_runnable(found, workspace.config, Part(part))
    own = own_templates(workspace)
    check_outputs(output, *reports)
    with open_session(workspace, state_dir, Progress()) as session:
        results = [
            evaluate_task(
                inputs.task,
                inputs.prompt,
                inputs.suite,
                session.services(inputs),
                part=Part(part),
                trials=trials,
            )
            for inputs in found
        ]
        result = run_result("evaluate", session, results, started)
    deliver(
        result,
        output,
        output_format,
        reports,
        texts=shows_texts(workspace.config),
        own=own,
    )
