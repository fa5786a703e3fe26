"""Owns the metric exact_match: the output is the expected text, character for character."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.score import Score
from gepa_ci.metrics.feedback import as_text, difference, quote
from gepa_ci.metrics.labels import scalar_problem
from gepa_ci.metrics.metric import BuiltIn, Option

if TYPE_CHECKING:
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON
    from gepa_ci.errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactMatch:
    """Compares as the texts are."""

    strip: bool = False
    """Whether whitespace around both texts is ignored."""

    @property
    def needs_expected(self) -> bool:
        """Return True: the label is what is compared with."""
        return True

    def label_problem(self, expected: JSON) -> Problem | None:
        """Return a problem when the label is not a text or another single value."""
        return scalar_problem(expected)

    def score(self, example: Example, output: str) -> Score:
        """Return 1 when the texts are equal."""
        expected = as_text(example.expected)
        equal = expected.strip() == output.strip() if self.strip else expected == output
        if equal:
            return Score(value=1.0, feedback=f"Correct: {quote(output)}.")
        return Score(
            value=0.0,
            feedback=f"Expected exactly {quote(expected)}, got {quote(output)}. "
            f"{difference(expected, output)}",
        )


EXACT_MATCH = BuiltIn(
    name="exact_match",
    description="1 when the output is the expected text, character for character.",
    make=ExactMatch,
    options=(
        Option(
            name="strip",
            schema={"type": "boolean"},
            default=False,
            description="true ignores whitespace before and after the answer",
        ),
    ),
)
