"""Owns the metric levenshtein: how near the output is to the expected text, in edits."""

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
class LevenshteinSimilarity:
    """Counts inserted, deleted and replaced characters."""

    normalize: bool = False

    @property
    def needs_expected(self) -> bool:
        """Return True: the label is what is compared with."""
        return True

    def label_problem(self, expected: JSON) -> Problem | None:
        """Return a problem when the label is not a text or another single value."""
        return scalar_problem(expected)

    def score(self, example: Example, output: str) -> Score:
        """Return 1 minus the edits as a share of the longer text."""
        from rapidfuzz.distance import Levenshtein

        expected = as_text(example.expected)
        pair = (expected, output)
        if self.normalize:
            pair = (normal_form(expected), normal_form(output))
        edits = Levenshtein.distance(*pair)
        if edits == 0:
            return Score(value=1.0, feedback=f"Correct: {quote(output)}.")
        plural = "" if edits == 1 else "s"
        return Score(
            value=1.0 - edits / max(len(text) for text in pair),
            feedback=f"Expected {quote(expected)}, got {quote(output)}, which is {edits:,} "
            f"character edit{plural} away. {difference(expected, output)}",
        )


LEVENSHTEIN = BuiltIn(
    name="levenshtein",
    description="Similarity to the expected text in character edits, from 0 to 1.",
    make=LevenshteinSimilarity,
    options=(
        Option(
            name="normalize",
            schema={"type": "boolean"},
            default=False,
            description="true ignores case, whitespace and punctuation around the texts",
        ),
    ),
)
