"""Owns the names and types of call parameters in prompt files."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import yaml

    from gepa_ci.core.values import JSON
    from gepa_ci.formats.yaml_document import Document

_KNOWN: Mapping[str, str] = {
    "temperature": "a number",
    "top_p": "a number",
    "max_tokens": "a whole number above 0",
    "max_completion_tokens": "a whole number above 0",
    "stop": "text or a list of texts",
    "seed": "a whole number",
    "frequency_penalty": "a number",
    "presence_penalty": "a number",
    "reasoning_effort": "text",
}
"""Parameter to what its value must be."""
_RESPONSE_FORMATS = ("text", "json_object", "json_schema")


def read_parameters(
    document: Document, fields: Mapping[str, tuple[yaml.Node, yaml.Node]]
) -> dict[str, JSON]:
    """Return the call parameters among fields, in our words; unknown keys are not ours."""
    parameters: dict[str, JSON] = {}
    for key, (key_node, value_node) in fields.items():
        name = _snake_case(key)
        if name not in _KNOWN:
            continue
        value = document.json(value_node, f"'{key}'")
        if name in parameters:
            document.problem(f"'{key}' says '{name}' again", key_node, "remove one of them")
        elif value is not None and not _fits(_KNOWN[name], value):
            document.problem(f"'{key}' must be {_KNOWN[name]}, and is '{value}'", value_node)
        elif value is not None:
            parameters[name] = value
    return parameters


def check_spelling(document: Document, fields: Mapping[str, tuple[yaml.Node, yaml.Node]]) -> None:
    """Note keys that look like a misspelt parameter; production would ignore them silently."""
    for key, (node, _) in fields.items():
        name = _snake_case(key)
        near = difflib.get_close_matches(name, _KNOWN, 1, 0.8)
        if name not in _KNOWN and near:
            document.problem(f"unknown parameter '{key}'", node, f"did you mean '{near[0]}'?")


def read_response_format(document: Document, node: yaml.Node, schema: JSON) -> JSON:
    """Return the response format as the API takes it; None for text, which is the default."""
    if not (value := document.string(node, "the response format")):
        return None
    if value not in _RESPONSE_FORMATS:
        near = difflib.get_close_matches(value, _RESPONSE_FORMATS, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"use {', '.join(_RESPONSE_FORMATS)}"
        document.problem(f"unknown response format '{value}'", node, hint)
        return None
    if value == "json_schema":
        if schema is None:
            message = "the response format 'json_schema' needs a JSON Schema"
            document.problem(message, node, "add `jsonSchema` with the keys name and schema")
        return {"type": value, "json_schema": schema}
    return None if value == "text" else {"type": value}


def _snake_case(key: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in key)


def _fits(wanted: str, value: JSON) -> bool:
    match wanted:
        case "a number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "a whole number":
            return isinstance(value, int) and not isinstance(value, bool)
        case "a whole number above 0":
            return isinstance(value, int) and not isinstance(value, bool) and value > 0
        case "text":
            return isinstance(value, str)
        case _:
            texts = value if isinstance(value, list) else [value]
            return all(isinstance(text, str) for text in texts)
