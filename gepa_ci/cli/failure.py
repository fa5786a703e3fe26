"""Owns how errors are printed: where, what, what to do; a traceback only for a bug of ours."""

from __future__ import annotations

import json
import platform
import sys
import traceback
from typing import TYPE_CHECKING

import click

from gepa_ci import __version__
from gepa_ci.errors import ExitCode

if TYPE_CHECKING:
    from gepa_ci.errors import GepaCiError, Problem

_ISSUES = "https://github.com/gepa-ci/gepa-ci/issues"


def report_error(error: GepaCiError, *, as_json: bool) -> int:
    """Print all problems of an error and return its exit code."""
    for problem in error.problems:
        click.echo(f"error: {_visible(str(problem))}", err=True)
        if problem.hint:
            click.echo(f"hint: {_visible(problem.hint)}", err=True)
    if as_json:
        problems = [_as_json(problem) for problem in error.problems]
        document = {"error": {"exit_code": int(error.exit_code), "problems": problems}}
        click.echo(json.dumps(document, indent=2))
    return int(error.exit_code)


def report_bug(error: Exception, arguments: list[str]) -> int:
    """Print what a report of a bug needs, and return exit code 70."""
    command = arguments[0] if arguments else ""
    click.echo("error: this is a bug in gepa-ci; please report it with what follows", err=True)
    click.echo(f"hint: {_ISSUES}", err=True)
    click.echo(
        f"gepa-ci {__version__}, Python {platform.python_version()}, {platform.system()}, "
        f"command '{command}'",
        err=True,
    )
    traceback.print_exception(error, file=sys.stderr)
    return int(ExitCode.BUG)


def _as_json(problem: Problem) -> dict[str, str | int | None]:
    return {
        "message": problem.message,
        "path": problem.path,
        "line": problem.line,
        "hint": problem.hint,
    }


def _visible(text: str) -> str:
    """Show control characters as escapes: messages quote files that anybody may have written."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
