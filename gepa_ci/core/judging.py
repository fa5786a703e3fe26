"""Owns the values of judges: scale, grades, labelled outputs, anchors, and the ruler's state."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gepa_ci.core.suite import Example

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON

MOST_STEPS = 21
"""A scale with more whole numbers than this is read as one without steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The numbers that a judge may give."""

    low: float = 1.0
    """The worst."""
    high: float = 5.0
    """The best; above the worst."""

    def share(self, score: float) -> float:
        """Return where a score lies between the worst, 0, and the best, 1."""
        return (score - self.low) / (self.high - self.low)

    def holds(self, score: float) -> bool:
        """Return whether a number is on the scale."""
        return self.low <= score <= self.high

    @property
    def steps(self) -> tuple[float, ...]:
        """Return the whole numbers of the scale; nothing where scores are not meant to be whole."""
        if not (self.low.is_integer() and self.high.is_integer()):
            return ()
        count = int(self.high - self.low) + 1
        return tuple(self.low + step for step in range(count)) if count <= MOST_STEPS else ()

    def nearest(self, score: float) -> float:
        """Return the step nearest to a score, halves upwards; the score where there are none."""
        return float(math.floor(score + 0.5)) if self.steps else score

    def __str__(self) -> str:
        """Return the scale in words."""
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """What a judge said once of one output."""

    score: float
    """On the judge's scale."""
    reason: str = ""
    """Its reason, in its words."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Scores by criterion, where the rubric asks for them; on the scale too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All that a judge said of one output."""

    grades: tuple[Grade, ...]
    """One for each sample; at least one."""

    @property
    def scores(self) -> tuple[float, ...]:
        """Return the score of each sample."""
        return tuple(grade.score for grade in self.grades)

    @property
    def mean(self) -> float:
        """Return the mean score, on the scale."""
        return sum(self.scores) / len(self.scores)

    @property
    def median(self) -> Grade:
        """Return the grade in the middle: the first of those that are nearest to the mean score."""
        ordered = sorted(self.grades, key=lambda grade: grade.score)
        return ordered[(len(ordered) - 1) // 2]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedOutput:
    """One output and what it was made for: what a judge can be asked about."""

    inputs: Mapping[str, JSON]
    """What the prompt was filled in with."""
    output: str
    """The output."""
    expected: JSON = None
    """The label of the example, if it has one."""
    labelled: bool = False
    """Whether there is an `expected` at all."""
    id: str = ""
    """How messages name it."""
    line: int = 0
    """1-based line in its file."""

    @property
    def example(self) -> Example:
        """Return the example that the output belongs to."""
        return Example(
            id=self.id,
            inputs=self.inputs,
            expected=self.expected,
            labelled=self.labelled,
            line=self.line,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanLabel:
    """An output with the score that a human gave it."""

    output: JudgedOutput
    score: float
    """On the judge's scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """An output with the scores that a judge gave it when it was calibrated."""

    output: JudgedOutput
    scores: tuple[float, ...]
    """One for each sample, on the judge's scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """The anchors of one judge, as a file holds them."""

    path: str
    """The file."""
    judge: str
    """Digest of the judge that gave the scores: rubric, model, scale."""
    model: str
    """The judge LM that gave them."""
    at: str
    """When, in ISO form."""
    anchors: tuple[Anchor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruler:
    """Whether the judges of a task still measure as they did when they were calibrated."""

    moved: tuple[str, ...] = ()
    """Finished sentences about judges that do not; the most important one first."""
    notes: tuple[str, ...] = ()
    """Finished sentences about those that do."""
