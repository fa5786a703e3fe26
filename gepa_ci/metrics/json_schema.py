"""Owns the metric json_schema: the output is JSON that a JSON Schema accepts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gepa_ci.core.score import Score
from gepa_ci.errors import MetricError, Problem
from gepa_ci.metrics.feedback import kind, quote, shortened, shown
from gepa_ci.metrics.json_text import NoJson, find_json, note_around
from gepa_ci.metrics.labels import from_json_text
from gepa_ci.metrics.metric import BadOptionError, BuiltIn, Option
from gepa_ci.metrics.patterns import too_slow
from gepa_ci.metrics.schema_check import schema_problem, validator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema.exceptions import ValidationError

    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON

_MOST = 5
"""Errors of one output that feedback lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSchema:
    """Validates the output."""

    schema: Mapping[str, JSON] | None = None
    """The schema for every example; None when each label is one."""
    strict: bool = False
    """Whether anything around the JSON makes it wrong."""

    @property
    def needs_expected(self) -> bool:
        """Return whether the label is the schema."""
        return self.schema is None

    def label_problem(self, expected: JSON) -> Problem | None:
        """Return a problem when the label is not a JSON Schema."""
        schema = from_json_text(expected)
        if not isinstance(schema, dict):
            return Problem(
                message=f"is not a JSON Schema but the {kind(schema)} {shown(schema)}",
                hint='give an object such as {"type": "object"}, or the option \'schema\'',
            )
        reason = schema_problem(schema)
        if reason is None:
            return None
        return Problem(message=f"is not a JSON Schema: {reason}", hint="see json-schema.org")

    def score(self, example: Example, output: str) -> Score:
        """Return 1 when the output is JSON that the schema accepts."""
        found = find_json(output, strict=self.strict)
        if isinstance(found, NoJson):
            return Score(value=0.0, feedback=f"{found.reason} Got {quote(output)}.")
        schema = from_json_text(example.expected) if self.schema is None else self.schema
        errors = _errors(schema, found.value, example)
        note = note_around(found)
        if not errors:
            return Score(value=1.0, feedback=f"Correct: the JSON fits the schema. {note}".strip())
        # The library reports each missing field of an object by itself.
        sentences = dict.fromkeys(_sentence(error) for error in errors[:_MOST])
        listed = " ".join(f"{sentence}." for sentence in sentences)
        more = " There are more errors." if len(errors) > _MOST else ""
        return Score(
            value=0.0,
            feedback=f"The JSON does not fit the schema. {listed}{more} "
            f"Got {quote(output)}. {note}".strip(),
        )


def _errors(schema: Any, value: JSON, example: Example) -> list[ValidationError]:
    from referencing.exceptions import Unresolvable

    try:
        errors = validator(schema).iter_errors(value)
        return list(itertools.islice(errors, _MOST + 1))
    except TimeoutError as error:
        raise too_slow(str(error), example) from None
    except Unresolvable as error:
        raise MetricError(
            f"a '$ref' of the JSON Schema leads nowhere: '{error.ref}'",
            path=example.path or None,
            line=example.line or None,
            hint="refer to a part of the same schema, such as #/$defs/name",
        ) from None
    except (RecursionError, ArithmeticError):
        return [_unreadable()]


def _unreadable() -> ValidationError:
    from jsonschema.exceptions import ValidationError

    return ValidationError("it is nested too deeply or holds a number that is too large")


def _sentence(error: ValidationError) -> str:
    where = "/".join(str(step) for step in error.absolute_path)
    at = f"At {quote(where, 80)}" if where else "At the top"
    wanted: Any = error.validator_value
    instance: Any = error.instance
    if error.validator == "required":
        missing = [name for name in wanted if name not in instance]
        return f"{at}: missing {', '.join(quote(str(name), 80) for name in missing)}"
    if error.validator == "type":
        names = wanted if isinstance(wanted, str) else " or ".join(map(str, wanted))
        return f"{at}: expected {names}, got {kind(instance)} {shown(instance)}"
    if error.validator == "enum":
        accepted = ", ".join(shown(item) for item in wanted)
        return f"{at}: expected one of {accepted}, got {shown(instance)}"
    # The library's own words: they may hold the whole instance.
    return f"{at}: {shortened(error.message)}"


def make_json_schema(
    *, schema: Mapping[str, JSON] | None = None, strict: bool = False
) -> JsonSchema:
    """Build the scorer; a schema that is none is a bad option."""
    reason = None if schema is None else schema_problem(schema)
    if reason is not None:
        raise BadOptionError(
            "schema", f"is not a JSON Schema: {reason}", hint="see json-schema.org"
        )
    return JsonSchema(schema=schema, strict=strict)


JSON_SCHEMA = BuiltIn(
    name="json_schema",
    description="1 when the output is JSON that fits a JSON Schema: the option's, or expected.",
    make=make_json_schema,
    options=(
        Option(
            name="schema",
            schema={"type": "object"},
            default=None,
            description="the JSON Schema for every example; without it expected is the schema",
        ),
        Option(
            name="strict",
            schema={"type": "boolean"},
            default=False,
            description="true wants bare JSON: no code fence and no text around it",
        ),
    ),
)
