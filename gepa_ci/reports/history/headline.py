"""Owns a history in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.reports import words

if TYPE_CHECKING:
    from datetime import datetime

    from gepa_ci.reports.view.model_history import History


def headline(history: History) -> str:
    """Return the history in one sentence."""
    if not history.moments:
        return f"never measured. {words.count(history.unmeasured, 'run')} ended before that"
    first, last = history.moments[0], history.moments[-1]
    drift = ", no drift" if history.compared else ""
    if history.shifts:
        drift = f", {words.count(len(history.shifts), 'drift')}"
    since = f" from {day(first.at)} to {day(last.at)}"
    if day(first.at) == day(last.at):
        since = f" on {day(first.at)}"
    scores = words.count(len(history.moments), "score")
    return f"{scores}{since}, the last {words.score(last.mean)}{drift}"


def day(at: datetime) -> str:
    """Return the day of a time, such as `2026-11-21`."""
    return at.date().isoformat()
