"""Owns examples as turns: their canonical text, and how they stand in a YAML list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from gepa_ci.core.digests import canonical_json
from gepa_ci.core.prompt import Message, Role
from gepa_ci.errors import PromptError
from gepa_ci.formats.yaml_document import is_flow
from gepa_ci.formats.yaml_scalars import double, fresh

if TYPE_CHECKING:
    from collections.abc import Sequence

    import yaml

    from gepa_ci.formats.yaml_document import Document

Fields: TypeAlias = "tuple[tuple[str, str], ...]"
"""Key and text of each field of a list item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListStyle:
    """How the items of a block list are written."""

    dash: int
    """Column of the dashes."""
    key: int
    """Column of the keys."""
    eol: str
    """Line ending."""

    def write(self, items: Sequence[Fields], *, all_quoted: bool) -> str:
        """Write list items, each field on its own lines."""
        return "".join(self._item(item, all_quoted=all_quoted) for item in items)

    def _item(self, item: Fields, *, all_quoted: bool) -> str:
        lines = []
        for number, (key, text) in enumerate(item):
            lead = " " * self.dash + "-" + " " * (self.key - self.dash - 1)
            value = double(text) if all_quoted else fresh(text, eol=self.eol, parent=self.key)
            # A block may end with the line breaks that close it; two or more are text.
            end = "" if value.startswith("|") and value.endswith(("\n", "\r")) else self.eol
            lines.append(f"{' ' * self.key if number else lead}{key}: {value}{end}")
        return "".join(lines)


def list_style(document: Document, item: yaml.Node) -> ListStyle:
    """Return the style of an item of a block list; the gap after the dash is 1 for braces."""
    dash = document.dash(item)
    column = dash - document.source.line_start(dash)
    gap = document.start(item) - dash
    is_beside = not is_flow(item) and "\n" not in document.source.text[dash : dash + gap]
    key = column + (gap if is_beside else 2)
    return ListStyle(dash=column, key=key, eol=document.source.eol)


def to_text(messages: Sequence[Message]) -> str:
    """Return the text of a demos component."""
    return canonical_json([{"role": m.role.value, "content": m.content} for m in messages])


def from_text(text: str, path: str) -> tuple[Message, ...]:
    """Return the turns of a demos component; a PromptError when its text is not canonical."""
    try:
        turns = tuple(
            Message(role=Role(turn["role"]), content=turn["content"]) for turn in json.loads(text)
        )
        is_canonical = to_text(turns) == text
    except (ValueError, KeyError, TypeError, RecursionError):
        turns, is_canonical = (), False
    roles = [turn.role for turn in turns]
    is_pairs = roles == [Role.USER, Role.ASSISTANT] * (len(turns) // 2)
    if is_canonical and is_pairs and all(isinstance(turn.content, str) for turn in turns):
        return turns
    raise PromptError(
        "the text of 'demos' is not the canonical JSON of turns of user and assistant",
        path=path,
        hint='write [{"content":"...","role":"user"},{"content":"...","role":"assistant"}]',
    )


def common_prefix(old: Sequence[Message], new: Sequence[Message]) -> int:
    """Return how many turns at the start are the same."""
    count = 0
    for before, after in zip(old, new, strict=False):
        if before != after:
            break
        count += 1
    return count
