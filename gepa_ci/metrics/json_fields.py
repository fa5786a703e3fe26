"""Owns the metric json_fields: the output is a JSON object, scored field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from gepa_ci.core.score import Score
from gepa_ci.errors import Problem
from gepa_ci.metrics.feedback import kind, nearest, quote, shown
from gepa_ci.metrics.field_check import Compare, FieldCheck
from gepa_ci.metrics.json_text import FoundJson, NoJson, find_json, note_around
from gepa_ci.metrics.labels import from_json_text
from gepa_ci.metrics.metric import BadOptionError, BuiltIn, Option, weighted_mean

if TYPE_CHECKING:
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFields:
    """Compares the fields of two JSON objects."""

    fields: tuple[str, ...] | None = None
    """The fields that count; None for all of the label."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Relative weight of a field; 1 when it is not here."""
    compare: Compare | Mapping[str, Compare] = Compare.EXACT
    """How values are compared, for all fields or by field (exact when it is not here)."""
    tolerance: float = 0.0
    """For numeric comparison."""
    strict: bool = False
    """Whether anything around the JSON makes it wrong."""

    @property
    def needs_expected(self) -> bool:
        """Return True: the label is the object."""
        return True

    @property
    def named_fields(self) -> tuple[str, ...]:
        """Return the fields that get a weight or a comparison of their own."""
        compared = self.compare if isinstance(self.compare, Mapping) else {}
        return tuple(dict.fromkeys((*self.weights, *compared)))

    def label_problem(self, expected: JSON) -> Problem | None:
        """Return a problem when the label is not an object with the fields that count."""
        value = from_json_text(expected)
        if not isinstance(value, dict):
            return Problem(
                message=f"is not an object but the {kind(value)} {shown(value)}",
                hint='give the fields and their values, such as {"city": "Rome"}',
            )
        if not value:
            return Problem(message="is an object without fields", hint="give at least one field")
        missing = [name for name in self.fields or () if name not in value]
        if not missing:
            return None
        hint = f"{nearest(missing[0], value)}it has: {', '.join(map(str, value))}"
        return Problem(message=f"has no field '{missing[0]}', which the metric counts", hint=hint)

    def score(self, example: Example, output: str) -> Score:
        """Return the weighted share of right fields, with a part for each."""
        expected = cast("dict[str, JSON]", from_json_text(example.expected))
        names = tuple(self.fields or expected)
        found = find_json(output, strict=self.strict, openings="{")
        if isinstance(found, NoJson):
            return _nothing(
                names, f"{found.reason} {_wanted(expected, names)}, got {quote(output)}."
            )
        if not isinstance(found.value, dict):
            what = f"The JSON is a {kind(found.value)}, not an object."
            return _nothing(names, f"{what} {_wanted(expected, names)}, got {quote(output)}.")
        checks = [self._check(name, expected[name], found.value, example) for name in names]
        return Score(
            value=weighted_mean(
                [float(check.right) for check in checks],
                tuple(self.weights.get(name, 1.0) for name in names),
            ),
            feedback=_describe(checks, found, expected),
            parts={check.name: float(check.right) for check in checks},
        )

    def _check(
        self, name: str, expected: JSON, got: Mapping[str, JSON], example: Example
    ) -> FieldCheck:
        compare = self.compare
        if isinstance(compare, Mapping):
            compare = compare.get(name, Compare.EXACT)
        return FieldCheck(
            name=name,
            expected=expected,
            object=got,
            compare=compare,
            tolerance=self.tolerance,
            inputs=example.inputs,
        )


def _wanted(expected: Mapping[str, JSON], names: tuple[str, ...]) -> str:
    return f"Expected a JSON object like {shown({name: expected[name] for name in names})}"


def _nothing(names: tuple[str, ...], feedback: str) -> Score:
    return Score(value=0.0, feedback=feedback, parts=dict.fromkeys(names, 0.0))


def _describe(checks: list[FieldCheck], found: FoundJson, expected: Mapping[str, JSON]) -> str:
    wrong = [check for check in checks if not check.right]
    lines = [f"- {check.describe()}" for check in wrong]
    right = [check.name for check in checks if check.right]
    if not wrong:
        lines = ["Correct: every field has its expected value."]
    else:
        lines.insert(0, f"{len(right)} of {len(checks)} fields are right. Wrong:")
    got = cast("Mapping[str, JSON]", found.value)
    extra = [name for name in got if name not in expected]
    if extra:
        names = ", ".join(quote(name, 40) for name in extra[:_MOST])
        lines.append(f"Fields that were not asked for: {names}.")
    note = note_around(found)
    return "\n".join([*lines, note] if note else lines)


_MOST = 10
"""Unasked fields that feedback lists."""


def make_json_fields(
    *,
    fields: list[str] | None = None,
    weights: Mapping[str, float] | None = None,
    compare: str | Mapping[str, str] = "exact",
    tolerance: float = 0.0,
    strict: bool = False,
) -> JsonFields:
    """Build the scorer from options as they stand in the config."""
    by_field = {} if isinstance(compare, str) else compare
    for option, names in (("weights", weights or {}), ("compare", by_field)):
        for name in names:
            if fields is not None and name not in fields:
                raise BadOptionError(
                    option,
                    f"names the field '{name}', which is not in 'fields'",
                    hint=f"{nearest(name, fields)}fields: {', '.join(fields)}",
                )
    how: Compare | Mapping[str, Compare] = (
        Compare(compare)
        if isinstance(compare, str)
        else {name: Compare(value) for name, value in compare.items()}
    )
    return JsonFields(
        fields=None if fields is None else tuple(dict.fromkeys(fields)),
        weights=dict(weights or {}),
        compare=how,
        tolerance=tolerance,
        strict=strict,
    )


JSON_FIELDS = BuiltIn(
    name="json_fields",
    description="Share of the fields of a JSON object that have their expected value.",
    make=make_json_fields,
    options=(
        Option(
            name="fields",
            schema={"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
            default=None,
            description="the fields that count; without it all fields of expected",
        ),
        Option(
            name="weights",
            schema={
                "type": "object",
                "additionalProperties": {"type": "number", "exclusiveMinimum": 0},
            },
            default=None,
            description="relative weight of a field, 1 where none is given",
        ),
        Option(
            name="compare",
            schema={
                "type": ["string", "object"],
                "pattern": f"^({'|'.join(Compare)})$",
                "additionalProperties": {"type": "string", "enum": [*Compare]},
            },
            default="exact",
            description="exact, normalized or numeric, for all fields or by field",
        ),
        Option(
            name="tolerance",
            schema={"type": "number", "minimum": 0},
            default=0.0,
            description="largest difference that numeric comparison takes as equal",
        ),
        Option(
            name="strict",
            schema={"type": "boolean"},
            default=False,
            description="true wants bare JSON: no code fence and no text around it",
        ),
    ),
)
