"""Owns the rendering of Jinja prompts: in a sandbox that bounds what a template can do and cost."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import meta, nodes
from jinja2.runtime import Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gepa_ci.errors import Problem, PromptError
from gepa_ci.formats.jinja_rules import FILTERS, TESTS, violations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON
    from gepa_ci.formats.source import Source

MAX_OUTPUT = 1 << 20
"""Characters that a template may print."""
MAX_WORK = 8 * MAX_OUTPUT
"""Characters that all filters of one rendering may produce."""
MAX_ITERATIONS = 10_000
"""Rounds of all loops of one rendering together."""
# Blanks to Python and Jinja, but no line ends to Jinja, which would make all line ends alike.
_STAND_INS = "\x1c\x1d\x1e\x1f\u1680\u2000\u2001\u205f"
_LINE_END = re.compile(r"\r\n|\r|\n")
_LIMITS = " limits"
"""A name that no template can spell."""


class _TooMuchError(Exception):
    """A template went over a bound."""


@dataclass(slots=True)
class _Limits:
    """What one rendering may still do."""

    work: int = MAX_WORK
    iterations: int = MAX_ITERATIONS
    printed: int = MAX_OUTPUT

    def output(self, text: str) -> str:
        """Count characters of the rendered text."""
        self.printed -= len(text)
        if self.printed < 0:
            raise _TooMuchError(f"the text has more than {MAX_OUTPUT:,} characters")
        return text

    def spend(self, text: str) -> str:
        """Count characters that a filter produced."""
        self.work -= len(text)
        if self.work < 0:
            raise _TooMuchError(f"the filters make more than {MAX_WORK:,} characters")
        return text

    def loop(self, value: Any) -> Any:
        """Count the rounds of a loop before it starts."""
        items = value if isinstance(value, str | list | tuple | dict) else list(value)
        self.iterations -= len(items)
        if self.iterations < 0:
            raise _TooMuchError(f"the loops run more than {MAX_ITERATIONS:,} times")
        return items


def _printed(value: Any) -> str:
    """Return a value as a prompt has it: text as it is, all else as compact JSON."""
    if isinstance(value, str | Undefined):
        return str(value)
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    chunks, length = [], 0
    # Piece by piece: lists in lists that are the same list can be endless when written out.
    for chunk in encoder.iterencode(value):
        chunks.append(chunk)
        length += len(chunk)
        if length > MAX_OUTPUT:
            raise _TooMuchError(f"a value has more than {MAX_OUTPUT:,} characters")
    return "".join(chunks)


@jinja2.pass_context
def _tojson(context: jinja2.runtime.Context, value: Any) -> str:
    is_text = isinstance(value, str)
    text = json.dumps(value, ensure_ascii=False) if is_text else _printed(value)
    return _limits(context).spend(text)


@jinja2.pass_context
def _join(context: jinja2.runtime.Context, value: Any, d: str = "") -> str:
    limits = _limits(context)
    parts = [_printed(item) for item in value]
    size = sum(map(len, parts)) + len(d) * len(parts)
    if size > MAX_OUTPUT:
        raise _TooMuchError(f"'join' makes more than {MAX_OUTPUT:,} characters")
    return limits.spend(d.join(parts))


@jinja2.pass_context
def _loop(context: jinja2.runtime.Context, value: Any) -> Any:
    return _limits(context).loop(value)


def _limits(context: jinja2.runtime.Context) -> _Limits:
    limits: _Limits = context[_LIMITS]
    return limits


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        finalize=_printed,
        # Folding constants would run filters while a file is only being read.
        optimized=False,
        cache_size=0,
    )
    known = environment.filters
    own = {"join": _join, "tojson": _tojson}
    environment.filters = {name: own.get(name, known[name]) for name in FILTERS}
    environment.filters[_LIMITS] = _loop
    environment.tests = {name: environment.tests[name] for name in TESTS}
    environment.globals = {}
    return environment


def _parse(text: str) -> nodes.Template:
    try:
        return _environment().parse(text)
    except jinja2.TemplateSyntaxError as cause:
        message = f"not valid Jinja: {cause.message}"
        raise PromptError.of([Problem(message=message, line=cause.lineno)]) from cause
    except (RecursionError, ValueError, MemoryError) as cause:
        # Jinja lets these out for very deep nesting and very long numbers.
        raise PromptError("not valid Jinja: nested too deep, or a number too long") from cause


def _checked(text: str) -> nodes.Template:
    template = _parse(text)
    problems = [
        Problem(message=message, line=line, hint=hint)
        for message, line, hint in violations(template)
    ]
    if problems:
        raise PromptError.of(problems)
    return template


@lru_cache(maxsize=128)
def _compiled(text: str) -> jinja2.Template:
    environment = _environment()
    tree = _checked(text)
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = nodes.Filter(loop.iter, _LIMITS, [], [], None, None, lineno=loop.lineno)
    tree.set_environment(environment)
    try:
        code = environment.compile(tree)
    except (jinja2.TemplateError, SyntaxError, RecursionError, MemoryError, ValueError) as cause:
        # A SyntaxError's line is one of the code that Jinja made.
        said = cause.msg if isinstance(cause, SyntaxError) else str(cause)
        raise PromptError(f"not valid Jinja: {said}") from cause
    return jinja2.Template.from_code(environment, code, {})


def placeholders(text: str) -> list[str]:
    """Return the tags and expressions of a text as they are written, in order.

    Raises:
        PromptError: the text is not a template that is allowed.
    """
    _checked(text)
    marks: list[str] = []
    open_mark = ""
    for _, kind, piece in _environment().lex(text):
        if kind in ("variable_begin", "block_begin"):
            open_mark = piece
        elif kind in ("variable_end", "block_end"):
            marks.append(open_mark + piece.rstrip())
            open_mark = ""
        elif open_mark:
            open_mark += piece
    return marks


def fill(text: str, inputs: Mapping[str, JSON]) -> str:
    """Render a template.

    Raises:
        PromptError: it fails on these inputs, or goes over a bound.
    """
    template_text, stand_in = text, ""
    if "\r" in text:
        free = [char for char in _STAND_INS if char not in text and not _holds(inputs, char)]
        if not free:
            raise PromptError("carriage returns cannot be kept beside so many kinds of blanks")
        stand_in = free[0]
        template_text = text.replace("\r", stand_in)
    rendered = _generated(_compiled(template_text), inputs)
    return rendered.replace(stand_in, "\r") if stand_in else rendered


def _generated(template: jinja2.Template, inputs: Mapping[str, JSON]) -> str:
    limits = _Limits()
    try:
        return "".join(map(limits.output, template.generate({**inputs, _LIMITS: limits})))
    except _TooMuchError as cause:
        raise PromptError(str(cause), hint="a prompt may not be that large") from cause
    except (
        jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError,
        RecursionError,
    ) as cause:  # fmt: skip
        raise PromptError(f"the template fails on these inputs: {cause}") from cause


def _holds(value: JSON, char: str) -> bool:
    if isinstance(value, str):
        return char in value
    if isinstance(value, dict):
        return any(_holds(item, char) for pair in value.items() for item in pair)
    return isinstance(value, list | tuple) and any(_holds(item, char) for item in value)


def variables(source: Source, start: int) -> tuple[str, ...]:
    """Return the names that the template from `start` on asks for, sorted."""
    text = source.text[start:]
    try:
        # Compiling finds what parsing does not, such as loops in each other beyond Python's limit.
        _compiled(text)
        return tuple(sorted(meta.find_undeclared_variables(_checked(text))))
    except PromptError as error:
        # Jinja counts a lone carriage return as a line, editors do not.
        starts = [start, *(found.end() for found in _LINE_END.finditer(source.text, start))]
        raise PromptError.of(
            Problem(
                message=problem.message,
                path=source.path,
                line=source.line(starts[(problem.line or 1) - 1]),
                hint=problem.hint,
            )
            for problem in error.problems
        ) from error
