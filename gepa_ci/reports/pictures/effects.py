"""Owns the picture of an effect: candidate minus baseline with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.reports import words as say
from gepa_ci.reports.pictures.drawing import (
    LETTER,
    SMALL_LETTER,
    WIDTH,
    box,
    dot,
    inside,
    line,
    picture,
    words,
)
from gepa_ci.reports.pictures.scale import Scale, padded, tame, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree import ElementTree as ET

    from gepa_ci.reports.view.model import Effect

_LEFT, _RIGHT = 16.0, WIDTH - 16.0
_LABEL, _MARGIN, _TOP, _POINT, _AXIS = 37.0, 56.0, 64.0, 81.0, 98.0
_HEIGHT = 134.0
_MARGIN_ROW = 19.0
_MOST_TICKS = 6
_BAR = (120.0, 18.0)


def effect_picture(effect: Effect, margin: float | None, *, name: str) -> str:
    """Draw the difference with its interval on an axis, beside zero and the tolerated loss."""
    low, difference, high = _interval(effect)
    loss = _loss(margin)
    ends = padded(
        min(low, difference, -loss, 0.0), max(high, difference, 0.0),
        share=0.08, least=0.1, limits=(-1.0, 1.0),
    )  # fmt: skip
    x = Scale(low=ends[0], high=ends[1], start=_LEFT, end=_RIGHT)
    # Without a margin there is no row for its label.
    lift = _MARGIN_ROW if margin is None else 0.0
    parts = [
        *_heading(effect),
        *_margin(x, margin, loss),
        *_axis(x, _AXIS - lift),
        line((x(0.0), _TOP - lift), (x(0.0), _AXIS - lift), "zero"),
        *_whiskers(x, (low, difference, high), _POINT - lift, 6.0),
        _figures(x, effect, _LABEL),
    ]
    return picture(
        parts,
        name=name,
        size=(WIDTH, _HEIGHT - lift),
        title=_title(effect),
        desc=_desc(effect, margin),
    )


def effect_bar(
    effect: Effect, margin: float | None, *, name: str, reach: float | None = None
) -> str:
    """Draw the same without text for a table cell; bars of one reach can be compared."""
    low, difference, high = _interval(effect)
    loss = _loss(margin)
    widest = max(-low, high, abs(difference), loss, 0.05) if reach is None else reach
    widest = tame(widest, 0.01, 1.0)
    width, height = _BAR
    x = Scale(low=-widest, high=widest, start=6.0, end=width - 6)
    parts = [line((x(0.0), 1), (x(0.0), height - 1), "zero")]
    if margin is not None:
        parts.insert(0, box((x(-loss), 1), x(0.0) - x(-loss), height - 2, "margin"))
    parts.extend(_whiskers(x, (low, difference, high), height / 2, 4.0))
    return picture(
        parts,
        name=name,
        size=_BAR,
        title=_title(effect),
        desc=_desc(effect, margin),
        classes="picture bar",
    )


def _interval(effect: Effect) -> tuple[float, float, float]:
    difference = tame(effect.difference, -1.0, 1.0)
    low, high = tame(effect.low, -1.0, 1.0), tame(effect.high, -1.0, 1.0)
    return min(low, high), difference, max(low, high)


def _loss(margin: float | None) -> float:
    return 0.0 if margin is None else tame(margin, 0.0, 1.0)


def _level(effect: Effect) -> str:
    return f"{say.percent(tame(effect.level, 0.0, 1.0))} interval"


def _range(effect: Effect) -> str:
    low, _, high = _interval(effect)
    return say.span(low, high)


def _title(effect: Effect) -> str:
    return f"Effect {say.signed(_interval(effect)[1])}, {_level(effect)} {_range(effect)}"


def _desc(effect: Effect, margin: float | None) -> str:
    before, after = (tame(mean, -1.0, 1.0) for mean in (effect.before, effect.after))
    low, _, high = _interval(effect)
    if low > 0:
        place = "The whole interval is above 0: the candidate is better."
    elif high < 0:
        place = "The whole interval is below 0: the candidate is worse."
    else:
        place = "The interval includes 0."
    tolerated = "" if margin is None else f" The tolerated loss is {say.score(_loss(margin))}."
    return (
        f"The mean score went from {say.score(before)} to {say.score(after)} "
        f"over {say.count(int(tame(effect.n, 0)), 'example')}. {place}{tolerated}"
    )


def _heading(effect: Effect) -> Iterator[ET.Element]:
    before, after = (say.score(tame(mean, -1.0, 1.0)) for mean in (effect.before, effect.after))
    yield words(
        (_LEFT, 15),
        [("mean score  ", "text muted"), (f"{before} → {after}", "text strong")],
    )
    counted = say.count(int(tame(effect.n, 0)), "example")
    yield words((_RIGHT, 15), counted, "text muted", anchor="end")


def _margin(x: Scale, margin: float | None, loss: float) -> Iterator[ET.Element]:
    if margin is None:
        return
    edge = x(-loss)
    yield box((edge, _TOP), x(0.0) - edge, _AXIS - _TOP, "margin")
    yield line((edge, _MARGIN - 9), (edge, _AXIS), "margin")
    label = f"tolerated loss {say.score(loss)}"
    width = SMALL_LETTER * len(label)
    fits = edge + 5 + width <= WIDTH
    place = (edge + 5, _MARGIN) if fits else (edge - 5, _MARGIN)
    yield words(place, label, "text muted small", anchor="start" if fits else "end")


def _axis(x: Scale, y: float) -> Iterator[ET.Element]:
    yield line((_LEFT, y), (_RIGHT, y), "axis")
    marks = ticks(x.low, x.high, _MOST_TICKS)
    for value in marks.values:
        yield line((x(value), y), (x(value), y + 4), "axis")
        classes = "text small" if value == 0 else "text muted small"
        label = marks.label(value, sign=True)
        middle = inside(x(value), SMALL_LETTER * len(label), 0, WIDTH)
        yield words((middle, y + 16), label, classes, anchor="middle")
    yield words((_LEFT, y + 32), "← worse", "text muted small")
    yield words((_RIGHT, y + 32), "better →", "text muted small", anchor="end")


def _whiskers(
    x: Scale, values: tuple[float, float, float], y: float, radius: float
) -> Iterator[ET.Element]:
    low, difference, high = values
    yield line((x(low), y), (x(high), y), "interval")
    for end in (low, high):
        yield line((x(end), y - radius), (x(end), y + radius), "interval")
    yield dot((x(difference), y), radius, "candidate")


def _figures(x: Scale, effect: Effect, y: float) -> ET.Element:
    low, difference, high = _interval(effect)
    much = say.signed(difference)
    rest = f"  {say.span(low, high)}, {_level(effect)}"
    width = LETTER * len(much) + SMALL_LETTER * len(rest)
    middle = inside(x(difference), width, 2, WIDTH - 2)
    pieces = [(much, "text strong"), (rest, "text muted small")]
    return words((middle, y), pieces, anchor="middle")
