"""Owns what a `.prompt.yml` file says beside its messages: model, test data, evaluators."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gepa_ci.core.digests import canonical_json
from gepa_ci.core.prompt import Evaluator
from gepa_ci.formats.parameters import check_spelling, read_parameters, read_response_format
from gepa_ci.formats.yaml_document import Document, kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import yaml

    from gepa_ci.core.values import JSON

_OPERATORS = ("equals", "contains", "startsWith", "endsWith")
"""In the order in which the first that says something wins."""


def read_call(
    document: Document, fields: Mapping[str, tuple[yaml.Node, yaml.Node]]
) -> tuple[str | None, dict[str, JSON]]:
    """Return the model and the call parameters."""
    model = document.string(fields["model"][1], "'model'") if "model" in fields else None
    parameters: dict[str, JSON] = {}
    if "modelParameters" in fields and kind(fields["modelParameters"][1]) != "empty":
        own = document.fields(fields["modelParameters"][1], "'modelParameters'")
        check_spelling(document, own)
        parameters = read_parameters(document, own)
    schema = _schema(document, fields["jsonSchema"][1]) if "jsonSchema" in fields else None
    if "responseFormat" in fields:
        found = read_response_format(document, fields["responseFormat"][1], schema)
        parameters |= {} if found is None else {"response_format": found}
    return model or None, parameters


def _schema(document: Document, node: yaml.Node) -> JSON:
    if not (text := document.string(node, "'jsonSchema'")):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as cause:
        document.problem(f"'jsonSchema' is not JSON: {cause}", node)
        return {}
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        document.problem("'jsonSchema' must be an object with the keys name and schema", node)
    elif not isinstance(value.get("schema"), dict):
        document.problem("'jsonSchema' has no object 'schema'", node)
    return value if isinstance(value, dict) else {}


def read_rows(
    document: Document, fields: Mapping[str, tuple[yaml.Node, yaml.Node]]
) -> list[tuple[Mapping[str, JSON], int]]:
    """Return each row of `testData` with its line."""
    if "testData" not in fields or kind(fields["testData"][1]) == "empty":
        return []
    rows: list[tuple[Mapping[str, JSON], int]] = []
    for number, item in enumerate(document.items(fields["testData"][1], "'testData'"), start=1):
        value = document.json(item, f"row {number} of 'testData'")
        if isinstance(value, dict):
            rows.append((value, document.line(item)))
        else:
            document.problem(f"row {number} of 'testData' must be a mapping", item)
    return rows


def read_evaluators(
    document: Document, fields: Mapping[str, tuple[yaml.Node, yaml.Node]]
) -> list[Evaluator]:
    """Return the evaluators; those that ask a model keep what they ask as text."""
    if "evaluators" not in fields or kind(fields["evaluators"][1]) == "empty":
        return []
    items = document.items(fields["evaluators"][1], "'evaluators'")
    found = [_evaluator(document, item, number) for number, item in enumerate(items, start=1)]
    return [evaluator for evaluator in found if evaluator is not None]


def _evaluator(document: Document, item: yaml.Node, number: int) -> Evaluator | None:
    what = f"evaluator {number}"
    if not (own := document.fields(item, what)):
        return None
    name = document.string(own["name"][1], f"the name of {what}") if "name" in own else what
    if "string" in own:
        checks = document.fields(own["string"][1], f"'string' of {what}")
        for operator in _OPERATORS:
            # An empty text counts as not given, as in the service that the format comes from.
            if operator in checks and (text := _text(document, checks[operator][1], operator)):
                return Evaluator(name=name, operator=operator, value=text)
        hint = f"give one of {', '.join(_OPERATORS)}"
        document.problem(f"'string' of {what} checks nothing", item, hint)
    elif "llm" in own:
        value = canonical_json(document.json(own["llm"][1], f"'llm' of {what}"))
        return Evaluator(name=name, operator="llm", value=value)
    elif "uses" in own:
        value = document.string(own["uses"][1], f"'uses' of {what}")
        return Evaluator(name=name, operator="uses", value=value)
    else:
        document.problem(f"{what} has no 'string', 'llm' or 'uses'", item)
    return None


def _text(document: Document, node: yaml.Node, operator: str) -> str:
    return "" if kind(node) == "empty" else document.string(node, f"'{operator}'")
