"""Owns the metric normalized_match: equal apart from case, whitespace and marks around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.score import Score
from gepa_ci.metrics.feedback import as_text, difference, quote
from gepa_ci.metrics.labels import scalar_problem
from gepa_ci.metrics.metric import BuiltIn, Option
from gepa_ci.metrics.normal_form import normal_form

if TYPE_CHECKING:
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON
    from gepa_ci.errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalizedMatch:
    """Compares normal forms."""

    ignore_case: bool = True
    ignore_punctuation: bool = True
    ignore_articles: bool = False

    @property
    def needs_expected(self) -> bool:
        """Return True: the label is what is compared with."""
        return True

    def label_problem(self, expected: JSON) -> Problem | None:
        """Return a problem when the label is not a text or another single value."""
        return scalar_problem(expected)

    def score(self, example: Example, output: str) -> Score:
        """Return 1 when the normal forms are equal."""
        expected = as_text(example.expected)
        if self._normal(expected) == self._normal(output):
            return Score(value=1.0, feedback=f"Correct: {quote(output)}.")
        return Score(
            value=0.0,
            feedback=f"Expected {quote(expected)}, got {quote(output)}. "
            f"{difference(expected, output)}",
        )

    def _normal(self, text: str) -> str:
        return normal_form(
            text,
            case=self.ignore_case,
            punctuation=self.ignore_punctuation,
            articles=self.ignore_articles,
        )


NORMALIZED_MATCH = BuiltIn(
    name="normalized_match",
    description="1 when output and expected are equal apart from case, whitespace, Unicode form "
    "and punctuation around them.",
    make=NormalizedMatch,
    options=(
        Option(
            name="ignore_case",
            schema={"type": "boolean"},
            default=True,
            description="false makes upper and lower case count",
        ),
        Option(
            name="ignore_punctuation",
            schema={"type": "boolean"},
            default=True,
            description="false makes quotes, full stops and the like around the answer count",
        ),
        Option(
            name="ignore_articles",
            schema={"type": "boolean"},
            default=False,
            description="true ignores the words a, an and the",
        ),
    ),
)
