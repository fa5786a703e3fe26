"""Owns what verdicts mean for a pull request: whether its check is green, red or neither."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gepa_ci.reports.view.model import Report, Task

WORST_FIRST = ("regression", "ruler_changed", "inconclusive", "hold")
"""Verdicts that ask for a look, in the order in which a reader should see them."""


class Mode(StrEnum):
    """Whether verdicts may block."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    """Reports the same, and never blocks."""


class Outcome(StrEnum):
    """How a check ends, in GitHub's words."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    """Nothing was shown: undecided, over budget, skipped, or observed only."""


class Ending(StrEnum):
    """Why a run ended without a verdict."""

    FAILED = "failed"
    OVER_BUDGET = "over budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """What the team lets a verdict do."""

    mode: Mode = Mode.ENFORCE
    strict: frozenset[str] = frozenset()
    """Names of the tasks of which a verdict that decides nothing blocks too."""

    is_verified: bool = True
    """Whether the result is our own; one that a fork brought shows nothing."""

    @property
    def is_observing(self) -> bool:
        """Return whether nothing blocks."""
        return self.mode is Mode.OBSERVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """How a check ends, and why in words."""

    outcome: Outcome
    sentence: str
    """One finished sentence, in our own words."""
    advice: str = ""
    """What it means for merging, without a full stop; empty where nothing is known."""
    tasks: tuple[Task, ...] = ()
    """The tasks that decided it, unless it is all of them."""


_GREEN = frozenset({"improved", "pass", "promote"})
_UNDECIDED = frozenset({"inconclusive", "ruler_changed"})
_CAUSES = {
    "calls_failed": "calls failed",
    "nothing_compared": "nothing could be compared",
    "too_few": "there are too few examples",
    "guards": "a guard is undecided",
}
_YOURS = "Whether to merge is yours to decide"


def rule(report: Report, stance: Stance) -> Ruling:
    """Return how the check of a report ends; undecided is never green."""
    if not stance.is_verified:
        return Ruling(
            outcome=Outcome.NEUTRAL,
            sentence="The check is neutral, as this result is not verified.",
            advice="Not verified, so do not merge on its word",
        )
    worse = tuple(task for task in report.tasks if _blocks(task, stance))
    if worse and stance.is_observing:
        return Ruling(
            outcome=Outcome.NEUTRAL,
            sentence="The check would fail, but gepa-ci only observes here.",
            advice=_against(worse),
            tasks=worse,
        )
    if worse:
        return Ruling(
            outcome=Outcome.FAILURE,
            sentence="The check fails.",
            advice=_against(worse),
            tasks=worse,
        )
    unmeasured = tuple(task for task in report.tasks if task.verdict == "ruler_changed")
    if unmeasured:
        return Ruling(
            outcome=Outcome.NEUTRAL,
            sentence="The check is neutral, as the judge has changed and nothing was compared.",
            advice=_YOURS,
            tasks=unmeasured,
        )
    undecided = tuple(task for task in report.tasks if task.verdict == "inconclusive")
    if undecided:
        return Ruling(
            outcome=Outcome.NEUTRAL,
            sentence=f"The check is neutral, as {_why_undecided(undecided)}.",
            advice=_YOURS,
            tasks=undecided,
        )
    if any(task.verdict in _GREEN and task.effect is not None for task in report.tasks):
        return Ruling(
            outcome=Outcome.SUCCESS, sentence="The check passes.", advice="It can be merged"
        )
    if any(task.verdict == "hold" for task in report.tasks):
        return Ruling(
            outcome=Outcome.NEUTRAL,
            sentence="The check is neutral, as nothing was improved.",
            advice="There is nothing to merge",
        )
    if report.tasks and all(task.cause == "unchanged" for task in report.tasks):
        return Ruling(
            outcome=Outcome.NEUTRAL, sentence="The check is neutral, as no prompt was changed."
        )
    return Ruling(
        outcome=Outcome.NEUTRAL,
        sentence="The check is neutral, as nothing was compared.",
        advice="" if report.command == "evaluate" else _YOURS,
    )


def rule_without_verdict(ending: Ending, stance: Stance) -> Ruling:
    """Return how the check ends when there is no result."""
    if ending is Ending.OVER_BUDGET:
        return Ruling(outcome=Outcome.NEUTRAL, sentence="The check is neutral.")
    if stance.is_observing:
        return Ruling(
            outcome=Outcome.NEUTRAL,
            sentence="The check would fail, but gepa-ci only observes here.",
        )
    return Ruling(outcome=Outcome.FAILURE, sentence="The check fails.")


def _why_undecided(tasks: tuple[Task, ...]) -> str:
    causes = {task.cause for task in tasks}
    cause = causes.pop() if len(causes) == 1 else None
    return _CAUSES.get(cause or "", "nothing is shown either way")


def _against(worse: tuple[Task, ...]) -> str:
    is_shown = any(task.verdict == "regression" for task in worse)
    return "Do not merge it as it is" if is_shown else "Do not merge it undecided"


def _blocks(task: Task, stance: Stance) -> bool:
    is_strict = task.verdict in _UNDECIDED and task.name in stance.strict
    return task.verdict == "regression" or is_strict


def worst_first(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """Return tasks in the order in which a reader should see them."""
    order = len(WORST_FIRST)
    places = {verdict: place for place, verdict in enumerate(WORST_FIRST)}
    return tuple(sorted(tasks, key=lambda task: places.get(task.verdict or "", order)))
