"""Owns changing rows of JSONL and JSON files; every other byte stays."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.suites.edits import line_end, values_of

if TYPE_CHECKING:
    from gepa_ci.core.suite import Part
    from gepa_ci.suites.edits import Added, Edit

_DECODER = json.JSONDecoder()
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_BLANK = re.compile(r"[ \t\r\n]*")


def line_texts(text: str) -> list[str]:
    """Return the rows of a JSONL file as they are written."""
    return [line.strip() for line in text.split("\n") if line.strip()]


def edited_lines(text: str, edit: Edit) -> str:
    """Return a JSONL file with an edit made."""
    end, result, number = line_end(text), [], -1
    for line in _LINE.findall(text):
        if line.strip():
            number += 1
            if number in edit.drop:
                continue
            if number in edit.parts:
                line = with_part(line, edit.parts[number])  # noqa: PLW2901 - the same line
        result.append(line)
    is_open = bool(text) and not text.endswith("\n")
    if result and not result[-1].endswith("\n"):
        result[-1] += end
    result += [_written(added) + end for added in edit.add]
    whole = "".join(result)
    return whole.removesuffix(end) if is_open else whole


def list_texts(text: str) -> list[str]:
    """Return the rows of a JSON list as they are written."""
    return [text[start:stop] for start, stop in _items(text)]


def edited_list(text: str, edit: Edit) -> str:
    """Return a JSON list with an edit made."""
    items = _items(text)
    end = line_end(text)
    gap = text[items[0][1] : items[1][0]] if len(items) > 1 else f",{end}  "
    kept: list[tuple[str, str]] = []
    for number, (start, stop) in enumerate(items):
        if number in edit.drop:
            continue
        row = text[start:stop]
        if number in edit.parts:
            row = with_part(row, edit.parts[number])
        kept.append((text[items[number - 1][1] : start] if number else gap, row))
    kept += [(gap, _written(added)) for added in edit.add]
    rows = kept[0][1] + "".join(f"{before}{row}" for before, row in kept[1:])
    return text[: items[0][0]] + rows + text[items[-1][1] :]


def _items(text: str) -> list[tuple[int, int]]:
    place = _skip(text, _skip(text, 0) + 1)
    found = []
    while text[place] != "]":
        _, stop = _DECODER.raw_decode(text, place)
        found.append((place, stop))
        place = _skip(text, stop)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return found


def with_part(row: str, part: Part) -> str:
    """Return the text of an object with its part written into it."""
    members = _members(row)
    for member in members:
        if member.name == "part":
            return f'{row[: member.start]}"{part.value}"{row[member.stop :]}'
    first, last = members[0], members[-1].stop
    colon = row[first.colon : first.start]
    comma = row[first.stop : members[1].key] if len(members) > 1 else ", "
    return f'{row[:last]}{comma}"part"{colon}"{part.value}"{row[last:]}'


@dataclass(frozen=True, slots=True)
class _Member:
    """One member of an object, by places in the text."""

    name: str
    key: int
    """Where the key starts."""
    colon: int
    """Where the key ends."""
    start: int
    """Where the value starts."""
    stop: int


def _members(row: str) -> list[_Member]:
    key = _skip(row, row.index("{") + 1)
    found = []
    while row[key] != "}":
        name, colon = _DECODER.raw_decode(row, key)
        start = _skip(row, _skip(row, colon) + 1)
        _, stop = _DECODER.raw_decode(row, start)
        found.append(_Member(name, key, colon, start, stop))
        key = _skip(row, stop)
        if row[key] == ",":
            key = _skip(row, key + 1)
    return found


def _skip(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    return place if found is None else found.end()


def _written(added: Added) -> str:
    part = added.row.part
    if added.text is None:
        return json.dumps(values_of(added.row), ensure_ascii=False)
    return added.text if part is None else with_part(added.text, part)
