"""Owns rendering with a team's templates: it ends in time, and says which line went wrong."""

from __future__ import annotations

import re
import signal
import threading
import traceback
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from gepa_ci.errors import ConfigError, Problem
from gepa_ci.reports.view import model, model_examples, model_optimization

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from gepa_ci.reports.templating.sources import OwnTemplates

SECONDS = 20.0
"""Longest rendering with a team's templates; ours take well under a second."""

_WRONG = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError),
    *(TypeError, ValueError),
)
"""What an expression of a template can make Python raise."""
_NO_FIELD = re.compile(r"'[\w.]+\.(\w+) object' has no attribute '(\w+)'")
_UNDEFINED = re.compile(r"'\w+' is undefined")
_OF_NONE = re.compile(r"'None' has no attribute '(\w+)'")
_GUARD = "put {% if ... %} around it, such as {% if task.effect %}"
_LISTED = "docs/report-templates.md lists what there is"


class OwnTemplateError(ConfigError):
    """A team's template cannot be read or rendered."""


class _TooSlowError(Exception):
    """The rendering takes too long."""


@contextmanager
def told_by_line(own: OwnTemplates, entry: str) -> Iterator[None]:
    """Let what goes wrong with a team's templates be an error that names file and line.

    Raises:
        OwnTemplateError: the rendering failed, or took longer than SECONDS.
    """
    if not own.sources:
        yield
        return
    from jinja2 import TemplateError

    try:
        with _limited(SECONDS):
            yield
    except _TooSlowError as error:
        raise OwnTemplateError(
            f"rendering took longer than {SECONDS:g} seconds",
            path=own.path(entry),
            hint="make its loops smaller",
        ) from error
    except (TemplateError, *_WRONG) as error:
        raise OwnTemplateError.of([problem_of(own, entry, error)]) from error


def problem_of(own: OwnTemplates, entry: str, error: Exception) -> Problem:
    """Return what is wrong with a team's templates, with the last of their lines that was run."""
    from jinja2 import TemplateNotFound, TemplateSyntaxError

    if isinstance(error, TemplateSyntaxError):
        line = (error.filename or own.path(error.name or entry), error.lineno)
        return _problem(line, error.message or "the syntax is wrong", None)
    paths = {own.path(name) for name in own.sources}
    frames = [
        (frame.filename, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename in paths
    ]
    where = frames[-1] if frames else (own.path(entry), None)
    if isinstance(error, TemplateNotFound):
        return _problem(where, f"there is no template '{error.name}'", "put it into that folder")
    return _told(where, str(error) or type(error).__name__)


def missing_of(own: OwnTemplates, entry: str, error: Exception) -> Problem:
    """Return what a template names that there is not, in the line that runs just now."""
    paths = {own.path(name) for name in own.sources}
    where: tuple[str, int | None] = (own.path(entry), None)
    for frame, line in traceback.walk_stack(None):
        # Only what is raised gets the lines of the template; here they are those of its code.
        template = frame.f_globals.get("__jinja_template__")
        if template is not None and template.filename in paths:
            where = (template.filename, template.get_corresponding_lineno(line))
            break
    return _told(where, str(error))


def is_misnamed(error: Exception) -> bool:
    """Return whether a name is wrong in every result, and not only where something is missing."""
    said = str(error)
    return bool(_NO_FIELD.fullmatch(said) or _UNDEFINED.fullmatch(said))


def _told(where: tuple[str, int | None], said: str) -> Problem:
    from jinja2.sandbox import MAX_RANGE

    if "MAX_RANGE" in said:
        return _problem(where, f"a range has more than {MAX_RANGE:,} numbers", "make it shorter")
    of_none = _OF_NONE.fullmatch(said)
    if of_none is not None:
        said = f"in some results there is None where '{of_none[1]}' is read"
        return _problem(where, said, _GUARD)
    if "NoneType" in said:
        return _problem(where, f"in some results a value is None here: {said}", _GUARD)
    if "has no element" in said:
        return _problem(where, f"in some results a list is shorter: {said}", _GUARD)
    missing = _NO_FIELD.fullmatch(said)
    if missing is None:
        return _problem(where, said, _LISTED)
    kind, name = missing[1], missing[2]
    near = get_close_matches(name, _fields_of(kind), n=1)
    question = f"did you mean '{near[0]}'? " if near else ""
    return _problem(where, f"a {kind} has no field '{name}'", f"{question}{_LISTED}")


def _problem(where: tuple[str, int | None], said: str, hint: str | None) -> Problem:
    line = " ".join(said.split()).rstrip(".")
    message = f"{line[:1].lower()}{line[1:]}" if line[1:2].islower() else line
    return Problem(message=message, path=where[0], line=where[1], hint=hint)


def _fields_of(kind: str) -> list[str]:
    for module in (model, model_examples, model_optimization):
        found = getattr(module, kind, None)
        if isinstance(found, type) and is_dataclass(found):
            asked = [name for name, value in vars(found).items() if isinstance(value, property)]
            return [*(item.name for item in fields(found)), *asked]
    return []


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Interrupt what takes too long, where the system can: in the main thread, not on Windows."""
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _TooSlowError

    before = signal.signal(signal.SIGALRM, stop)
    left = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        # Somebody else may have been waiting for the same alarm.
        signal.setitimer(signal.ITIMER_REAL, *left)
