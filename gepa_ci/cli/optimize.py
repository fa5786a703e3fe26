"""Owns `gepa-ci optimize`: search, prove on held-out, write the file only when it is better."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.interrupts import PATIENCE
from gepa_ci.cli.options import run_options, task_argument
from gepa_ci.cli.own_templates import own_templates, shows_texts
from gepa_ci.cli.progress import Progress
from gepa_ci.cli.results import check_outputs, deliver, run_result
from gepa_ci.cli.session import open_session, prepare_state_dir
from gepa_ci.cli.tracked import check_trackable, optimize_tracked
from gepa_ci.cli.workspace import open_workspace
from gepa_ci.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gepa_ci.core.result import TaskResult


@click.command()
@task_argument
@run_options
def optimize(
    task_name: str | None,
    config_path: str,
    output_format: str,
    output: Path | None,
    reports: tuple[Path, ...],
    state_dir: Path | None,
) -> int:
    """Optimize a prompt, prove it on held-out examples, and write it only if it is better.

    TASK is a task of the config, or a .prompt.yml file with testData; all tasks if not given.
    A run that was stopped goes on where it was when it is started again. Ctrl-C stops a search at
    the next call and reports its best so far, unproved; Ctrl-C again ends at once.
    """
    from gepa_ci.cli.readiness import check_optimizable
    from gepa_ci.cli.search import check_proposers, check_stop_at_usd

    started = time.perf_counter()
    workspace, name = open_workspace(config_path, task_name)
    found = workspace.inputs(workspace.tasks(name))
    check_optimizable(found, workspace.config)
    check_trackable(found, workspace.config)
    check_proposers(found, workspace)
    own = own_templates(workspace)
    check_outputs(output, *reports)
    progress = Progress(shown=output_format != "json")
    results: list[TaskResult] = []
    with open_session(workspace, state_dir, progress) as opened:
        session = replace(opened, patience=PATIENCE)
        check_stop_at_usd(session, found)
        # The ledger and the search's journal are kept there, also without a cache.
        prepare_state_dir(session.state_dir)
        for inputs in found:
            results.append(optimize_tracked(session, inputs))
            if _interrupted(results):
                # Answers that come late now are kept by nobody.
                session.client.stop()
                break
        result = run_result("optimize", session, results, started)
    deliver(
        result,
        output,
        output_format,
        reports,
        texts=shows_texts(workspace.config),
        own=own,
    )
    return ExitCode.INTERRUPTED if _interrupted(results) else ExitCode.OK


def _interrupted(results: Sequence[TaskResult]) -> bool:
    last = results[-1].optimization if results else None
    return last is not None and last.interrupted
