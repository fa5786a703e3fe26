"""Owns how YAML nodes become JSON values, and what is refused on the way."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

import yaml
from yaml.constructor import ConstructorError, SafeConstructor

from gepa_ci.config.documents import entries, line_of
from gepa_ci.config.problems import Problems, shown

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON

BAD: Final = object()
"""Stands for a value that has been reported as a problem."""

_TAG = "tag:yaml.org,2002:"
_QUOTES = "put it in quotes"


def scalar(node: yaml.ScalarNode, problems: Problems) -> object:
    """Return the value of a scalar as YAML 1.1 reads it; BAD when it has no JSON value."""
    kind = node.tag.removeprefix(_TAG)
    try:
        match kind:
            case "str" | "value" | "merge":
                return node.value
            case "null":
                return None
            case "bool":
                return SafeConstructor().construct_yaml_bool(node)
            case "int":
                value = SafeConstructor().construct_yaml_int(node)
                return _as_meant(node, value, problems)
            case "float":
                return _finite(node, problems)
            case "timestamp":
                problems.add(line_of(node), f"YAML reads {shown(node.value)} as a date", _QUOTES)
            case _:
                message = f"the YAML tag {shown(node.tag.replace(_TAG, '!!'))} is not allowed"
                problems.add(line_of(node), message, "remove the tag")
    except (ValueError, KeyError, ConstructorError):
        problems.add(line_of(node), f"{shown(node.value)} cannot be read as {kind}", _QUOTES)
    return BAD


def _finite(node: yaml.ScalarNode, problems: Problems) -> object:
    value = SafeConstructor().construct_yaml_float(node)
    if math.isfinite(value):
        return _as_meant(node, value, problems)
    problems.add(line_of(node), f"{shown(node.value)} is not a finite number", "give a number")
    return BAD


def _as_meant(node: yaml.ScalarNode, value: float, problems: Problems) -> object:
    # YAML 1.1 reads 12:30 in base 60 and 0123 in base 8; nobody who writes them expects that.
    is_octal = isinstance(value, int) and re.match(r"[-+]?0[0-9_]", node.value)
    if not is_octal and ":" not in node.value:
        return value
    problems.add(line_of(node), f"YAML reads {shown(node.value)} as {value}", _QUOTES)
    return BAD


def plain(node: yaml.Node, problems: Problems) -> JSON:
    """Return the JSON value of a whole node; parts that are no JSON are reported."""
    if isinstance(node, yaml.MappingNode):
        return {name: plain(value, problems) for name, _, value in entries(node, problems)}
    if isinstance(node, yaml.SequenceNode):
        return [plain(item, problems) for item in node.value]
    assert isinstance(node, yaml.ScalarNode)
    value = scalar(node, problems)
    if isinstance(value, bool) and node.value.lower() not in ("true", "false"):
        # An answer `no` must not become false without a word.
        message = f"YAML reads {shown(node.value)} as {str(value).lower()}"
        problems.add(line_of(node), message, f"{_QUOTES}, or write {str(value).lower()}")
    assert value is BAD or value is None or isinstance(value, str | int | float)
    return None if value is BAD else value  # type: ignore[return-value]
