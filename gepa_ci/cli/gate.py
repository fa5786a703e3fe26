"""Owns `gepa-ci gate`: base against head on the held-out examples."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.again import arguments_again
from gepa_ci.cli.options import run_options, task_argument
from gepa_ci.cli.own_templates import own_templates, shows_texts
from gepa_ci.cli.progress import Progress
from gepa_ci.cli.readiness import check_runnable
from gepa_ci.cli.results import check_outputs, deliver, exit_code, run_result
from gepa_ci.cli.session import open_session
from gepa_ci.cli.sides import Sides
from gepa_ci.cli.words import OneOf
from gepa_ci.cli.workspace import bare_prompt
from gepa_ci.core.suite import Part
from gepa_ci.delivery.commit_files import commit_id, open_repository

if TYPE_CHECKING:
    from pathlib import Path

    from gepa_ci.cli.session import Session
    from gepa_ci.cli.sides import Exam
    from gepa_ci.core.result import TaskResult


@click.command()
@task_argument
@click.option("--base", required=True, metavar="REF", help="Commit to compare with.")
@click.option("--head", metavar="REF", help="Commit to judge; the working tree if not given.")
@click.option(
    "--trust",
    type=OneOf(["head", "base"]),
    default="head",
    show_default=True,
    help="Side that config, suite and metric come from; base for changes of others.",
)
@run_options
def gate(
    task_name: str | None,
    base: str,
    head: str | None,
    trust: str,
    config_path: str,
    output_format: str,
    output: Path | None,
    reports: tuple[Path, ...],
    state_dir: Path | None,
) -> int:
    """Run base and head on the held-out examples; exit 1 when the head is worse.

    The base is read from git's objects: nothing is checked out.
    """
    started = time.perf_counter()
    sides = Sides.open(config_path, task_name, base=base, head=head, trust=trust)
    # A branch may move while models are called.
    refs = {"--base": base, "--head": head}
    root = sides.head.root
    commits = {key: commit_id(root, ref) for key, ref in refs.items() if ref is not None}
    folder = open_repository(root).prefix
    name = None if bare_prompt(task_name) is not None else task_name
    exams = sides.exams(name)
    check_runnable([exam.inputs for exam in exams], sides.trusted.config, Part.HELD_OUT)
    own = own_templates(sides.trusted)
    check_outputs(output, *reports)
    with open_session(sides.trusted, state_dir, Progress()) as session:
        results = [_from_the_top(_judged(exam, session), folder) for exam in exams]
        result = run_result(
            "gate",
            session,
            [*results, *sides.not_judged(name)],
            started,
            replay=arguments_again(commits),
        )
    deliver(
        result,
        output,
        output_format,
        reports,
        texts=shows_texts(sides.trusted.config),
        own=own,
    )
    return exit_code(result, sides.trusted.config)


def _judged(exam: Exam, session: Session) -> TaskResult:
    from gepa_ci.pipeline import gate as gate_task

    inputs = exam.inputs
    services = session.services(inputs)
    result = gate_task(inputs.task, exam.base, inputs.prompt, inputs.suite, services)
    return replace(result, notes=(*result.notes, *exam.notes))


def _from_the_top(result: TaskResult, folder: str) -> TaskResult:
    """Name changed files by their paths in the repository, where their alerts belong."""
    changes = tuple(replace(change, path=f"{folder}{change.path}") for change in result.changes)
    return replace(result, changes=changes)
