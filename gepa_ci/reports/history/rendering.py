"""Owns how scores over time are shown: a plot on a terminal, JSON, and a page."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from gepa_ci.reports import words
from gepa_ci.reports.console.page import ID, NAME, WIDTH, Cell, Page, even, shown
from gepa_ci.reports.escape import json_text, without_commands
from gepa_ci.reports.history.headline import day, headline
from gepa_ci.reports.history.plot import CHANGED, INTERVAL, MEAN, plot

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON
    from gepa_ci.reports.view.model_history import History, Moment

SCHEMA_VERSION = 1
"""Of the JSON document, which `history.schema.json` describes."""

_LATEST = 8
_SHIFTS = 10
_COMMIT = 7


def render_history(
    history: History, output_format: str, *, color: bool = False, width: int = 0
) -> str:
    """Render scores over time; the text ends with a line feed.

    Args:
        history: The scores.
        output_format: text, json or html.
        color: Whether a text may hold the escape codes of colours.
        width: Columns of a text; 0 where there is no terminal.
    """
    if output_format == "json":
        found = orjson.dumps(history_document(history), option=orjson.OPT_INDENT_2).decode()
        return json_text(f"{found}\n")
    if output_format == "html":
        from gepa_ci.reports.history.page import render_history_page

        return render_history_page(history)
    return without_commands(_text(history, color=color, width=width or WIDTH))


def history_document(history: History) -> dict[str, JSON]:
    """Return the JSON document of a history."""
    fields = {key: _plain(value) for key, value in asdict(history).items()}
    return {"schema_version": SCHEMA_VERSION, **fields}


def _plain(value: Any) -> JSON:
    """Return a value as JSON has it."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    plain: JSON = value.isoformat() if isinstance(value, datetime) else value
    return plain


def _text(history: History, *, color: bool, width: int) -> str:
    page = Page(color=color, width=width)
    page.heading(shown(history.task, NAME), headline(history))
    page.blank()
    if history.moments:
        for line in plot(history.moments, width=min(page.width, WIDTH)):
            page.plain(line)
        page.blank()
        page.row("marks", *_marks(history))
        _shifts(page, history)
        page.blank()
        _latest(page, history)
        page.blank()
    page.row("note", *(shown(note) for note in history.notes))
    page.row("method", shown(history.method) if history.compared else "")
    page.row("source", shown(history.source))
    return page.text()


def _marks(history: History) -> list[str]:
    marks = [
        f"{MEAN} mean score on {shown(history.part, ID)} examples, {INTERVAL} its 95% interval"
    ]
    if any(moment.changed for moment in history.moments):
        marks[0] += f", {CHANGED} of another prompt, model, metric or set of examples than before"
    if history.shifts:
        marks[0] += ", a letter where scores drifted"
    return marks


def _shifts(page: Page, history: History) -> None:
    told = [
        f"{shift.label}  {day(shift.at)}  {_short(shift.commit)}{words.score(shift.before)} -> "
        f"{words.score(shift.after)} ({words.signed(shift.after - shift.before)}), seen "
        f"{day(shift.seen)}"
        for shift in history.shifts[-_SHIFTS:]
    ]
    if len(history.shifts) > _SHIFTS:
        told.append(f"and {words.count(len(history.shifts) - _SHIFTS, 'earlier one')}")
    page.row("drift", *told)


def _latest(page: Page, history: History) -> None:
    latest = history.moments[: -_LATEST - 1 : -1]
    names = ["latest", "", "mean", "interval", "examples"]
    # A run's verdict is about its candidate, and would look like one about the score beside it.
    if page.is_roomy:
        names += ["commit"] * any(moment.commit for moment in latest) + ["dollars"]
    rows = [[Cell(text=_told(moment)[name]) for name in names] for moment in latest]
    page.table(names, rows, texts=2)


def _told(moment: Moment) -> dict[str, str]:
    """Return what the table says of a moment, by the names of its columns."""
    mean, interval = even(
        words.score(moment.mean), f"{words.score(moment.low)} to {words.score(moment.high)}"
    )
    return {
        "latest": f"{moment.at:%Y-%m-%d %H:%M}",
        "": moment.label if moment.drift else CHANGED if moment.changed else "",
        "mean": mean,
        "interval": interval,
        "examples": f"{moment.n:,}",
        "commit": _short(moment.commit).strip(),
        "dollars": "unknown" if moment.usd is None else words.money(moment.usd),
    }


def _short(commit: str) -> str:
    """Return how a commit is called, and a gap after it; nothing where it is not known."""
    return f"{shown(commit[:_COMMIT], ID)}  " if commit else ""
