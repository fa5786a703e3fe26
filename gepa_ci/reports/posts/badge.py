"""Owns the badge of a task, as the endpoint badges of shields.io want it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.reports import words
from gepa_ci.reports.escape import one_line
from gepa_ci.reports.posts.pull_body import find_task
from gepa_ci.reports.view import view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON
    from gepa_ci.reports.view.model import Task

_LABEL = 60
_COLORS = {
    "improved": "brightgreen",
    "promote": "brightgreen",
    "pass": "green",
    "regression": "red",
    "inconclusive": "yellow",
    "ruler_changed": "yellow",
}
_MEASURED = "blue"
_UNKNOWN = "lightgrey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """What a badge shows."""

    label: str
    message: str
    color: str

    def document(self) -> dict[str, JSON]:
        """Return the JSON that shields.io reads."""
        return {
            "schemaVersion": 1,
            "label": self.label,
            "message": self.message,
            "color": self.color,
        }


def badge_of(document: Mapping[str, JSON], task: str) -> Badge:
    """Return the badge of one task: the score of the prompt that is in force, and its verdict.

    Raises:
        UsageError: the document has no such task.
    """
    found = find_task(view(document), task)
    label = f"prompt {one_line(found.name, _LABEL)}"
    figures = _figures(found)
    if found.verdict == "ruler_changed":
        return Badge(label=label, message="ruler changed", color=_COLORS[found.verdict])
    if figures is None:
        return Badge(label=label, message="not measured", color=_UNKNOWN)
    mean, n = figures
    return Badge(
        label=label,
        message=f"{words.score(mean)} on {words.count(n, 'example')}{_verdict(found)}",
        color=_COLORS.get(found.verdict or "", _MEASURED),
    )


def _figures(task: Task) -> tuple[float, int] | None:
    """Return the mean score of the prompt that is in force, and over how many examples."""
    # A candidate that is held is not in the file: the baseline is.
    is_held = task.verdict == "hold"
    effect = task.effect
    # Figures of the val screen chose the candidate; those of an earlier confirm test did not.
    if effect is not None and (task.sides or task.recalled):
        return (effect.before if is_held else effect.after), effect.n
    if not task.sides:
        return None
    side = task.sides[0] if is_held else task.sides[-1]
    return side.mean, side.n


def _verdict(task: Task) -> str:
    return f", {task.verdict}" if task.verdict in _COLORS else ""
