"""Owns the check of one field of a JSON object: whether it is right, and why it is not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from gepa_ci.metrics.feedback import as_text, difference, kind, nearest, shown
from gepa_ci.metrics.json_text import json_equal
from gepa_ci.metrics.normal_form import normal_form
from gepa_ci.metrics.number_text import read_number, within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON

_DEEPEST = 50
"""Levels to which values are normalized; a model may nest as deep as it likes."""


class Compare(StrEnum):
    """How the values of a field are compared."""

    EXACT = "exact"
    NORMALIZED = "normalized"
    NUMERIC = "numeric"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldCheck:
    """One expected field against the object that came."""

    name: str
    """The field."""
    expected: JSON
    """The value it should have."""
    object: Mapping[str, JSON]
    """The whole object that came."""
    compare: Compare
    """How values are compared."""
    tolerance: float
    """For numeric comparison."""
    inputs: Mapping[str, JSON]
    """The example's inputs, in which the value may stand word for word."""

    @property
    def right(self) -> bool:
        """Return whether the field is there with its expected value."""
        return self.name in self.object and self._accepts(self.object[self.name])

    def describe(self) -> str:
        """Return what was expected, what came and what to do, on one line."""
        sentence = f"field '{self.name}': expected {self._kinded(self.expected)}"
        if self.name not in self.object:
            near = nearest(self.name, self.object).replace("did you mean", "there is").rstrip("? ")
            hints = [f"{near} instead" if near else "", self._elsewhere(), self._in_inputs()]
            return ", ".join([f"{sentence}, but the field is missing", *filter(None, hints)]) + "."
        got = self.object[self.name]
        notes = [self._reason(got), self._elsewhere(), self._in_inputs()]
        told = "; ".join(note for note in notes if note)
        return (
            f"{sentence}, got {self._kinded(got)}. {told[:1].upper()}{told[1:]}".rstrip(" .") + "."
        )

    def _accepts(self, got: JSON) -> bool:
        if json_equal(self.expected, got):
            return True
        if self.compare is Compare.NORMALIZED:
            return json_equal(_normal(self.expected), _normal(got))
        if self.compare is Compare.NUMERIC:
            wanted, number = read_number(self.expected), read_number(got)
            if wanted is None or number is None:
                return False
            return within(wanted, number, tolerance=self.tolerance, relative=0.0)
        return False

    def _kinded(self, value: JSON) -> str:
        return shown(value) if isinstance(value, str) else f"the {kind(value)} {shown(value)}"

    def _reason(self, got: JSON) -> str:
        expected = self.expected
        if kind(expected) != kind(got):
            same = json_equal(_normal(expected), _normal(got))
            right = "the value is right but its type is not: " if same else ""
            return f"{right}write {_article(kind(expected))}, not {_article(kind(got))}"
        if isinstance(expected, str) and isinstance(got, str):
            return difference(expected, got).replace("The output", "The field").rstrip(".")
        return "the value is different"

    def _elsewhere(self) -> str:
        others = [
            name
            for name, value in self.object.items()
            if name != self.name and self.expected not in (None, "") and self._accepts(value)
        ]
        return f"the expected value stands in field '{others[0]}'" if others else ""

    def _in_inputs(self) -> str:
        text = self.expected
        if not isinstance(text, str) or not text.strip():
            return ""
        for name, value in self.inputs.items():
            if isinstance(value, str) and text in value:
                return f"the input '{name}' holds the expected value word for word"
        return ""


def _article(word: str) -> str:
    if word in ("text", "null"):
        return word
    return f"an {word}" if word.startswith("o") else f"a {word}"


def _normal(value: JSON, depth: int = 0) -> JSON:
    if depth > _DEEPEST:
        return value
    if isinstance(value, dict):
        return {key: _normal(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_normal(item, depth + 1) for item in value]
    return normal_form(as_text(value))
