"""Owns the mappings of a config whose keys are known: what they hold and what goes together."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import yaml

from gepa_ci.config.documents import described, entries, line_of
from gepa_ci.config.problems import Problems, known_names, shown
from gepa_ci.config.values import BAD, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gepa_ci.config.shapes import Shape

_NO_DEFAULT = object()


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a record."""

    name: str
    shape: Shape
    about: str
    """What the key means, for editors."""
    is_required: bool = False
    default: object = _NO_DEFAULT
    """Default for the schema where the dataclass does not state it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The values that a record holds in one file, with their lines."""

    at: str
    line: int
    values: Mapping[str, Any]
    """By key; BAD for those that have been reported."""
    lines: Mapping[str, int]
    """1-based line of each given key."""

    def get(self, name: str) -> Any:
        """Return a readable value; None when it is absent or has been reported."""
        value = self.values.get(name)
        return None if value is BAD else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A mapping whose keys are known; anything else in it is a problem."""

    about: str
    """What it is, as in `unknown key 'x' in ...`."""
    keys: tuple[Key, ...]
    build: Callable[[Fields], object]
    """Make the value; called only when everything in the record is right, see is_partial."""
    of: type | None = None
    """Dataclass whose defaults are shown in the schema."""
    rules: tuple[Callable[[Fields, Problems], None], ...] = ()
    """Checks across keys."""
    exclusive: tuple[tuple[str, ...], ...] = ()
    """Sets of keys of which at most one may be given."""
    any_of: tuple[str, ...] = ()
    """Keys of which at least one must be given."""
    is_open: bool = False
    """Whether keys of any other name are values of the record too (options of a metric)."""
    is_partial: bool = False
    """Whether to build in spite of problems, so that checks across records still run."""
    misnomers: Mapping[str, str] = field(default_factory=dict)
    """Hints for keys that people write but that are not ours."""

    def fits(self, node: yaml.Node) -> bool:
        """Tell whether the node is of the kind that this shape reads."""
        return isinstance(node, yaml.MappingNode)

    def read(self, node: yaml.Node, at: str, problems: Problems) -> object:
        """Return what `build` makes of the keys; report every problem of the record."""
        before = len(problems.found)
        where = at or self.about
        if not isinstance(node, yaml.MappingNode):
            names = ", ".join(key.name for key in self.keys)
            message = f"{described(node)} is not a value for {where}"
            problems.add(line_of(node), message, f"give a mapping with the keys {names}")
            return BAD
        found = self._fields(node, at, problems)
        for key in self.keys:
            if key.is_required and key.name not in found.values:
                problems.add(
                    found.line, f"{where} has no '{key.name}'", f"add '{key.name}': {key.about}"
                )
        if self.any_of and not any(name in found.lines for name in self.any_of):
            names = " or ".join(f"'{name}'" for name in self.any_of)
            problems.add(found.line, f"{where} has no {names}", f"add {names}")
        for group in self.exclusive:
            _one_of(group, found, problems)
        for rule in self.rules:
            rule(found, problems)
        return self.build(found) if self.is_partial or len(problems.found) == before else BAD

    def _fields(self, node: yaml.MappingNode, at: str, problems: Problems) -> Fields:
        known = {key.name: key for key in self.keys}
        values: dict[str, object] = {}
        lines: dict[str, int] = {}
        for name, key_node, value in entries(node, problems):
            here = f"{at}.{name}" if at else name
            if name in known:
                values[name] = known[name].shape.read(value, here, problems)
            elif self.is_open:
                values[name] = plain(value, problems)
            else:
                hint = self.misnomers.get(name) or known_names(name, known, "keys")
                message = f"unknown key {shown(name)} in {at or self.about}"
                problems.add(line_of(key_node), message, hint)
                values[name] = BAD
                continue
            lines[name] = line_of(key_node)
        return Fields(at=at, line=line_of(node), values=values, lines=lines)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the record, with a description and default per key."""
        defaults = {} if self.of is None else _defaults(self.of)
        properties: dict[str, Any] = {}
        for key in self.keys:
            described_key = {**key.shape.schema(), "description": key.about}
            default = defaults.get(key.name) if key.default is _NO_DEFAULT else key.default
            if default is not None:
                described_key["default"] = default
            properties[key.name] = described_key
        result: dict[str, Any] = {
            "type": "object",
            "properties": properties,
            "additionalProperties": self.is_open,
        }
        required = [key.name for key in self.keys if key.is_required]
        if required:
            result["required"] = required
        if self.any_of:
            result["anyOf"] = [{"required": [name]} for name in self.any_of]
        pairs = [[a, b] for group in self.exclusive for i, a in enumerate(group) for b in group[:i]]
        if pairs:
            result["not"] = {"anyOf": [{"required": sorted(pair)} for pair in pairs]}
        return result


def _one_of(group: tuple[str, ...], found: Fields, problems: Problems) -> None:
    given = [name for name in found.lines if name in group]
    for name in given[1:]:
        line = found.lines[given[0]]
        message = f"'{name}' does not go together with '{given[0]}' on line {line}"
        problems.add(found.lines[name], message, f"keep one of {', '.join(group)}")


def _defaults(kind: type) -> dict[str, Any]:
    return {
        item.name: item.default
        for item in fields(kind)
        if item.default is not MISSING and isinstance(item.default, bool | int | float | str)
    }
