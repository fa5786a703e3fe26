"""Owns the plot of scores over time in plain characters, the same on every terminal."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from gepa_ci.reports.words import score

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gepa_ci.reports.view.model_history import Moment

ROWS = 13
MEAN, INTERVAL, CHANGED = "o", "|", "*"
"""What stands for a mean score, for its 95% interval, and for a mean of another question."""

_TICKS = 4
_STEP = 0.1
_MARGIN = 9
_MOST_COLUMNS = 87
_FEWEST_COLUMNS = 24
_DATES = (
    (timedelta(days=2), "%Y-%m-%d"),
    (timedelta(minutes=3), "%m-%d %H:%M"),
    (timedelta(), "%m-%d %H:%M:%S"),
)
"""How times are written on an axis that is at least so long, so that no two are the same."""


def plot(moments: Sequence[Moment], *, width: int) -> list[str]:
    """Return the lines of a plot of so many columns at most: scores up, time to the right."""
    columns = max(_FEWEST_COLUMNS, min(width - _MARGIN, _MOST_COLUMNS))
    low, high = _reach(moments)
    places = _places(moments, columns)
    cells = [[" "] * columns for _ in range(ROWS)]

    def row(value: float) -> int:
        return round((high - min(max(value, low), high)) / (high - low) * (ROWS - 1))

    # What matters more is drawn later, and over the rest.
    for moment, column in zip(moments, places, strict=True):
        for line in range(row(moment.high), row(moment.low) + 1):
            cells[line][column] = INTERVAL
    for moment, column in zip(moments, places, strict=True):
        cells[row(moment.mean)][column] = CHANGED if moment.changed else MEAN
    for moment, column in zip(moments, places, strict=True):
        if moment.drift:
            _write(cells[row(moment.mean)], column, moment.label)
    every = (ROWS - 1) // _TICKS
    lines = [
        f"{score(high - (high - low) * number / (ROWS - 1)) if number % every == 0 else '':>5} |"
        f"{''.join(line)}".rstrip()
        for number, line in enumerate(cells)
    ]
    return [*lines, f"{'':>5} +{'-' * columns}", *_dates(moments, places, columns)]


def _reach(moments: Sequence[Moment]) -> tuple[float, float]:
    """Return the ends of the axis, whose quarters are figures with at most three decimals."""
    low = math.floor(min(moment.low for moment in moments) / _STEP + 1e-9) * _STEP
    high = math.ceil(max(moment.high for moment in moments) / _STEP - 1e-9) * _STEP
    if high - low < _STEP:
        low, high = (low - _STEP, high) if low > 0 else (low, high + _STEP)
    return low, high


def _places(moments: Sequence[Moment], columns: int) -> list[int]:
    """Return the column of each moment, by its time."""
    first, whole = moments[0].at, moments[-1].at - moments[0].at
    if not whole:
        return [columns // 2] * len(moments)
    return [1 + round((moment.at - first) / whole * (columns - 3)) for moment in moments]


def _dates(moments: Sequence[Moment], places: Sequence[int], columns: int) -> Iterator[str]:
    """Yield the line of dates: the first, the last, and the middle where there is room."""
    first, last = moments[0].at, moments[-1].at
    whole = last - first or timedelta(hours=1)
    pattern = next(pattern for least, pattern in _DATES if whole >= least)
    line = [" "] * columns
    length = len(first.strftime(pattern))
    middle = (places[0] + places[-1]) // 2, first + (last - first) / 2
    told: set[str] = set()
    for column, at in ((places[0], first), (places[-1], last), middle):
        text = at.strftime(pattern)
        start = min(max(column - length // 2, 0), columns - length)
        is_free = all(cell == " " for cell in line[max(0, start - 2) : start + length + 2])
        if is_free and text not in told:
            told.add(text)
            _write(line, start, text)
    yield f"{'':>7}{''.join(line)}".rstrip()


def _write(cells: list[str], start: int, text: str) -> None:
    start = min(start, len(cells) - len(text))
    cells[start : start + len(text)] = text
