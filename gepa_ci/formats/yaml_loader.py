"""Owns the loader that composes YAML nodes within bounds, by the core schema of YAML 1.2."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import yaml

TAG = "tag:yaml.org,2002:"
MAX_DEPTH = 50
_MAX_ALIASES = 100
INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+")
FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


class Loader(yaml.SafeLoader):
    """Composes nodes by the core schema of YAML 1.2, and notes what the nodes leave out."""

    # By YAML 1.1 `no` would be false and `12:30` 750; people write them as labels and times.
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.level = 0
        self.aliases: list[int] = []
        self.properties: list[int] = []
        self.dashes: list[int] = []
        self.block_parents: dict[int, int] = {}

    def fetch_block_entry(self) -> None:
        """Note where a list item starts."""
        self.dashes.append(self.index)
        super().fetch_block_entry()

    def scan_block_scalar(self, style: str) -> Any:
        """Note the column that a block's indentation counts from."""
        self.block_parents[self.index] = self.indent
        return super().scan_block_scalar(style)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Note aliases, anchors and tags, and refuse what nests too deep."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            self.aliases.append(self._place_of(event))
        elif event.anchor is not None or event.tag is not None:
            self.properties.append(event.start_mark.index)
        if len(self.aliases) > _MAX_ALIASES:
            self._refuse(f"more than {_MAX_ALIASES} aliases", event)
        if self.level >= MAX_DEPTH:
            self._refuse(f"nested more than {MAX_DEPTH} levels deep", event)
        self.level += 1
        node = super().compose_node(parent, index)
        self.level -= 1
        return node

    def _place_of(self, event: Any) -> int:
        return int(event.start_mark.index)

    def _refuse(self, problem: str, event: Any) -> None:
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def _resolve(tag: str, pattern: str, first: str) -> None:
    starts = [*first, ""] if tag == "null" else list(first)
    Loader.add_implicit_resolver(f"{TAG}{tag}", re.compile(rf"(?:{pattern})$"), starts)


_resolve("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_resolve("null", "~|null|Null|NULL|", "~nN")
_resolve("int", INT.pattern, "-+0123456789")
_resolve("float", FLOAT.pattern, "-+.0123456789")
