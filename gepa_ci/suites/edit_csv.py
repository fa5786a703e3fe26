"""Owns changing rows of CSV files; every other byte stays, as far as a new column lets it."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.config.problems import shown
from gepa_ci.suites.edits import CannotEditError, values_of, written_all
from gepa_ci.suites.files import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gepa_ci.core.suite import Part
    from gepa_ci.core.values import JSON
    from gepa_ci.errors import Problem
    from gepa_ci.suites.edits import Added, Edit
    from gepa_ci.suites.rows import Row

_CELL = re.compile(r'"(?:[^"]|"")*"|[^,\r\n]*')
_END = re.compile(r"(?:\r\n|\n|\r)?\Z")
_PART = "part"


@dataclass(frozen=True, slots=True)
class _Record:
    """One record of the file, which may go over several lines."""

    body: str
    end: str
    """Its line end; empty at the end of a file without one."""
    cells: tuple[str, ...]
    """Empty when the line is blank, and so no row."""


def table_texts(text: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the columns of a CSV file, and its rows as they are written."""
    header, *rows = [record for record in _records(text) if record.cells]
    return _names(header), [row.body for row in rows]


def edited_table(text: str, edit: Edit, problems: list[Problem]) -> str:
    """Return a CSV file with an edit made; rows that do not fit the columns are reported."""
    records = list(_records(text))
    header = next(record for record in records if record.cells)
    columns = _names(header)
    wants_part = bool(edit.parts) or any(added.row.part is not None for added in edit.add)
    is_new = wants_part and _PART not in columns
    wide = (*columns, _PART) if is_new else columns
    result, number = [], -1
    for record in records:
        body = record.body
        if record is header:
            body += f",{_PART}" if is_new else ""
        elif record.cells:
            number += 1
            if number in edit.drop:
                continue
            body += "," if is_new else ""
            if number in edit.parts:
                body = _with_part(body, wide, edit.parts[number])
        result.append(body + record.end)
    end = header.end or "\n"
    is_open = not records[-1].end
    if edit.add and result[-1] and not _ends_line(result[-1]):
        result[-1] += end
    result += written_all(edit, lambda added: _written(added, wide) + end, problems)
    whole = "".join(result)
    return whole[: _END.search(whole).start()] if is_open else whole  # type: ignore[union-attr]


def _ends_line(text: str) -> bool:
    return text.endswith(("\n", "\r"))


def _records(text: str) -> Iterator[_Record]:
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(iter(lines), strict=True)
    done = 0
    for cells in reader:
        block = "".join(lines[done : reader.line_num])
        done = reader.line_num
        found = _END.search(block)
        place = len(block) if found is None else found.start()
        is_row = any(cell.strip() for cell in cells)
        yield _Record(block[:place], block[place:], tuple(cells) if is_row else ())


def _names(header: _Record) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in header.cells)


def _with_part(body: str, columns: tuple[str, ...], part: Part) -> str:
    place = 0
    for _ in range(columns.index(_PART)):
        place = _stop(body, place) + 1
    return f"{body[:place]}{part.value}{body[_stop(body, place) :]}"


def _stop(body: str, place: int) -> int:
    """Return where the cell that starts at a place stops."""
    found = _CELL.match(body, place)
    assert found is not None
    return found.end()


def _written(added: Added, columns: tuple[str, ...]) -> str:
    row, text = added.row, added.text
    if text is not None and columns in (added.columns, (*added.columns, _PART)):
        body = text if columns == added.columns else f"{text},"
        return body if row.part is None else _with_part(body, columns, row.part)
    return ",".join(map(_quoted, _cells(row, columns)))


def _cells(row: Row, columns: tuple[str, ...]) -> list[str]:
    """Return the cells of a row that comes from another format, or from other columns."""
    values = values_of(row)
    inputs = values.pop("inputs")
    assert isinstance(inputs, dict)
    names = {c: c.removeprefix("inputs.") for c in columns if c not in COLUMNS}
    if "expected" in values and "expected_json" in columns:
        values["expected_json"] = json.dumps(values.pop("expected"), ensure_ascii=False)
    missing = [name for name in inputs if name not in names.values()]
    missing += [name for name in values if name not in columns]
    if missing:
        raise CannotEditError(
            f"has no column for {_listed(missing)}", f"add the column, or leave {_it(missing)} out"
        )
    empty = [name for name in names.values() if name not in inputs]
    if empty:
        raise CannotEditError(
            f"has a column for the input {_listed(empty)}, which the example does not have",
            "give the example that input, which may be empty",
        )
    texts = [name for name, value in inputs.items() if not isinstance(value, str)]
    if texts:
        raise CannotEditError(
            f"can only hold texts, and input {_listed(texts)} is none",
            "write it as a text, or make the suite a JSONL file",
        )
    return [
        str(inputs[names[column]]) if column in names else _cell(values.get(column))
        for column in columns
    ]


def _cell(value: JSON) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _quoted(cell: str) -> str:
    if not any(char in cell for char in ',"\r\n'):
        return cell
    return '"' + cell.replace('"', '""') + '"'


def _listed(names: list[str]) -> str:
    return ", ".join(map(shown, names))


def _it(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"
