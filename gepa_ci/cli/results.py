"""Owns how the result of a run is put together, printed and written."""

from __future__ import annotations

import os
import shlex
import time
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from gepa_ci import __version__
from gepa_ci.cli.again import arguments_again
from gepa_ci.cli.clock import now
from gepa_ci.cli.known_secrets import secrets_of
from gepa_ci.cli.looks import say_summary
from gepa_ci.cli.options import format_of
from gepa_ci.cli.printing import say
from gepa_ci.cli.tree import reason
from gepa_ci.core.config import OnInconclusive
from gepa_ci.core.result import RunResult
from gepa_ci.delivery.redaction import Redactor
from gepa_ci.errors import ExitCode, UsageError
from gepa_ci.reports.templating.rendering import OwnTemplateError
from gepa_ci.reports.templating.sources import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gepa_ci.cli.session import Session
    from gepa_ci.core.config import Config
    from gepa_ci.core.result import TaskResult
    from gepa_ci.core.values import JSON
    from gepa_ci.reports import Format
    from gepa_ci.reports.templating.sources import OwnTemplates

_DECIDING = ("dspy", "gepa", "litellm", "numpy", "scipy")


def run_result(
    command: str,
    session: Session,
    tasks: list[TaskResult],
    started: float,
    *,
    replay: Sequence[str] | None = None,
) -> RunResult:
    """Put the results of all tasks together.

    `replay` are the arguments that make the result again; None for those of the running command.
    """
    arguments = arguments_again() if replay is None else replay
    return RunResult(
        command=command,
        tasks=tuple(tasks),
        spend=session.client.meter.total,
        seconds=time.perf_counter() - started,
        config_digest=session.workspace.config.digest,
        versions=_versions(),
        replay=shlex.join(["gepa-ci", *arguments]),
        made_at=now(),
    )


def import_for_delivery() -> None:
    """Import and look up what the end of a run needs, while a call is out."""
    import rich.padding
    import rich.table  # noqa: F401

    import gepa_ci.reports.console.summary  # noqa: F401

    _versions()


@cache
def _versions() -> dict[str, str]:
    return {"gepa-ci": __version__, **{name: version(name) for name in _DECIDING}}


def deliver(
    result: RunResult,
    output: Path | None,
    output_format: str,
    reports: Sequence[Path] = (),
    *,
    texts: bool = True,
    own: OwnTemplates = BUILT_IN,
) -> None:
    """Write the result file and the reports, and print the result in the chosen format.

    Where a template of the team's own fails, ours is taken: the result is paid for.
    """
    from gepa_ci.reports import result_document

    redactor = Redactor(secrets_of(os.environ))
    document = {
        key: redactor.in_json(value) for key, value in result_document(result, texts=texts).items()
    }
    if output is not None:
        write_report(output, rendered(document, "json"))
    for path in reports:
        write_report(path, _rendered_somehow(document, format_of(path), own))
    if output_format == "text":
        say_summary(document)
    else:
        print_report(_rendered_somehow(document, output_format, own))


def print_report(text: str) -> None:
    """Print a report; one without a line, such as of no examples, prints nothing."""
    if text:
        say(text)


def write_report(path: Path, text: str) -> None:
    """Write a report as a text file, with the end of its last line if it has one."""
    write_file(path, f"{text}\n" if text else "")


def _rendered_somehow(document: Mapping[str, JSON], output_format: str, own: OwnTemplates) -> str:
    try:
        return rendered(document, output_format, own)
    except OwnTemplateError as error:
        say(f"warning: {error}; the built-in template is used", err=True)
        return rendered(document, output_format)


def rendered(document: Mapping[str, JSON], output_format: str, own: OwnTemplates = BUILT_IN) -> str:
    """Render a result document in a format of the command line, without the last line end.

    Raises:
        OwnTemplateError: a template of the team's own fails.
    """
    from gepa_ci.reports import render

    formats: dict[str, Format] = {
        "text": "terminal",
        "json": "json",
        "markdown": "markdown",
        "html": "html",
        "junit": "junit",
        "sarif": "sarif",
        "jsonl": "jsonl",
    }
    return render(document, formats[output_format], own).rstrip("\n")


def check_outputs(*paths: Path | None, kept: Sequence[Path] = ()) -> None:
    """Find out that a file cannot be written before the result is paid for.

    Args:
        paths: What will be written; None for what was not asked for.
        kept: Files that must not be written over.
    """
    seen = {os.path.realpath(path): path for path in kept}
    for path in paths:
        if path is None:
            continue
        first = seen.setdefault(os.path.realpath(path), path)
        if first is not path:
            raise UsageError(
                f"'{first}' and '{path}' are the same file",
                hint="give each of --output and --report a file of its own",
            )
        _check_output(path)


def _check_output(path: Path) -> None:
    # A link that leads nowhere is the user's, and must not be removed as a file of ours.
    is_new = not os.path.lexists(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def write_file(path: Path, text: str) -> None:
    """Write a text file that the user asked for."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UsageError:
    in_the_way = isinstance(error, FileExistsError)
    why = "a file is in the place of its folder" if in_the_way else reason(error)
    return UsageError(f"cannot write the file: {why}", path=str(path), hint="name another file")


def exit_code(result: RunResult, config: Config) -> int:
    """Return 1 when a verdict blocks, else 0."""
    policies = {task.name: task.gate for task in config.tasks}
    for task in result.tasks:
        if task.verdict == "regression":
            return ExitCode.BLOCKED
        is_open = task.verdict in ("inconclusive", "ruler_changed")
        fails = is_open and policies[task.name].on_inconclusive
        if fails is OnInconclusive.FAIL:
            return ExitCode.BLOCKED
    return ExitCode.OK
