"""Owns what is changed in a suite file when its held-out examples are renewed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gepa_ci.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gepa_ci.core.suite import Part
    from gepa_ci.core.values import JSON
    from gepa_ci.suites.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A row that is put at the end of a file."""

    row: Row
    """As it must read back."""
    text: str | None = None
    """As it is written in a file of the same format; None in one of another."""
    columns: tuple[str, ...] = ()
    """Of a table: the columns of the file that it comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """All that is changed in one file; rows are numbered as they are read, from 0."""

    path: str
    """The file."""
    drop: frozenset[int] = frozenset()
    """Rows that leave the file."""
    parts: Mapping[int, Part] = field(default_factory=dict)
    """Rows whose part is written into them."""
    add: tuple[Added, ...] = ()
    """Rows that come in."""


class CannotEditError(Exception):
    """A file or a row is written in a way that cannot be changed in place."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def values_of(row: Row) -> dict[str, JSON]:
    """Return what a file has to say so that it reads back as a row."""
    example = row.example
    found: dict[str, JSON] = {}
    if row.has_id:
        found["id"] = example.id
    found["inputs"] = dict(example.inputs)
    if example.labelled:
        found["expected"] = example.expected
    if example.group is not None:
        found["group"] = example.group
    if example.weight != 1.0:
        whole = example.weight.is_integer()
        found["weight"] = int(example.weight) if whole else example.weight
    if example.tags:
        found["tags"] = list(example.tags)
    if row.part is not None:
        found["part"] = row.part.value
    return found


def line_end(text: str) -> str:
    """Return the line end of a file: that of its first line."""
    end = text.find("\n")
    return "\r\n" if end > 0 and text[end - 1] == "\r" else "\n"


def written_all(edit: Edit, write: Callable[[Added], str], problems: list[Problem]) -> list[str]:
    """Return the texts of the rows that come in; those that cannot be written are reported."""
    written: list[str] = []
    refused: dict[tuple[str, str], list[Row]] = {}
    for added in edit.add:
        try:
            written.append(write(added))
        except CannotEditError as error:
            refused.setdefault((str(error), error.hint), []).append(added.row)
    for (message, hint), rows in refused.items():
        first = rows[0].example
        others = f"{len(rows) - 1} more row{'' if len(rows) == 2 else 's'}"  # noqa: PLR2004 - two
        more = f"; the same for {others}" if len(rows) > 1 else ""
        problems.append(
            Problem(
                message=f"'{edit.path}' {message}{more}",
                path=first.path,
                line=first.line,
                hint=hint,
            )
        )
    return written
