"""Owns changing rows of YAML files; every other byte stays, comments too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from gepa_ci.config.documents import LOADER
from gepa_ci.suites.edits import CannotEditError, line_end, values_of, written_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gepa_ci.core.suite import Part
    from gepa_ci.errors import Problem
    from gepa_ci.suites.edits import Added, Edit

_BREAK = re.compile(r"\r\n|\n|\r")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_RARE_BREAK = re.compile("[\r\x85\u2028\u2029]")
_WIDE = 10**6
"""Characters of a line that is written; a folded line could break where it must not."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A node of the document, by places in the text."""

    start: int
    stop: int
    """Where its last character ends, comments after it left out."""
    column: int
    """Of the first key of a mapping."""
    is_flow: bool
    keys: Mapping[str, _Node]
    """Values of a mapping by their keys."""
    items: tuple[_Node, ...]
    """Of a list; of a mapping, its keys."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the list, with the lines that it takes."""

    node: _Node
    start: int
    """Where its lines begin, with comments above it; the first row leaves those to the file."""
    stop: int
    """Where the line of its last character ends."""
    indent: int
    """Column of its dash."""


def block_texts(text: str) -> list[str]:
    """Return the rows of a YAML file as they are written, each beginning with its dash.

    Raises:
        CannotEditError: the rows are not a list with a dash for each.
    """
    return [_dedented(text[row.start : row.stop], row.indent) for row in _rows(text)]


def edited_blocks(text: str, edit: Edit, problems: list[Problem]) -> str:
    """Return a YAML file with an edit made.

    Raises:
        CannotEditError: the rows are not a list with a dash for each.
    """
    rows, end = _rows(text), line_end(text)
    last = rows[-1].stop
    result, place = [], 0
    for number, row in enumerate(rows):
        result.append(text[place : row.start])
        place = row.stop
        if number in edit.drop:
            continue
        lines = text[row.start : row.stop]
        if number in edit.parts:
            lines = _with_part(lines, row.node, row.start, edit.parts[number], end)
        result.append(lines)
    indent = " " * rows[0].indent
    whole = "".join(result)
    is_open = last == len(text) and not _ends_line(text)
    if whole and not _ends_line(whole):
        whole += end
    added = written_all(edit, lambda each: _indented(_written(each), indent, end), problems)
    whole += "".join(added)
    return whole.removesuffix(end) if is_open else whole + text[last:]


def _with_part(lines: str, node: _Node, offset: int, part: Part, end: str) -> str:
    """Return the lines of a row with its part written into it."""
    value = node.keys.get("part")
    if value is not None:
        return lines[: value.start - offset] + part.value + lines[value.stop - offset :]
    if not node.items:
        raise CannotEditError("cannot have a part written into its rows", "write the rows out")
    if node.is_flow:
        last = node.items[-1].stop - offset
        return f"{lines[:last]}, part: {part.value}{lines[last:]}"
    first = node.items[0].start - offset
    return f"{lines[:first]}part: {part.value}{end}{' ' * node.column}{lines[first:]}"


def _written(added: Added) -> str:
    """Return a row as a block whose dash is in the first column."""
    part = added.row.part
    if added.text is not None:
        if part is None:
            return added.text
        (row,) = _rows(added.text)
        return _with_part(added.text, row.node, 0, part, "\n")
    dumped = yaml.dump(
        values_of(added.row), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_WIDE
    )
    return "- " + "\n  ".join(dumped.rstrip("\n").split("\n"))


class _Dumper(yaml.SafeDumper):
    """Escapes the line breaks that only YAML takes for such."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Return the node of a text."""
        style = '"' if _RARE_BREAK.search(text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def _dedented(block: str, indent: int) -> str:
    lines = _LINE.findall(block.strip("\r\n"))
    return "".join(line[indent:] if not line[:indent].strip(" ") else line for line in lines)


def _indented(block: str, indent: str, end: str) -> str:
    lines = _BREAK.split(block)
    return "".join(f"{indent}{line}{end}" if line else end for line in lines)


def _ends_line(text: str) -> bool:
    return text.endswith(("\n", "\r"))


def _rows(text: str) -> list[_Row]:
    sequence = _sequence(text)
    found: list[_Row] = []
    for node in sequence.items:
        before = found[-1].stop if found else 0
        dash = text.rfind("-", before, node.start)
        begins = _line_start(text, dash)
        if sequence.is_flow or dash < 0 or text[begins:dash].strip(" ") or begins < before:
            raise CannotEditError(
                "has its rows in brackets or on one line, which cannot be changed in place",
                "write '- ' on a line of its own for each example",
            )
        start = before if found else begins
        found.append(_Row(node, start, _line_stop(text, node.stop), dash - begins))
    return found


def _line_start(text: str, place: int) -> int:
    return max(text.rfind("\n", 0, place), text.rfind("\r", 0, place)) + 1


def _line_stop(text: str, place: int) -> int:
    """Return where the next line begins; the place itself when it begins one."""
    if place and _ends_line(text[place - 1 : place]):
        return place
    found = _BREAK.search(text, place)
    return len(text) if found is None else found.end()


def _sequence(text: str) -> _Node:
    """Return the list of rows, which is the document or its key `examples`."""
    events = yaml.parse(text, Loader=LOADER)
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            break
    root = _node(next(events), events)
    return root.keys.get("examples", root)


def _node(event: yaml.Event, events: Iterator[yaml.Event]) -> _Node:
    start, stop, column = _place(event)
    if not isinstance(event, yaml.CollectionStartEvent):
        return _Node(start, stop, 0, is_flow=False, keys={}, items=())
    names: list[str] = []
    nodes: list[_Node] = []
    for inner in events:
        if isinstance(inner, yaml.CollectionEndEvent):
            # A block ends where the next thing begins; what is in it ends before that.
            stop = _place(inner)[1] if event.flow_style else nodes[-1].stop
            break
        if not nodes:
            _, _, column = _place(inner)
        names.append(inner.value if isinstance(inner, yaml.ScalarEvent) else "")
        nodes.append(_node(inner, events))
    is_mapping = isinstance(event, yaml.MappingStartEvent)
    return _Node(
        start,
        stop,
        column,
        is_flow=bool(event.flow_style),
        keys=dict(zip(names[::2], nodes[1::2], strict=True)) if is_mapping else {},
        items=tuple(nodes),
    )


def _place(event: yaml.Event) -> tuple[int, int, int]:
    """Return where an event starts and ends, and the column in which it starts."""
    start, stop = event.start_mark, event.end_mark
    assert start is not None
    assert stop is not None
    return start.index, stop.index, start.column
