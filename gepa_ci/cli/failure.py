"""Owns how errors are printed: where, what, what to do; a traceback only for a bug of ours."""

from __future__ import annotations

import json
import os
import platform
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci import __version__
from gepa_ci.cli.known_secrets import secrets_of
from gepa_ci.cli.printing import inert, say
from gepa_ci.delivery.redaction import Redactor
from gepa_ci.errors import ExitCode, Problem

if TYPE_CHECKING:
    from gepa_ci.errors import GepaCiError

_ISSUES = "https://github.com/gepa-ci/gepa-ci/issues"


def report_error(error: GepaCiError, *, as_json: bool) -> int:
    """Print all problems of an error and return its exit code."""
    problems = [_in_house_style(problem, error.exit_code) for problem in error.problems]
    for problem in problems:
        say(f"error: {_safe(str(problem))}", err=True)
        if problem.hint:
            say(f"hint: {_safe(problem.hint)}", err=True)
    if as_json:
        _print_json(error.exit_code, [_as_json(problem) for problem in problems])
    return int(error.exit_code)


def _in_house_style(problem: Problem, code: ExitCode) -> Problem:
    """Take off the full stop of a library's words, and name at least the place to correct."""
    problem = replace(problem, message=problem.message.rstrip("."))
    if problem.hint or problem.path is None or code is not ExitCode.INPUT:
        return problem
    line = "" if problem.line is None else f"line {problem.line} of "
    return replace(problem, hint=f"correct {line}{problem.path}, then run the command again")


def report_bug(error: Exception, arguments: list[str], *, as_json: bool) -> int:
    """Print what a report of a bug needs, and return exit code 70."""
    command = arguments[0] if arguments else ""
    message = "this is a bug in gepa-ci; please report it with what follows"
    say(f"error: {message}", err=True)
    say(f"hint: {_ISSUES}", err=True)
    say(
        f"gepa-ci {__version__}, Python {platform.python_version()}, {platform.system()}, "
        f"command '{_safe(command)}'",
        err=True,
    )
    say(_safe("".join(traceback.format_exception(error)).rstrip("\n")), err=True)
    if as_json:
        _print_json(ExitCode.BUG, [_as_json(Problem(message=repr(error), hint=_ISSUES))])
    return int(ExitCode.BUG)


def _print_json(code: ExitCode, problems: list[dict[str, str | int | None]]) -> None:
    say(json.dumps({"error": {"exit_code": int(code), "problems": problems}}, indent=2))


def _as_json(problem: Problem) -> dict[str, str | int | None]:
    return {
        "message": _without_secrets(problem.message),
        "path": problem.path,
        "line": problem.line,
        "hint": None if problem.hint is None else _without_secrets(problem.hint),
    }


def _safe(text: str) -> str:
    """Show control characters as escapes: messages quote files that anybody may have written."""
    text = inert(_without_secrets(text))
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def _without_secrets(text: str) -> str:
    """Take keys of the environment out: a provider's answer or a bug may quote one."""
    return Redactor(secrets_of(os.environ))(text)
