"""Owns the protocol of a config's shapes, and tables by name, lists and choices of shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from gepa_ci.config.documents import described, entries, line_of
from gepa_ci.config.problems import Problems, shown
from gepa_ci.config.values import BAD, plain

if TYPE_CHECKING:
    from collections.abc import Callable


class Shape(Protocol):
    """What a value of the config may be: reads it, and describes it as JSON Schema."""

    def read(self, node: yaml.Node, at: str, problems: Problems) -> object:
        """Return the value of the node; report every problem, and return BAD for one."""
        ...

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the shape."""
        ...


class Alternative(Shape, Protocol):
    """A shape that can stand beside others, as it knows its kind of node."""

    def fits(self, node: yaml.Node) -> bool:
        """Tell whether the node is of the kind that this shape reads."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A mapping from names that the user chooses to values of one shape."""

    value: Shape
    name: str
    """Regular expression of the names."""
    names: str
    """The same in words."""
    minimum: int = 0

    def read(self, node: yaml.Node, at: str, problems: Problems) -> object:
        """Return the readable values by name."""
        if not isinstance(node, yaml.MappingNode):
            message = f"{described(node)} is not a value for {at}"
            problems.add(line_of(node), message, "give a mapping from names to values")
            return BAD
        result: dict[str, tuple[int, object]] = {}
        for name, key_node, value in entries(node, problems):
            if not re.search(self.name, name):
                message = f"{shown(name)} is not a name for one of {at}"
                problems.add(line_of(key_node), message, f"use {self.names}")
            item = self.value.read(value, f"{at}.{name}", problems)
            if item is not BAD:
                result[name] = (line_of(key_node), item)
        if len(node.value) < self.minimum:
            problems.add(line_of(node), f"{at} is empty", f"add at least one of {at}")
        return result

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the table."""
        return {
            "type": "object",
            "propertyNames": {"pattern": self.name},
            "additionalProperties": self.value.schema(),
            **({"minProperties": self.minimum} if self.minimum else {}),
        }


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of values of one shape, at least one of them and none twice."""

    item: Shape

    def fits(self, node: yaml.Node) -> bool:
        """Tell whether the node is of the kind that this shape reads."""
        return isinstance(node, yaml.SequenceNode)

    def read(self, node: yaml.Node, at: str, problems: Problems) -> object:
        """Return the values as a tuple."""
        if not isinstance(node, yaml.SequenceNode):
            message = f"{described(node)} is not a value for {at}"
            problems.add(line_of(node), message, "give a list, as in [a, b]")
            return BAD
        if not node.value:
            problems.add(line_of(node), f"{at} is empty", "name at least one, or remove the key")
            return BAD
        values: list[object] = []
        for item in node.value:
            value = self.item.read(item, at, problems)
            if value is not BAD and value in values:
                problems.add(line_of(item), f"{described(item)} is twice in {at}", "name it once")
            values.append(value)
        return BAD if BAD in values else tuple(values)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the list."""
        item = self.item.schema()
        return {"type": "array", "items": item, "minItems": 1, "uniqueItems": True}


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value of one of several kinds, told apart by whether it is a value, a list or a mapping."""

    shapes: tuple[Alternative, ...]
    expects: str
    """What is accepted, as it follows `give`."""

    def fits(self, node: yaml.Node) -> bool:
        """Tell whether the node is of a kind that one of the shapes reads."""
        return any(shape.fits(node) for shape in self.shapes)

    def read(self, node: yaml.Node, at: str, problems: Problems) -> object:
        """Return the value by the shape of the node's kind."""
        for shape in self.shapes:
            if shape.fits(node):
                return shape.read(node, at, problems)
        message = f"{described(node)} is not a value for {at}"
        problems.add(line_of(node), message, f"give {self.expects}")
        return BAD

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the alternatives."""
        return {"anyOf": [shape.schema() for shape in self.shapes]}


@dataclass(frozen=True, slots=True)
class Mapped:
    """A shape whose value is turned into another one, given its line."""

    shape: Alternative
    convert: Callable[[Any, int], object]

    def fits(self, node: yaml.Node) -> bool:
        """Tell whether the node is of the kind that the shape reads."""
        return self.shape.fits(node)

    def read(self, node: yaml.Node, at: str, problems: Problems) -> object:
        """Return the converted value, or BAD."""
        value = self.shape.read(node, at, problems)
        return BAD if value is BAD else self.convert(value, line_of(node))

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the shape."""
        return self.shape.schema()


@dataclass(frozen=True, slots=True)
class FreeMapping:
    """A mapping that is passed on as it is."""

    def fits(self, node: yaml.Node) -> bool:
        """Tell whether the node is of the kind that this shape reads."""
        return isinstance(node, yaml.MappingNode)

    def read(self, node: yaml.Node, at: str, problems: Problems) -> object:  # noqa: ARG002 - Shape
        """Return the mapping as JSON."""
        return plain(node, problems)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of any mapping."""
        return {"type": "object"}
