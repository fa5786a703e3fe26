"""Owns `gepa-ci compare`: two saved results, told apart as the gate does, without a model."""

from __future__ import annotations

import math
import shlex
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gepa_ci import __version__
from gepa_ci.cli.again import arguments_again
from gepa_ci.cli.clock import now
from gepa_ci.cli.compare_notes import notes_on_files, notes_on_task
from gepa_ci.cli.options import output_option, report_format_option, report_option
from gepa_ci.cli.report import read_result
from gepa_ci.cli.results import check_outputs, deliver
from gepa_ci.cli.words import OneOf
from gepa_ci.core.result import RunResult, TaskResult
from gepa_ci.core.spend import Usage
from gepa_ci.errors import ExitCode, Problem, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.reports.saved import SavedResult, SavedTask

_HINT = "give a file that `gepa-ci evaluate --output FILE` wrote"
_FAILING = {
    "never": (),
    "regression": ("regression",),
    "inconclusive": ("regression", "inconclusive"),
}


@click.command()
@click.argument("first_path", metavar="A", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("second_path", metavar="B", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--margin",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Loss of mean score that is tolerated.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="1 - alpha of each one-sided test.",
)
@click.option(
    "--fail-on",
    type=OneOf(list(_FAILING)),
    default="never",
    show_default=True,
    help="Exit 1 on a regression; with inconclusive, on an open verdict too.",
)
@output_option
@report_option
@report_format_option
def compare(
    first_path: Path,
    second_path: Path,
    margin: float,
    confidence: float,
    fail_on: str,
    output_format: str,
    reports: tuple[Path, ...],
    output: Path | None,
) -> int:
    """Compare the scores in two saved results; calls no model.

    A is the baseline and B the candidate: results that --output wrote, best of evaluate. Tasks are
    paired by name and examples by id.
    """
    started = time.perf_counter()
    _check_numbers({"--margin": margin, "--confidence": confidence})
    paths = (first_path, second_path)
    first, second = _read(paths)
    check_outputs(output, *reports, kept=paths)
    tasks = _tasks(paths, first, second, margin=margin, confidence=confidence)
    result = RunResult(
        command="compare",
        tasks=tasks,
        # Nothing was called, and what the files cost is told by them.
        spend=Usage(),
        seconds=time.perf_counter() - started,
        config_digest=second.config_digest,
        versions={"gepa-ci": __version__, **{name: version(name) for name in ("numpy", "scipy")}},
        replay=shlex.join(["gepa-ci", *arguments_again()]),
        made_at=now(),
    )
    has_texts = first.has_texts and second.has_texts
    deliver(result, output, output_format, reports, texts=has_texts)
    fails = any(task.verdict in _FAILING[fail_on] for task in tasks)
    return ExitCode.BLOCKED if fails else ExitCode.OK


def _check_numbers(options: Mapping[str, float]) -> None:
    """Refuse what is in no range, and for that reason not outside of one either."""
    for name, value in options.items():
        if math.isnan(value):
            raise UsageError(f"'{value}' is not a value of '{name}'", hint="give a number")


def _read(paths: Sequence[Path]) -> list[SavedResult]:
    """Read both files, and say all that is wrong with either."""
    from gepa_ci.reports.saved import saved_result

    results, problems = [], []
    for path in paths:
        try:
            saved = saved_result(read_result(path))
        except UsageError as error:
            problems += [replace(problem, path=str(path)) for problem in error.problems]
            continue
        if not saved.tasks:
            problems.append(Problem(message="the result has no scores", path=str(path), hint=_HINT))
        results.append(saved)
    if problems:
        raise UsageError.of(dict.fromkeys(problems))
    return results


def _tasks(
    paths: tuple[Path, Path],
    first: SavedResult,
    second: SavedResult,
    *,
    margin: float,
    confidence: float,
) -> tuple[TaskResult, ...]:
    from gepa_ci.pipeline.pairs import Unpaired, compared, paired

    pairs, lonely = _pairs(first, second)
    # The terminal shows the first notes only.
    which_is_which, *on_files = notes_on_files(paths, first, second)
    same_config = first.config_digest == second.config_digest
    results, problems = [], []
    for before, after in pairs:
        pair = paired(
            before.evaluation,
            after.evaluation,
            by_texts=first.has_texts and second.has_texts,
        )
        if isinstance(pair, Unpaired):
            problems.append(Problem(message=f"task '{after.name}': {pair.reason}", hint=_HINT))
            reason = f"Not compared: {pair.reason}."
            results.append(TaskResult(name=after.name, verdict=None, reasons=(reason,)))
            continue
        task = compared(pair, name=after.name, margin=margin, confidence=confidence)
        on_task = tuple(notes_on_task(before, after, same_config=same_config))
        results.append(replace(task, notes=(which_is_which, *on_task, *task.notes, *on_files)))
    if len(problems) == len(pairs):
        raise UsageError.of(problems or [_nothing_in_common(first, second)])
    return (*results, *lonely)


def _pairs(
    first: SavedResult, second: SavedResult
) -> tuple[list[tuple[SavedTask, SavedTask]], list[TaskResult]]:
    """Return the tasks that both files have, and what is said of the others."""
    if len(first.tasks) == len(second.tasks) == 1:
        return [(first.tasks[0], second.tasks[0])], []
    before, after = ({task.name: task for task in saved.tasks} for saved in (first, second))
    pairs = [(before[name], task) for name, task in after.items() if name in before]
    lonely = [
        TaskResult(
            name=name,
            verdict=None,
            reasons=(f"Only the {which} file has scores of this task, so it is not compared.",),
        )
        for which, mine, others in (("first", before, after), ("second", after, before))
        for name in mine
        if name not in others
    ]
    return pairs, lonely


def _nothing_in_common(first: SavedResult, second: SavedResult) -> Problem:
    mine, others = (_listed([task.name for task in saved.tasks]) for saved in (first, second))
    return Problem(
        message="the files have no task in common",
        hint=f"the first has {mine}, the second {others}",
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
