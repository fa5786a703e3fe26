"""Owns the metric program: the score and the feedback that a task's own program gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.errors import MetricError
from gepa_ci.metrics.metric import BuiltIn

if TYPE_CHECKING:
    from gepa_ci.core.score import Score, Seen
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON
    from gepa_ci.errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramScore:
    """Takes the program's word for it."""

    @property
    def needs_expected(self) -> bool:
        """Return False: the program knows what it needs."""
        return False

    def label_problem(self, _: JSON) -> Problem | None:
        """Return None: the program knows what it needs."""
        return None

    def score_seen(self, example: Example, output: str, seen: Seen | None) -> Score:  # noqa: ARG002 - the protocol
        """Return the score that came with the output.

        Raises:
            MetricError: there is none.
        """
        if seen is None or seen.score is None:
            raise MetricError(
                f"the program gave no score for example '{example.id}', which metric 'program' "
                "needs",
                hint='let it answer {"output": ..., "score": 0.5, "feedback": "..."}, or from '
                'Python return (output, {"score": 0.5, "feedback": "..."})',
            )
        return seen.score


PROGRAM = BuiltIn(
    name="program",
    description="The score and feedback that the task's own program gives with its output.",
    make=ProgramScore,
)
