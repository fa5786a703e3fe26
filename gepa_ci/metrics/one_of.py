"""Owns the metric one_of: the output is one of several accepted answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gepa_ci.core.score import Score
from gepa_ci.errors import Problem
from gepa_ci.metrics.feedback import as_text, difference, kind, quote, shown
from gepa_ci.metrics.labels import list_of, texts_problem
from gepa_ci.metrics.metric import BuiltIn, Option
from gepa_ci.metrics.normal_form import normal_form

if TYPE_CHECKING:
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """Compares with each accepted answer."""

    values: tuple[str, ...] | None = None
    """The accepted answers for every example; None for the example's label."""
    compare: Literal["exact", "normalized"] = "exact"

    @property
    def needs_expected(self) -> bool:
        """Return whether the label lists the accepted answers."""
        return self.values is None

    def label_problem(self, expected: JSON) -> Problem | None:
        """Return a problem when the label is not a list of answers."""
        if list_of(expected) is None:
            return Problem(
                message=f"is not a list but the {kind(expected)} {shown(expected)}",
                hint="list the accepted answers, or use metric 'exact_match' for a single one",
            )
        return texts_problem(expected)

    def score(self, example: Example, output: str) -> Score:
        """Return 1 when the output is an accepted answer."""
        answers = self.values or tuple(as_text(item) for item in list_of(example.expected) or ())
        if any(self._normal(answer) == self._normal(output) for answer in answers):
            return Score(value=1.0, feedback=f"Correct: {quote(output)}.")
        sentence = f"Expected one of {_listed(answers)}, got {quote(output)}."
        near = [answer for answer in answers if answer and answer.casefold() in output.casefold()]
        if not near:
            empty = not output.strip()
            reason = "The output is empty." if empty else "It is none of the accepted answers."
            return Score(value=0.0, feedback=f"{sentence} {reason}")
        best = max(near, key=len)
        return Score(
            value=0.0,
            feedback=f"{sentence} Nearest is {quote(best)}. {difference(best, output)}",
        )

    def _normal(self, text: str) -> str:
        return normal_form(text) if self.compare == "normalized" else text


_MOST = 12
"""Accepted answers that feedback lists."""


def _listed(answers: tuple[str, ...]) -> str:
    names = ", ".join(quote(answer, 80) for answer in answers[:_MOST])
    more = len(answers) - _MOST
    return f"{names} and {more} more" if more > 0 else names


def make_one_of(
    *,
    values: list[str | float | bool] | None = None,
    compare: Literal["exact", "normalized"] = "exact",
) -> OneOf:
    """Build the scorer from options as they stand in the config."""
    texts = None if values is None else tuple(as_text(value) for value in values)
    return OneOf(values=texts, compare=compare)


ONE_OF = BuiltIn(
    name="one_of",
    description="1 when the output is one of the accepted answers that expected lists.",
    make=make_one_of,
    options=(
        Option(
            name="values",
            schema={
                "type": "array",
                "items": {"type": ["string", "number", "boolean"]},
                "minItems": 1,
            },
            default=None,
            description="accepted answers for every example, instead of the example's expected",
        ),
        Option(
            name="compare",
            schema={"type": "string", "enum": ["exact", "normalized"]},
            default="exact",
            description="normalized ignores case, whitespace and punctuation around the answer",
        ),
    ),
)
