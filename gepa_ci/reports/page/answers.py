"""Owns what a page says first: whether to merge, in words that a reader can act on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.verdict import Cause
from gepa_ci.reports.outcome import WORST_FIRST, Outcome, Stance, rule
from gepa_ci.reports.words import count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gepa_ci.reports.view.model import Guard, Report, Task

_TONES = {
    "regression": "bad",
    "ruler_changed": "unsure",
    "inconclusive": "unsure",
    "hold": "plain",
    "pass": "good",
    "improved": "good",
    "promote": "good",
}
_MERGE = {Outcome.SUCCESS: "Merge", Outcome.FAILURE: "Do not merge", Outcome.NEUTRAL: "Your call"}
_OUTCOME_TONES = {Outcome.SUCCESS: "good", Outcome.FAILURE: "bad", Outcome.NEUTRAL: "unsure"}
_NOT_A_SLUG = re.compile(r"[^a-z0-9]+")
_LONGEST_SLUG = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to the first question of a reader."""

    tone: str
    """good, bad, unsure or plain."""
    sentence: str
    """One finished sentence."""


def answer_of(report: Report, stance: Stance) -> Answer:
    """Return whether to merge, or what the run found where there is nothing to merge."""
    if not report.tasks:
        return Answer(tone="plain", sentence="Nothing to do.")
    match report.command:
        case "gate":
            return _gated(report, stance)
        case "optimize":
            return _optimized(report)
    if len(report.tasks) == 1:
        task = report.tasks[0]
        said = task.headline[:1].upper() + task.headline[1:]
        return Answer(tone=tone_of(task), sentence=f"{said}.")
    return Answer(tone="plain", sentence=f"{count(len(report.tasks), 'task')} measured.")


def tone_of(task: Task | Guard) -> str:
    """Return the colour of a verdict, by name."""
    return _TONES.get(task.verdict or "", "plain")


def is_loud(task: Task) -> bool:
    """Return whether a verdict asks for a look."""
    return task.verdict in WORST_FIRST


def slugs(tasks: Iterable[Task]) -> tuple[str, ...]:
    """Return a name for each task that is fit for an address, and no other task's."""
    found: dict[str, None] = {}
    for task in tasks:
        slug = _NOT_A_SLUG.sub("-", task.name.lower()[: 10 * _LONGEST_SLUG])
        slug = slug[:_LONGEST_SLUG].strip("-") or "task"
        number = 2
        free = slug
        while free in found:
            free = f"{slug}-{number}"
            number += 1
        found[free] = None
    return tuple(found)


def _gated(report: Report, stance: Stance) -> Answer:
    ruling = rule(report, stance)
    reason = ruling.sentence[:1].lower() + ruling.sentence[1:]
    tone, said = _OUTCOME_TONES[ruling.outcome], _MERGE[ruling.outcome]
    if not ruling.advice:
        # There is nothing that a reader would have to weigh.
        tone, said = "plain", "Nothing to compare"
    elif ruling.tasks and all(task.cause == Cause.CALLS_FAILED for task in ruling.tasks):
        said = "Run it again"
    return Answer(tone=tone, sentence=f"{said}: {reason}")


def _optimized(report: Report) -> Answer:
    promoted = [task for task in report.tasks if task.verdict == "promote"]
    if not promoted:
        stays = "the prompt stays as it is" if len(report.tasks) == 1 else "the prompts stay"
        return Answer(tone="plain", sentence=f"Nothing to merge: {stays}.")
    done = "written" if any(task.written for task in promoted) else "found"
    if len(report.tasks) == 1:
        return Answer(tone="good", sentence=f"A better prompt was {done}.")
    of = f"{len(promoted):,} of {count(len(report.tasks), 'task')}"
    return Answer(tone="good", sentence=f"A better prompt was {done} for {of}.")
