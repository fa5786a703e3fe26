"""Owns the headline of a task: its verdict in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.reports.words import score

if TYPE_CHECKING:
    from gepa_ci.reports.view.model import Guard, Task

_HEADLINES = {
    "improved": "improved. The head prompt scores higher",
    "pass": "pass. The head prompt is not worse than the margin allows",
    "regression": "regression. The head prompt scores lower",
    "inconclusive": "inconclusive. The examples do not decide it",
    "ruler_changed": "ruler changed. The judge does not score as it did when calibrated",
    "promote": "promote. The candidate is better",
    "hold": "hold. The prompt stays as it is",
}
_HEADLINES_OF_FILES = {
    "improved": "improved. The second file scores higher",
    "pass": "pass. The second file is not worse than the margin allows",
    "regression": "regression. The second file scores lower",
}
_HEADLINES_BY_CAUSE = {
    "calls_failed": "{}. Calls failed, so run it again",
    "nothing_compared": "{}. Nothing could be compared",
    "too_few": "{}. There are too few examples",
}
_UNMEASURED = {"gate": "not judged", "compare": "not compared"}
_UNSURE = ("inconclusive", "hold")
_UNCHANGED = "unchanged. The prompt is the same on base and head"


def headline_of(task: Task, command: str) -> str:
    """Return the verdict in words, with what it rests on where that is not the score."""
    verdict = task.verdict
    if verdict is None:
        return _headline_without_verdict(task, command)
    headline = _HEADLINES.get(verdict, verdict)
    if verdict in _UNSURE and task.cause in _HEADLINES_BY_CAUSE:
        return _HEADLINES_BY_CAUSE[task.cause].format(verdict)
    worse, undecided = (_names(task.guards, found) for found in ("regression", "inconclusive"))
    if command == "compare":
        return _HEADLINES_OF_FILES.get(verdict, headline)
    if verdict == "pass" and not task.sides:
        return "pass. There is nothing to compare"
    if verdict == "regression" and worse:
        return f"regression. The head prompt is worse on {worse}"
    if verdict == "hold" and worse:
        return f"hold. The candidate is worse on {worse}"
    if verdict in _UNSURE and task.cause == "guards" and undecided:
        return f"{verdict}. Undecided on {undecided}"
    if verdict == "promote" and task.written:
        return f"{headline} and is now in the file{'s' if len(task.written) > 1 else ''}"
    return headline


def _headline_without_verdict(task: Task, command: str) -> str:
    if task.sides:
        return f"mean score {score(task.sides[-1].mean)}"
    return _UNCHANGED if task.cause == "unchanged" else _UNMEASURED.get(command, "not measured")


def _names(guards: tuple[Guard, ...], verdict: str) -> str:
    return ", ".join(guard.name for guard in guards if guard.verdict == verdict)
