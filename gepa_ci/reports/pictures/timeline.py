"""Owns the picture of a task's scores over time."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from gepa_ci.reports import words as say
from gepa_ci.reports.escape import visible
from gepa_ci.reports.pictures.calendar_ticks import (
    clock,
    clock_ticks,
    date_ticks,
    day_of,
    is_short,
    seconds,
    written,
)
from gepa_ci.reports.pictures.drawing import (
    LETTER,
    SMALL_LETTER,
    dot,
    inside,
    line,
    picture,
    polygon,
    polyline,
    words,
)
from gepa_ci.reports.pictures.scale import Scale, padded, tame, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from xml.etree import ElementTree as ET

_WIDTH, _HEIGHT = 960.0, 250.0
"""Wider than other pictures, as time goes to the right and there is much of it."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, _WIDTH - 50.0, 30.0, _HEIGHT - 24.0
_MOST_DOTS = 60
_MOST_DATES = 8
_DAY = 86_400.0
_SHORTEST = 10.0
_DOT, _DRIFT, _CHANGED = 3.5, 6.5, 4.5
_LETTERS = 2


class Moment(Protocol):
    """One measurement of a task."""

    @property
    def at(self) -> datetime:
        """When it was measured."""

    @property
    def mean(self) -> float | None:
        """Mean score; None leaves a gap."""

    @property
    def low(self) -> float | None:
        """Lower end of its interval."""

    @property
    def high(self) -> float | None:
        """Upper end of its interval."""

    @property
    def drift(self) -> bool:
        """Whether the score has moved although the prompt has not."""

    @property
    def changed(self) -> bool:
        """Whether prompt, model, metric or examples are others than before."""

    @property
    def label(self) -> str:
        """A letter or two that stand in the picture, or longer words for whoever points at it."""


def history_picture(points: Sequence[Moment], *, name: str) -> str:
    """Draw means over time with the band of their intervals, and where scores drifted."""
    points = sorted(points, key=lambda point: seconds(point.at))
    measured = [point for point in points if point.mean is not None]
    if not measured:
        return ""
    first, last = seconds(measured[0].at), seconds(measured[-1].at)
    # Runs of one day stand apart; only of a single moment the days around it are shown.
    least = 2 * _DAY if first == last else _SHORTEST
    first, last = padded(first, last, share=0.0, least=least, limits=(first - _DAY, last + _DAY))
    x = Scale(low=first, high=last, start=_LEFT + 6, end=_RIGHT)
    values = [value for point in measured for value in _values(point)]
    low, high = padded(min(values), max(values), share=0.15, least=0.1, limits=(0.0, 1.0))
    y = Scale(low=low, high=high, start=_BOTTOM, end=_TOP)
    parts = [*_axes(x, y)]
    runs = [list(run) for known, run in groupby(points, lambda p: p.mean is not None) if known]
    pieces = [piece for run in runs for piece in _pieces(run)]
    for piece in pieces:
        parts.extend(_band(piece, x, y))
    parts.extend(polyline([_place(p, x, y) for p in one], "best") for one in pieces if len(one) > 1)
    parts.extend(_marks(measured, x, y))
    return picture(
        parts,
        name=name,
        size=(_WIDTH, _HEIGHT),
        title="Scores over time",
        desc=_desc(measured),
        classes="picture wide",
    )


def _pieces(run: Sequence[Moment]) -> list[list[Moment]]:
    """Return the parts of a run in which the same was scored: no line joins two prompts."""
    found: list[list[Moment]] = []
    for point in run:
        if point.changed or not found:
            found.append([])
        found[-1].append(point)
    return found


def _share(value: float | None) -> float:
    return tame(value or 0.0, 0.0, 1.0)


def _values(point: Moment) -> list[float]:
    return [_share(v) for v in (point.low, point.mean, point.high) if v is not None]


def _place(point: Moment, x: Scale, y: Scale) -> tuple[float, float]:
    return x(seconds(point.at)), y(_share(point.mean))


def _day(point: Moment) -> str:
    return written(day_of(seconds(point.at)))


def _moment(point: Moment) -> str:
    return f"{_day(point)} at {clock(seconds(point.at))}"


def _desc(measured: Sequence[Moment]) -> str:
    first, last = measured[0], measured[-1]
    if first is last:
        return f"The mean score was {say.score(_share(first.mean))} on {_day(first)}."
    when = _moment if is_short(seconds(first.at), seconds(last.at)) else _day
    drifted = [when(point) for point in measured if point.drift]
    drift = f" Scores drifted on {', '.join(drifted)}." if drifted else ""
    changes = sum(point.changed for point in measured)
    change = f" What is scored was changed {say.count(changes, 'time')}." if changes else ""
    return (
        f"{say.count(len(measured), 'measurement')}, from {say.score(_share(first.mean))} on "
        f"{when(first)} to {say.score(_share(last.mean))} on {when(last)}.{change}{drift}"
    )


def _axes(x: Scale, y: Scale) -> Iterator[ET.Element]:
    yield words((2, 14), "mean score", "text muted small")
    heights = ticks(y.low, y.high, 5)
    for value in heights.values:
        yield line((_LEFT, y(value)), (_RIGHT, y(value)), "grid")
        label = heights.label(value)
        yield words((_LEFT - 6, y(value) + 4), label, "text muted small", anchor="end")
    yield line((_LEFT, _BOTTOM), (_RIGHT, _BOTTOM), "axis")
    dates = date_ticks
    if is_short(x.low, x.high):
        dates = clock_ticks
        first, last = day_of(x.low), day_of(x.high)
        day = f"{written(first)}, UTC" if first == last else "UTC"
        yield words((_RIGHT, 14), day, "text muted small", anchor="end")
    for stamp, label in dates(x.low, x.high, _MOST_DATES):
        yield line((x(stamp), _BOTTOM), (x(stamp), _BOTTOM + 4), "axis")
        middle = inside(x(stamp), SMALL_LETTER * len(label), 0, _WIDTH)
        yield words((middle, _BOTTOM + 16), label, "text muted small", anchor="middle")


def _band(run: Sequence[Moment], x: Scale, y: Scale) -> Iterator[ET.Element]:
    """Draw the intervals of neighbours as an area, and a single one as a line."""
    for known, found in groupby(run, lambda p: p.low is not None and p.high is not None):
        points = list(found)
        if not known:
            continue
        lows = [(x(seconds(p.at)), y(_share(p.low))) for p in points]
        highs = [(x(seconds(p.at)), y(_share(p.high))) for p in points]
        if len(points) == 1:
            yield line(lows[0], highs[0], "interval")
        else:
            yield polygon([*lows, *reversed(highs)], "band")


def _marks(measured: Sequence[Moment], x: Scale, y: Scale) -> Iterator[ET.Element]:
    last = measured[-1]
    few = len(measured) <= _MOST_DOTS
    for point in measured:
        place = _place(point, x, y)
        if point.drift:
            yield polygon(_diamond(place, _DRIFT), "drift", tip=_tip(point))
        elif point.changed:
            yield polygon(_square(place, _CHANGED), "candidate other", tip=_tip(point))
        elif few or point is last or _said(point):
            yield dot(place, _DOT, "candidate", tip=_tip(point))
    yield from _names(measured, x, y)
    at, height = _place(last, x, y)
    yield words((at + 8, height + 4), say.score(_share(last.mean)), "text strong")


def _names(measured: Sequence[Moment], x: Scale, y: Scale) -> Iterator[ET.Element]:
    """Write what marked moments are called, as far as the names do not touch."""
    taken: list[tuple[float, float]] = []
    # Drift is what a reader must not miss.
    for point in sorted(measured, key=lambda point: not point.drift):
        said = _said(point)
        at, height = _place(point, x, y)
        width = LETTER * len(said)
        middle = inside(at, width, 0, _WIDTH)
        start, end = middle - width / 2, middle + width / 2
        if not said or any(start < other + 4 and begin < end + 4 for begin, other in taken):
            continue
        taken.append((start, end))
        under = height + (19 if point.drift else 17)
        # The line mostly comes from above where scores drifted.
        above = height - 11
        yield words(
            (middle, under if under < _BOTTOM else above), said, "text strong", anchor="middle"
        )


def _said(point: Moment) -> str:
    letter = visible(point.label) if len(point.label) <= _LETTERS else ""
    if point.drift:
        return f"drift {letter}".rstrip()
    return "changed" if point.changed else letter


def _diamond(place: tuple[float, float], size: float) -> list[tuple[float, float]]:
    x, y = place
    return [(x, y - size), (x + size, y), (x, y + size), (x - size, y)]


def _square(place: tuple[float, float], size: float) -> list[tuple[float, float]]:
    x, y = place
    return [(x - size, y - size), (x + size, y - size), (x + size, y + size), (x - size, y + size)]


def _tip(point: Moment) -> str:
    interval = ""
    if point.low is not None and point.high is not None:
        interval = f" ({say.score(_share(point.low))} to {say.score(_share(point.high))})"
    label = f", {point.label}" if point.label else ""
    changed = ", another prompt, model, metric or set of examples" if point.changed else ""
    return f"{_moment(point)}{label}{changed}: {say.score(_share(point.mean))}{interval}"
