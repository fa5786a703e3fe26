"""Owns a history in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.reports import words
from gepa_ci.reports.console.page import ID, shown

if TYPE_CHECKING:
    from datetime import datetime

    from gepa_ci.reports.view.model_history import History


def headline(history: History) -> str:
    """Return the history in one sentence."""
    if not history.moments:
        return f"never measured. {words.count(history.unmeasured, 'run')} ended before that"
    drift = ", no drift" if history.compared else ""
    if history.shifts:
        drift = f", {words.count(len(history.shifts), 'drift')}"
    scores = words.count(len(history.moments), f"{shown(history.part, ID)} score")
    return f"{scores} {days(history)}, the last {words.score(history.moments[-1].mean)}{drift}"


def days(history: History) -> str:
    """Return from which day to which a history goes, or on which day it is."""
    first, last = day(history.moments[0].at), day(history.moments[-1].at)
    return f"on {first}" if first == last else f"from {first} to {last}"


def day(at: datetime) -> str:
    """Return the day of a time, such as `2026-11-21`."""
    return at.date().isoformat()
