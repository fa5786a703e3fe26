"""Owns how the result of a run is put together, printed and written."""

from __future__ import annotations

import shlex
import sys
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, cast

import click

from gepa_ci import __version__
from gepa_ci.core.config import OnInconclusive
from gepa_ci.core.result import RunResult
from gepa_ci.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from gepa_ci.cli.session import Session
    from gepa_ci.core.config import Config
    from gepa_ci.core.result import TaskResult
    from gepa_ci.reports import Format

_DECIDING = ("dspy", "gepa", "litellm", "numpy", "scipy")


def run_result(
    command: str, session: Session, tasks: list[TaskResult], started: float
) -> RunResult:
    """Put the results of all tasks together."""
    return RunResult(
        command=command,
        tasks=tuple(tasks),
        spend=session.client.meter.total,
        seconds=time.perf_counter() - started,
        config_digest=session.workspace.config.digest,
        versions={"gepa-ci": __version__, **{name: version(name) for name in _DECIDING}},
        replay=shlex.join(["gepa-ci", *sys.argv[1:]]),
    )


def deliver(result: RunResult, output: Path | None, output_format: str) -> None:
    """Write the result file and print the result in the chosen format."""
    from gepa_ci.reports import render, result_document

    document = result_document(result, texts=True)
    if output is not None:
        write_file(output, render(document, "json"))
    shown = "terminal" if output_format == "text" else output_format
    click.echo(render(document, cast("Format", shown)).rstrip("\n"))


def write_file(path: Path, text: str) -> None:
    """Write a text file that the user asked for."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the file: {error.strerror}", path=str(path)) from error


def exit_code(result: RunResult, config: Config) -> int:
    """Return 1 when a verdict blocks, else 0."""
    policies = {task.name: task.gate for task in config.tasks}
    for task in result.tasks:
        fails = policies[task.name].on_inconclusive is OnInconclusive.FAIL
        if task.verdict == "regression" or (task.verdict == "inconclusive" and fails):
            return ExitCode.BLOCKED
    return ExitCode.OK
