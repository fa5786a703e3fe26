"""Owns the metric regex: a pattern is found in the output."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from gepa_ci.core.score import Score
from gepa_ci.errors import Problem
from gepa_ci.metrics.feedback import as_text, kind, quote, shown
from gepa_ci.metrics.labels import scalar_problem
from gepa_ci.metrics.metric import BadOptionError, BuiltIn, Option
from gepa_ci.metrics.patterns import pattern_problem, search, too_slow

if TYPE_CHECKING:
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON

_EXPECTED = "{{expected}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegexMatch:
    """Searches the output for a pattern."""

    pattern: str | None = None
    """The pattern for every example; None when each label is one."""
    match: Literal["search", "full"] = "search"
    ignore_case: bool = False
    multiline: bool = False

    @property
    def needs_expected(self) -> bool:
        """Return whether the label is the pattern or a part of it."""
        return self.pattern is None or _EXPECTED in self.pattern

    def label_problem(self, expected: JSON) -> Problem | None:
        """Return a problem when the label is not a pattern that compiles."""
        if self.pattern is not None:
            return scalar_problem(expected)
        if not isinstance(expected, str):
            return Problem(
                message=f"is not a pattern but the {kind(expected)} {shown(expected)}",
                hint="give a regular expression as text",
            )
        reason = pattern_problem(expected)
        if reason is None:
            return None
        return Problem(
            message=f"is not a regular expression: {quote(expected)} ({reason})",
            hint="escape special characters with a backslash",
        )

    def score(self, example: Example, output: str) -> Score:
        """Return 1 when the pattern is found."""
        pattern = self._pattern_for(example)
        if self.finds(pattern, output, example):
            return Score(value=1.0, feedback=f"Correct: the output matches {quote(pattern)}.")
        whole = "as a whole " if self.match == "full" else ""
        sentence = (
            f"The output must {whole}match the pattern {quote(pattern)}, got {quote(output)}."
        )
        return Score(
            value=0.0, feedback=f"{sentence} {self._reason(pattern, output, example)}".strip()
        )

    def _pattern_for(self, example: Example) -> str:
        if self.pattern is None:
            return as_text(example.expected)
        return self.pattern.replace(_EXPECTED, re.escape(as_text(example.expected)))

    def _reason(self, pattern: str, output: str, example: Example) -> str:
        if not output.strip():
            return "The output is empty."
        relaxed = replace(self, ignore_case=True)
        if not self.ignore_case and relaxed.finds(pattern, output, example):
            return "It would match if upper and lower case did not count."
        if self.match == "full" and replace(self, match="search").finds(pattern, output, example):
            return "A part of it matches: write nothing before or after that part."
        return ""

    def finds(self, pattern: str, output: str, example: Example) -> bool:
        """Return whether the pattern is found; MetricError when the search takes too long."""
        try:
            return search(
                pattern,
                output,
                ignore_case=self.ignore_case,
                multiline=self.multiline,
                full=self.match == "full",
            )
        except TimeoutError:
            raise too_slow(pattern, example) from None


def make_regex(
    *,
    pattern: str | None = None,
    match: Literal["search", "full"] = "search",
    ignore_case: bool = False,
    multiline: bool = False,
) -> RegexMatch:
    """Build the scorer; a pattern that does not compile is a bad option."""
    reason = None if pattern is None else pattern_problem(pattern.replace(_EXPECTED, "x"))
    if reason is not None:
        raise BadOptionError(
            "pattern",
            f"is not a regular expression: {quote(pattern or '')} ({reason})",
            hint="escape special characters with a backslash; in YAML use single quotes",
        )
    return RegexMatch(pattern=pattern, match=match, ignore_case=ignore_case, multiline=multiline)


REGEX = BuiltIn(
    name="regex",
    description="1 when a regular expression is found in the output: the option's, or expected.",
    make=make_regex,
    options=(
        Option(
            name="pattern",
            schema={"type": "string", "minLength": 1},
            default=None,
            description="the pattern for every example, in which {{expected}} stands for the "
            "example's expected, escaped; without it expected is the pattern",
        ),
        Option(
            name="match",
            schema={"type": "string", "enum": ["search", "full"]},
            default="search",
            description="search finds the pattern anywhere, full wants the whole output to match",
        ),
        Option(
            name="ignore_case",
            schema={"type": "boolean"},
            default=False,
            description="true ignores upper and lower case",
        ),
        Option(
            name="multiline",
            schema={"type": "boolean"},
            default=False,
            description="true makes ^ and $ match at every line",
        ),
    ),
)
