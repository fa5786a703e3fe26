"""Owns the picture of a search: the best val score against metric calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.reports import words as say
from gepa_ci.reports.pictures.drawing import (
    LETTER,
    SMALL_LETTER,
    WIDTH,
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
    from xml.etree import ElementTree as ET

    from gepa_ci.reports.pictures.drawing import Point
    from gepa_ci.reports.view.model_optimization import Candidate, Optimization

_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, WIDTH - 12.0, 30.0, 176.0
_HEIGHT = 214.0
_MOST_DOTS, _FEW_DOTS = 400, 60
_DOT, _SMALL_DOT, _BEST_DOT = 4.5, 3.0, 6.5
_UNUSED = 3
_SHAPES = {"merge": "merge", "combination": "merge", "pruning": "pruning"}


def progress_picture(optimization: Optimization, *, name: str) -> str:
    """Draw the best val score so far as steps, and every candidate with a val score as a dot."""
    scored = [c for c in optimization.candidates if c.val_mean is not None]
    scored.sort(key=lambda candidate: candidate.metric_calls)
    if len(scored) < 2:  # noqa: PLR2004 - one dot shows no progress
        return ""
    used = max(1.0, _calls(optimization.metric_calls), *(_calls(c.metric_calls) for c in scored))
    budget = _calls(optimization.budget)
    # Most of the picture would be empty for a budget that was hardly used.
    x = Scale(
        low=0, high=budget if used < budget <= _UNUSED * used else used, start=_LEFT, end=_RIGHT
    )
    means = [_mean(c) for c in scored]
    low, high = padded(min(means), max(means), share=0.12, least=0.05, limits=(0.0, 1.0))
    y = Scale(low=low, high=high, start=_BOTTOM, end=_TOP)
    parts = [
        *_axes(x, y),
        *_baseline(y, optimization),
        polyline(_steps(scored, used, x, y), "best"),
        *_dots(scored, x, y),
        *_best_label(scored, x, y),
        *_shapes(scored),
    ]
    return picture(
        parts,
        name=name,
        size=(WIDTH, _HEIGHT),
        title="Best val score against metric calls",
        desc=_desc(optimization, scored),
    )


def _calls(value: int) -> float:
    return tame(value, 0, 1e9)


def _mean(candidate: Candidate) -> float:
    return tame(candidate.val_mean or 0.0, 0.0, 1.0)


def _desc(optimization: Optimization, scored: Sequence[Candidate]) -> str:
    calls = say.count(int(_calls(optimization.metric_calls)), "metric call")
    first, best = scored[0], next((c for c in scored if c.best), None)
    start = f"{say.count(len(scored), 'candidate')} got a val score in {calls}, of "
    start += f"{int(_calls(optimization.budget)):,} allowed. "
    start += f"The first one has {say.score(_mean(first))}"
    if best is None or best is first:
        return f"{start}; none was chosen over it."
    return (
        f"{start}; the best is candidate {_number(best)} with {say.score(_mean(best))}, "
        f"after {say.count(int(_calls(best.metric_calls)), 'metric call')}."
    )


def _number(candidate: Candidate) -> str:
    return f"{int(tame(candidate.number, 0, 999_999))}"


def _axes(x: Scale, y: Scale) -> Iterator[ET.Element]:
    yield words((2, 14), "val score", "text muted small")
    heights = ticks(y.low, y.high, 5)
    for value in heights.values:
        yield line((_LEFT, y(value)), (_RIGHT, y(value)), "grid")
        label = heights.label(value)
        yield words((_LEFT - 6, y(value) + 4), label, "text muted small", anchor="end")
    yield line((_LEFT, _BOTTOM), (_RIGHT, _BOTTOM), "axis")
    calls = ticks(x.low, x.high, 5, whole=True)
    for value in calls.values:
        yield line((x(value), _BOTTOM), (x(value), _BOTTOM + 4), "axis")
        label = calls.label(value)
        middle = inside(x(value), SMALL_LETTER * len(label), 0, WIDTH)
        yield words((middle, _BOTTOM + 16), label, "text muted small", anchor="middle")
    yield words((_RIGHT, _HEIGHT - 4), "metric calls", "text muted small", anchor="end")


def _baseline(y: Scale, optimization: Optimization) -> Iterator[ET.Element]:
    baseline = next(
        (c for c in optimization.candidates if c.number == 0 and c.val_mean is not None), None
    )
    if baseline is None:
        return
    height = y(_mean(baseline))
    yield line((_LEFT, height), (_RIGHT, height), "baseline")
    label = f"baseline{', still the best' if baseline.best else ''}: {say.score(_mean(baseline))}"
    under = height + 14 if height + 16 < _BOTTOM else height - 5
    yield words((_RIGHT, under), label, "text muted small", anchor="end")


def _steps(scored: Sequence[Candidate], used: float, x: Scale, y: Scale) -> Iterator[Point]:
    height: float | None = None
    for k in _raised(scored):
        at = x(_calls(scored[k].metric_calls))
        if height is not None:
            yield at, height
        height = y(_mean(scored[k]))
        yield at, height
    yield x(used), y(max(map(_mean, scored)))


def _dots(scored: Sequence[Candidate], x: Scale, y: Scale) -> Iterator[ET.Element]:
    raised = _raised(scored)
    best = next((k for k, candidate in enumerate(scored) if candidate.best), None)
    every = -(-len(scored) // _MOST_DOTS)
    others = [k for k in range(0, len(scored), every) if k not in raised and k != best]
    size = _DOT if len(scored) <= _FEW_DOTS else _SMALL_DOT
    # What matters comes last, so that nothing lies on it.
    for k in (*others, *(k for k in raised[-_MOST_DOTS:] if k != best)):
        kind = "other" if k not in raised else "" if scored[k].number else "baseline"
        yield _mark(scored[k], f"candidate {kind}".strip(), size, x, y)
    if best is not None:
        yield _mark(scored[best], "candidate best", _BEST_DOT, x, y)


def _raised(scored: Sequence[Candidate]) -> list[int]:
    """Return the places of the candidates that were better than all before."""
    raised, highest = [], -1.0
    for k, candidate in enumerate(scored):
        if _mean(candidate) > highest:
            highest = _mean(candidate)
            raised.append(k)
    return raised


def _mark(candidate: Candidate, classes: str, size: float, x: Scale, y: Scale) -> ET.Element:
    place = x(_calls(candidate.metric_calls)), y(_mean(candidate))
    tip = (
        f"Candidate {_number(candidate)}, {candidate.origin}: {say.score(_mean(candidate))} "
        f"after {say.count(int(_calls(candidate.metric_calls)), 'metric call')}"
    )
    return _shape(_SHAPES.get(candidate.origin, ""), place, size, classes, tip)


def _shape(kind: str, place: Point, size: float, classes: str, tip: str = "") -> ET.Element:
    x, y = place
    if kind == "merge":
        wide = size + 1
        corners = [(x, y - wide), (x + wide, y), (x, y + wide), (x - wide, y)]
    elif kind == "pruning":
        corners = [(x - size, y - size), (x + size, y - size), (x, y + size)]
    else:
        return dot(place, size, classes, tip=tip)
    return polygon(corners, classes, tip=tip)


def _best_label(scored: Sequence[Candidate], x: Scale, y: Scale) -> Iterator[ET.Element]:
    best = next((c for c in scored if c.best), None)
    if best is None or best.number == 0:
        return
    label = f"best: {say.score(_mean(best))}"
    middle = inside(x(_calls(best.metric_calls)), LETTER * len(label), _LEFT, WIDTH - 4)
    yield words((middle, y(_mean(best)) - 11), label, "text strong", anchor="middle")


def _shapes(scored: Sequence[Candidate]) -> Iterator[ET.Element]:
    kinds = {_SHAPES.get(c.origin, "proposal") for c in scored if c.number != 0}
    if kinds <= {"proposal"}:
        return
    at, y = _LEFT + 2, _HEIGHT - 4
    for kind in sorted(kinds, key=("proposal", "merge", "pruning").index):
        yield _shape(kind, (at + 4, y - 4), 4.5, "candidate")
        yield words((at + 14, y), kind, "text muted small")
        at += 24 + SMALL_LETTER * len(kind)
