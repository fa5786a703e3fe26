"""Owns reading JSON to values that know where they stand in the text."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from gepa_ci.errors import Problem, PromptError
from gepa_ci.formats.source import BOM, is_sendable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON
    from gepa_ci.formats.source import Source

MAX_DEPTH = 100
"""Lists and objects in each other; deeper is no prompt, and Python's own limit is not far."""
_BLANKS = " \t\n\r"
_INTEGERS = range(-(1 << 63), 1 << 64)
_LONGEST_INTEGER = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A value and its place; offsets count characters."""

    value: JSON
    """The whole value."""
    start: int
    """Offset of its first character."""
    end: int
    """Offset after its last character."""
    fields: Mapping[str, Node] = field(default_factory=dict)
    """Fields of an object, in the order of the file."""
    items: tuple[Node, ...] = ()
    """Items of a list."""


class _NumberError(ValueError):
    """A number is no JSON, or would be rounded by readers that know 64 bits."""


def parse(source: Source) -> Node:
    """Read a file as strictly as DSPy's reader does, and refuse a key that is there twice.

    Raises:
        PromptError: with the first place that is not JSON, or all that is wrong with the values.
    """
    reader = _Reader(source)
    if source.text.startswith(BOM):
        hint = "save the file as UTF-8 without one: DSPy cannot read it either"
        reader.fail("begins with a byte order mark", 0, hint)
    root = reader.read(reader.after_blanks(0), depth=0)
    end = reader.after_blanks(root.end)
    if end < len(source.text):
        reader.fail("expected the end of the file", end)
    if reader.problems:
        raise PromptError.of(reader.problems)
    return root


def _constant(written: str) -> NoReturn:
    raise _NumberError(f"'{written}' is not a JSON number")


def _integer(written: str) -> int:
    if len(written) > _LONGEST_INTEGER or int(written) not in _INTEGERS:
        raise _NumberError(f"the number '{_shortened(written)}' does not fit in 64 bits")
    return int(written)


def _decimal(written: str) -> float:
    value = float(written)
    if not math.isfinite(value):
        raise _NumberError(f"the number '{_shortened(written)}' does not fit in 64 bits")
    return value


def _shortened(written: str) -> str:
    return written if len(written) <= _LONGEST_INTEGER else f"{written[:_LONGEST_INTEGER]}..."


_SCALARS = json.JSONDecoder(parse_constant=_constant, parse_int=_integer, parse_float=_decimal)


class _Reader:
    """Walks lists and objects itself, and leaves strings and numbers to the standard library."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.problems: list[Problem] = []

    def fail(self, what: str, at: int, hint: str | None = None) -> NoReturn:
        column = at - self.text.rfind("\n", 0, at)
        raise PromptError(
            f"not JSON: {what} at column {column}",
            path=self.source.path,
            line=self.source.line(at),
            hint=hint,
        )

    def after_blanks(self, at: int) -> int:
        while self.text[at : at + 1] and self.text[at] in _BLANKS:
            at += 1
        return at

    def read(self, at: int, *, depth: int) -> Node:
        opening = self.text[at : at + 1]
        if opening not in ("{", "["):
            return self._scalar(at)
        if depth == MAX_DEPTH:
            raise PromptError(
                f"lists and objects are nested deeper than {MAX_DEPTH} levels",
                path=self.source.path,
                line=self.source.line(at),
            )
        return self._object(at, depth + 1) if opening == "{" else self._list(at, depth + 1)

    def _object(self, start: int, depth: int) -> Node:
        fields: dict[str, Node] = {}
        at = self.after_blanks(start + 1)
        is_open = not self.text.startswith("}", at)
        while is_open:
            if not self.text.startswith('"', at):
                self.fail("expected a key in double quotes", at)
            key = self._scalar(at)
            name = str(key.value)
            if name in fields:
                hint = f"it is also in line {self.source.line(fields[name].start)}; keep one"
                self._problem(f"the key {name!r} is there twice", at, hint)
            at = self.after_blanks(key.end)
            if not self.text.startswith(":", at):
                self.fail("expected ':'", at)
            fields[name] = self.read(self.after_blanks(at + 1), depth=depth)
            at, is_open = self._next(fields[name].end, "}")
        value = {name: node.value for name, node in fields.items()}
        return Node(value=value, start=start, end=at + 1, fields=fields)

    def _list(self, start: int, depth: int) -> Node:
        items: list[Node] = []
        at = self.after_blanks(start + 1)
        is_open = not self.text.startswith("]", at)
        while is_open:
            items.append(self.read(at, depth=depth))
            at, is_open = self._next(items[-1].end, "]")
        value = [node.value for node in items]
        return Node(value=value, start=start, end=at + 1, items=tuple(items))

    def _next(self, at: int, closing: str) -> tuple[int, bool]:
        """Return where the next item starts, or the closing bracket; and which of the two it is."""
        at = self.after_blanks(at)
        if self.text.startswith(closing, at):
            return at, False
        if not self.text.startswith(",", at):
            self.fail(f"expected ',' or '{closing}'", at)
        return self.after_blanks(at + 1), True

    def _scalar(self, at: int) -> Node:
        try:
            value, end = _SCALARS.raw_decode(self.text, at)
        except json.JSONDecodeError as error:
            what = error.msg.removesuffix(" at").removesuffix(" starting")
            self.fail(what[0].lower() + what[1:], error.pos)
        except _NumberError as error:
            self.fail(str(error), at)
        if isinstance(value, str) and not is_sendable(value):
            hint = "it comes from an escape such as '\\ud800', which DSPy cannot read either"
            self._problem("a string holds half of a surrogate pair", at, hint)
        return Node(value=value, start=at, end=end)

    def _problem(self, message: str, at: int, hint: str) -> None:
        line = self.source.line(at)
        self.problems.append(Problem(message=message, path=self.source.path, line=line, hint=hint))
