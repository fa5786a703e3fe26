"""Owns writing new values the way in which a JSON file is already written."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.digests import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.values import JSON
    from gepa_ci.formats.json_spans import Node
    from gepa_ci.formats.source import Source

_BREAK = re.compile(r"[\n\r]")
_ESCAPED = re.compile(r"(?<!\\)(?:\\\\)*\\u(?!00[0-7])[0-9a-fA-F]{4}")
_UNIT = "  "


@dataclass(frozen=True, slots=True, kw_only=True)
class Notation:
    """How a file is written."""

    text: str
    """The file."""
    eol: str
    """Its line ending."""
    is_ascii: bool
    """Whether characters outside ASCII are escaped."""
    unit: str | None
    """What one level is indented by; None where the file is on one line."""
    colon: str
    """What stands between a key and its value."""

    def string(self, text: str) -> str:
        """Write a text."""
        return json.dumps(text, ensure_ascii=self.is_ascii)

    def list(self, old: Node, new: Sequence[Mapping[str, JSON]]) -> str:
        """Write a list of objects in the place of another; what was in that one stays as it is."""
        if not new:
            return "[]"
        comma = ", " if self.colon.endswith(" ") else ","
        is_block = self.unit is not None if not old.items else self._has_breaks(old)
        line = re.split(_BREAK, self.text[: old.start])[-1]
        column = line[: len(line) - len(line.lstrip())]
        unit = self.unit if self.unit is not None else _UNIT
        margin = f"{self.eol}{column}{unit}"
        is_open = is_block and (not old.items or self._has_breaks(old.items[0]))
        known = {canonical_json(i.value): self.text[i.start : i.end] for i in old.items}
        order = list(dict.fromkeys(key for item in old.items for key in item.fields))
        items = [
            known.get(canonical_json(record))
            or json.dumps(
                {key: record[key] for key in [*order, *record] if key in record},
                ensure_ascii=self.is_ascii,
                indent=unit if is_open else None,
                separators=("," if is_open else comma, self.colon),
            ).replace("\n", margin)
            for record in new
        ]
        if not is_block:
            return f"[{comma.join(items)}]"
        return f"[{margin}{f',{margin}'.join(items)}{self.eol}{column}]"

    def _has_breaks(self, node: Node) -> bool:
        return bool(_BREAK.search(self.text, node.start, node.end))


def notation_of(source: Source, root: Node) -> Notation:
    """Return how a file is written whose root is an object with fields."""
    first = next(iter(root.fields.values()))
    opening = source.text[root.start + 1 : source.text.index('"', root.start)]
    colon = source.text[source.text.rindex('"', 0, first.start) + 1 : first.start]
    return Notation(
        text=source.text,
        eol=source.eol,
        is_ascii=source.data.isascii() and bool(_ESCAPED.search(source.text)),
        unit=re.split(_BREAK, opening)[-1] if _BREAK.search(opening) else None,
        colon=": " if _BREAK.search(colon) else colon,
    )
