"""Owns `gepa-ci optimize`: search, prove on held-out, write the file only when it is better."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.options import run_options, task_argument
from gepa_ci.cli.progress import Progress
from gepa_ci.cli.results import check_output, deliver, run_result
from gepa_ci.cli.session import open_session, prepare_state_dir
from gepa_ci.cli.workspace import open_workspace

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@task_argument
@run_options
def optimize(
    task_name: str | None,
    config_path: str,
    output_format: str,
    output: Path | None,
    state_dir: Path | None,
) -> None:
    """Optimize a prompt, prove it on held-out examples, and write it only if it is better.

    TASK is a task of the config, or a .prompt.yml file with testData; all tasks if not given.
    A run that was stopped goes on where it was when it is started again.
    """
    from gepa_ci.cli.readiness import check_optimizable
    from gepa_ci.pipeline import optimize as optimize_task

    started = time.perf_counter()
    workspace, name = open_workspace(config_path, task_name)
    found = workspace.inputs(workspace.tasks(name))
    check_optimizable(found, workspace.config)
    check_output(output)
    with open_session(workspace, state_dir, Progress()) as session:
        # The ledger and the search's journal are kept there, also without a cache.
        prepare_state_dir(session.state_dir)
        results = [
            optimize_task(inputs.task, inputs.prompt, inputs.suite, session.services(inputs))
            for inputs in found
        ]
        result = run_result("optimize", session, results, started)
    deliver(result, output, output_format)
