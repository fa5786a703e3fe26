"""Owns validating against JSON Schemas that users wrote: bounded patterns, nothing fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gepa_ci.metrics.feedback import quote, shortened
from gepa_ci.metrics.patterns import pattern_problem, search

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema.protocols import Validator

    from gepa_ci.core.values import JSON


def validator(schema: Any) -> Validator:
    """Build the validator of a schema's own draft, 2020-12 when it names none."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend, validator_for
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]

    # The library searches with `re`, which a hostile text can keep busy for hours.
    bounded: Any = extend(  # type: ignore[no-untyped-call]
        validator_for(schema, default=Draft202012Validator),
        {
            "pattern": _pattern,
            "patternProperties": _pattern_properties,
            "additionalProperties": _additional_properties,
        },
    )
    # A registry of its own keeps it from fetching a $ref over the network.
    checker: Validator = bounded(schema, registry=REGISTRY)
    return checker


def schema_problem(schema: Mapping[str, JSON]) -> str | None:
    """Return why a mapping is not a JSON Schema that can be used, or None."""
    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    draft: Any = validator_for(schema, default=Draft202012Validator)
    try:
        # Patterns are checked below: `re`, which the library asks, does not know all of them.
        draft.check_schema(schema, format_checker=FormatChecker(formats=()))
    except SchemaError as error:
        where = "/".join(str(step) for step in error.absolute_path)
        at = f" at {quote(where)}" if where else ""
        return f"{shortened(error.message)}{at}"
    except RecursionError:
        return "it is nested too deeply"
    return _pattern_reason(schema) or _reference_reason(schema)


def _pattern_reason(schema: JSON) -> str | None:
    for node in _nodes(schema):
        named = node.get("patternProperties")
        patterns = [node.get("pattern"), *(named if isinstance(named, dict) else ())]
        for pattern in patterns:
            if isinstance(pattern, str) and (reason := pattern_problem(pattern)) is not None:
                return f"the pattern {quote(pattern)} is not a regular expression ({reason})"
    return None


def _reference_reason(schema: Mapping[str, JSON]) -> str | None:
    from jsonschema_specifications import REGISTRY
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    nodes = list(_nodes(schema))
    # An inner $id moves the base of the references below it; they are found out when followed.
    if sum("$id" in node for node in nodes) > ("$id" in schema):
        return None
    base = str(schema.get("$id", ""))
    registry = REGISTRY.with_resource(base, DRAFT202012.create_resource(schema))
    for node in nodes:
        reference = node.get("$ref")
        if not isinstance(reference, str):
            continue
        try:
            registry.resolver(base).lookup(reference)
        except Unresolvable:
            return f"'$ref' leads nowhere: {quote(reference)}"
    return None


def _nodes(value: JSON) -> Iterator[Mapping[str, JSON]]:
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _found(pattern: str, text: str) -> bool:
    try:
        return search(pattern, text)
    except TimeoutError:
        raise TimeoutError(pattern) from None


def _pattern(checker: Any, pattern: str, instance: Any, _: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if checker.is_type(instance, "string") and not _found(pattern, instance):
        yield ValidationError(f"{quote(instance, 80)} does not match {quote(pattern, 80)}")


def _pattern_properties(checker: Any, named: Any, instance: Any, _: Any) -> Iterator[Any]:
    if not checker.is_type(instance, "object"):
        return
    for pattern, inner in named.items():
        for key, value in instance.items():
            if _found(pattern, key):
                yield from checker.descend(value, inner, path=key, schema_path=pattern)


def _additional_properties(checker: Any, inner: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if not checker.is_type(instance, "object"):
        return
    patterns = schema.get("patternProperties", {})
    extra = [
        key
        for key in instance
        if key not in schema.get("properties", {})
        and not any(_found(pattern, key) for pattern in patterns)
    ]
    if inner is False and extra:
        names = ", ".join(quote(key, 80) for key in extra)
        yield ValidationError(f"the schema does not allow {names}")
    elif isinstance(inner, dict):
        for key in extra:
            yield from checker.descend(instance[key], inner, path=key)
