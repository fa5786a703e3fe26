"""Owns `gepa-ci suite`: what is done to a task's examples as a whole."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.options import config_option, format_option, task_argument
from gepa_ci.cli.printing import say
from gepa_ci.cli.suite_files import write_all
from gepa_ci.cli.words import Commands, OneOf
from gepa_ci.cli.workspace import check_fit, open_workspace, read_task
from gepa_ci.core.config import Measure
from gepa_ci.core.suite import Part
from gepa_ci.errors import GepaCiError, SuiteError, UsageError
from gepa_ci.suites.load import load_suite
from gepa_ci.suites.refresh import plan_refresh

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gepa_ci.cli.workspace import TaskInputs, Workspace
    from gepa_ci.core.suite import Example, HeldOutSet, Suite
    from gepa_ci.errors import Problem
    from gepa_ci.suites.refresh import Refresh

_LISTED = 6
"""Examples that are named."""
_DIGITS = 12
"""Of a digest, where a reader only has to tell two apart."""


@dataclass(frozen=True, kw_only=True)
class _Done:
    """One refresh and what is said of it."""

    name: str
    refresh: Refresh
    new: str
    root: Path
    is_dry: bool
    warnings: tuple[str, ...]


@click.group(cls=Commands)
def suite() -> None:
    """A task's examples as a whole."""


@suite.command(short_help="Give a suite new held-out examples; the old ones are retired.")
@task_argument
@click.option(
    "--new",
    "new_path",
    required=True,
    metavar="FILE",
    help="File with the new held-out examples, in any format of suites.",
)
@click.option(
    "--retire-to",
    type=OneOf([Part.TRAIN.value, Part.VAL.value]),
    default=Part.TRAIN.value,
    show_default=True,
    help="Where the old held-out examples go.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Old held-out examples that stay, chosen by hash.",
)
@click.option("--dry-run", is_flag=True, help="Check and show everything, and write nothing.")
@config_option
@format_option
def refresh(
    task_name: str | None,
    new_path: str,
    retire_to: str,
    keep: int,
    dry_run: bool,  # noqa: FBT001 - click passes it by keyword
    config_path: str,
    output_format: str,
) -> None:
    """Give a suite new held-out examples; the old ones become train or val examples.

    TASK is a task of the config, and may be left out when there is one.
    """
    workspace, inputs = _open(config_path, task_name)
    new = os.path.relpath(new_path, workspace.root)
    plan = plan_refresh(
        inputs.task.suite,
        workspace.read,
        new.replace(os.sep, "/"),
        retire_to=Part(retire_to),
        keep=keep,
        fits=partial(_fits, inputs),
    )
    warnings = (*plan.warnings, *_check_others(workspace, inputs, plan))
    if not dry_run:
        write_all(
            workspace.root, plan.files, plan.old, check=lambda: _read_back(workspace, inputs, plan)
        )
    done = _Done(
        name=inputs.task.name,
        refresh=plan,
        new=new,
        root=workspace.root,
        is_dry=dry_run,
        warnings=warnings,
    )
    for warning in done.warnings:
        say(f"warning: {done.name}: {warning}", err=True)
    say(json.dumps(_document(done), indent=2) if output_format == "json" else _text(done))


def _open(config_path: str, task_name: str | None) -> tuple[Workspace, TaskInputs]:
    workspace, name = open_workspace(config_path, task_name)
    tasks = workspace.tasks(name)
    if len(tasks) > 1:
        raise UsageError(
            f"the config has {len(tasks)} tasks, and one suite is renewed at a time",
            path=workspace.config.path,
            hint=f"name one of {', '.join(task.name for task in tasks)}",
        )
    return workspace, workspace.inputs(tasks)[0]


def _fits(inputs: TaskInputs, new: Suite) -> list[str]:
    """Check new examples against prompt and metrics; the others have passed that already."""
    metrics = [inputs.metric, *(g for g in inputs.guards.values() if not isinstance(g, Measure))]
    return check_fit(inputs.prompt, inputs.program, new, metrics)


def _check_others(workspace: Workspace, inputs: TaskInputs, plan: Refresh) -> list[str]:
    """Check the tasks that use the same files, and return warnings.

    Raises:
        SuiteError: the suite of another task would be wrong.
    """
    problems: list[Problem] = []
    warnings: list[str] = []

    def read(path: str) -> bytes:
        return plan.files[path] if path in plan.files else workspace.read(path)

    for other in workspace.config.tasks:
        shared = sorted(set(other.suite.files) & set(plan.files))
        if other == inputs.task or not shared:
            continue
        warnings.append(f"Task {other.name} uses {', '.join(shared)} too, so its suite changes.")
        try:
            read_task(other, workspace, read=read)
        except GepaCiError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        raise SuiteError.of(problems)
    return warnings


def _read_back(workspace: Workspace, inputs: TaskInputs, plan: Refresh) -> None:
    written = load_suite(inputs.task.suite, workspace.read)
    if _contents(written) != _contents(plan.after):
        raise SuiteError(
            "the written files read back differently; all files are as they were",
            path=workspace.config.path,
            hint="is something else writing them? run the command again",
        )


def _contents(suite: Suite) -> list[list[str]]:
    return [sorted(example.digest for example in suite.part(part)) for part in Part]


def _document(done: _Done) -> dict[str, object]:
    plan = done.refresh
    return {
        "task": done.name,
        "new_file": done.new,
        "dry_run": done.is_dry,
        "retired_to": plan.retired_to.value,
        "retired": [example.id for example in plan.retired],
        "kept": [example.id for example in plan.kept],
        "added": [example.id for example in plan.added],
        "held_out": {"before": _version(plan.before), "after": _version(plan.after)},
        "files": list(plan.files),
        "warnings": list(done.warnings),
    }


def _version(suite: Suite) -> dict[str, object]:
    return {"examples": len(suite.held_out.examples), "digest": suite.held_out.digest}


def _text(done: _Done) -> str:
    plan = done.refresh
    files = ", ".join(plan.files)
    paths = [str(done.root / path) for path in plan.files]
    command = f"commit it: git add {shlex.join(paths)} && git commit"
    lines = [
        f"{done.name}: {'would be renewed; nothing was written' if done.is_dry else 'renewed'}",
        f"  retired   {_named(plan.retired)}, to {plan.retired_to.value}",
        *([f"  kept      {_named(plan.kept)}"] if plan.kept else []),
        f"  new       {_named(plan.added)}, from {done.new}",
        f"  held-out  {_set(plan.before.held_out)} -> {_set(plan.after.held_out)}",
        f"  files     {files}",
    ]
    if plan.kept:
        lines.append(
            "  ledger    counts earlier uses of the kept examples in proportion: "
            f"{len(plan.kept)} of {len(plan.after.held_out.examples)}"
        )
    else:
        lines.append("  ledger    starts anew with this version")
    lines.append(
        "  next      run it again without --dry-run" if done.is_dry else f"  next      {command}"
    )
    return "\n".join(lines)


def _named(examples: Sequence[Example]) -> str:
    if not examples:
        return "0 examples"
    names = ", ".join(example.id for example in examples[:_LISTED])
    more = f" and {len(examples) - _LISTED} more" if len(examples) > _LISTED else ""
    return f"{len(examples)} example{'' if len(examples) == 1 else 's'} ({names}{more})"


def _set(held_out: HeldOutSet) -> str:
    return f"{len(held_out.examples)} ({held_out.digest[:_DIGITS]})"
