"""Owns the checking of a built-in metric's options against their description."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, cast

from gepa_ci.metrics.feedback import nearest, quote, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON
    from gepa_ci.metrics.metric import Option

_NAMES = {
    "string": "text",
    "boolean": "true or false",
    "number": "a number",
    "array": "a list",
    "object": "a mapping",
}


def option_problems(
    metric: str, options: tuple[Option, ...], given: Mapping[str, JSON]
) -> tuple[tuple[str, str | None], ...]:
    """Return message and hint for every unknown option and every value of the wrong shape."""
    known = {option.name: option for option in options}
    problems: list[tuple[str, str | None]] = []
    for name, value in given.items():
        if name not in known:
            message = f"unknown option '{name}' of metric '{metric}'"
            problems.append((message, unknown_option_hint(name, options)))
        # An option that is null is one that was left out.
        elif value is not None and (wrong := value_problem(known[name].schema, value)) is not None:
            message = f"option '{name}' of metric '{metric}' {wrong}"
            problems.append((message, known[name].description))
    return tuple(problems)


def unknown_option_hint(name: str, options: tuple[Option, ...]) -> str:
    """Return the nearest option and the list of all."""
    names = [option.name for option in options]
    if not names:
        return "this metric has no options"
    return f"{nearest(name, names)}options: {', '.join(names)}"


def value_problem(schema: Mapping[str, JSON], value: JSON) -> str | None:
    """Return what is wrong with a value, to follow the option's name, or None."""
    types = cast("str | list[str]", schema["type"])
    names = [types] if isinstance(types, str) else types
    if not any(_is_type(value, name) for name in names):
        wanted = " or ".join(_NAMES[name] for name in names)
        return f"must be {wanted}, got {shown(value)}"
    choices = cast("list[str] | None", schema.get("enum"))
    if choices is not None and value not in choices:
        hint = nearest(str(value), choices)
        return f"must be one of {', '.join(choices)}, got {shown(value)}" + (
            f"; {hint.rstrip(' ;')}" if hint else ""
        )
    pattern = cast("str", schema.get("pattern", ""))
    if isinstance(value, str) and re.search(pattern, value) is None:
        return f"must be one of {pattern.strip('^()$').replace('|', ', ')}, got {shown(value)}"
    return _bound_problem(schema, value) or _inner_problem(schema, value)


def _bound_problem(schema: Mapping[str, JSON], value: JSON) -> str | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low = cast("float", schema.get("minimum", -math.inf))
        above = cast("float", schema.get("exclusiveMinimum", -math.inf))
        if value < low:
            return f"must be at least {low}, got {shown(value)}"
        if value <= above:
            return f"must be above {above}, got {shown(value)}"
    if isinstance(value, str) and len(value) < cast("int", schema.get("minLength", 0)):
        return "must not be empty"
    if isinstance(value, list) and len(value) < cast("int", schema.get("minItems", 0)):
        return "must not be an empty list"
    return None


def _inner_problem(schema: Mapping[str, JSON], value: JSON) -> str | None:
    if isinstance(value, list) and "items" in schema:
        items = cast("Mapping[str, JSON]", schema["items"])
        for number, item in enumerate(value, start=1):
            if (wrong := value_problem(items, item)) is not None:
                return f"item {number} {wrong}"
    if isinstance(value, dict) and "additionalProperties" in schema:
        inner = cast("Mapping[str, JSON]", schema["additionalProperties"])
        for key, item in value.items():
            if (wrong := value_problem(inner, item)) is not None:
                return f"at {quote(str(key))} {wrong}"
    return None


def _is_type(value: JSON, name: str) -> bool:
    match name:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "number":
            return (
                isinstance(value, (int, float))
                and not isinstance(value, bool)
                and math.isfinite(value)
            )
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)
