"""Owns the picture of the Pareto frontier: which candidate is best on which val examples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from gepa_ci.reports import words as say
from gepa_ci.reports.pictures.drawing import WIDTH, box, picture, words
from gepa_ci.reports.pictures.scale import tame

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree import ElementTree as ET

    from gepa_ci.reports.view.model_optimization import Candidate, Leaders, Optimization

_LEFT, _RIGHT = 106.0, WIDTH - 46.0
_TOP, _ROW, _CELL, _FOOT = 22.0, 22.0, 16.0, 20.0
_MOST_ROWS = 15
_MOST_COLUMNS = 500
_WITH_GAPS = 60
_SHADES = 4
_MOST_NUMBER = 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One candidate and what it leads."""

    candidate: Candidate
    leads: int


def frontier_picture(optimization: Optimization, *, name: str) -> str:
    """Draw a row for each candidate that leads anywhere and a column for each val example."""
    if len(optimization.candidates) < 2 or not optimization.frontier:  # noqa: PLR2004 - no contest
        return ""
    every = _rows(optimization)
    if not every:
        return ""
    rows, examples = every[:_MOST_ROWS], optimization.frontier
    draw = _cells if len(examples) <= _MOST_COLUMNS else _shares
    parts = [*_labels(rows, len(examples)), *draw(rows, examples)]
    return picture(
        parts,
        name=name,
        size=(WIDTH, _TOP + _ROW * len(rows) + _FOOT),
        title="Which candidate is best on which val examples",
        desc=_desc(every, len(examples)),
    )


def _number(candidate: Candidate) -> str:
    return f"{int(tame(candidate.number, 0, _MOST_NUMBER))}"


def _rows(optimization: Optimization) -> list[_Row]:
    leads = Counter(n for example in optimization.frontier for n in set(example.candidates))
    known = {candidate.number: candidate for candidate in reversed(optimization.candidates)}
    rows = [_Row(candidate=known[n], leads=leads[n]) for n in known if n in leads]
    return sorted(rows, key=lambda row: (not row.candidate.best, -row.leads, row.candidate.number))


def _desc(rows: Sequence[_Row], count: int) -> str:
    shown = rows[:_MOST_ROWS]
    said = "; ".join(f"candidate {_number(row.candidate)} on {row.leads:,}" for row in shown)
    more = len(rows) - len(shown)
    rest = f" {say.count(more, 'more candidate')} not shown." if more else ""
    return f"Best or as good as the best, of {say.count(count, 'val example')}: {said}.{rest}"


def _labels(rows: Sequence[_Row], count: int) -> Iterator[ET.Element]:
    yield words((2, 13), "candidate", "text muted small")
    yield words((WIDTH - 2, 13), "best on", "text muted small", anchor="end")
    for k, row in enumerate(rows):
        y = _TOP + _ROW * k + 13
        candidate = row.candidate
        classes = "text strong" if candidate.best else "text"
        mean = candidate.val_mean
        score = "" if mean is None else say.score(tame(mean, 0.0, 1.0))
        yield words((26, y), _number(candidate), classes, anchor="end")
        yield words((33, y), score, "text muted small")
        if candidate.best:
            yield words((_LEFT - 6, y), "best", "text strong small", anchor="end")
        leads = f"{row.leads:,}" if row.leads <= _MOST_NUMBER else f"{row.leads // 1000:,}k"
        yield words((WIDTH - 2, y), leads, classes, anchor="end")
    foot = _TOP + _ROW * len(rows) + 14
    how = "paler where the best score is low" if count <= _MOST_COLUMNS else "as shares"
    label = f"{say.count(count, 'val example')}, {how}"
    yield words((_RIGHT, foot), label, "text muted small", anchor="end")


def _cells(rows: Sequence[_Row], examples: Sequence[Leaders]) -> Iterator[ET.Element]:
    leaders = [set(example.candidates) for example in examples]
    shade = [1 + round(tame(e.score, 0.0, 1.0) * (_SHADES - 1)) for e in examples]
    numbers = [row.candidate.number for row in rows]
    # Examples with the same leaders stand together, so that even narrow cells make blocks.
    order = sorted(
        range(len(examples)),
        key=lambda e: ([n not in leaders[e] for n in numbers], -shade[e], examples[e].name),
    )
    step = (_RIGHT - _LEFT) / len(examples)
    gap = 1.5 if len(examples) <= _WITH_GAPS else 0.0
    for k, row in enumerate(rows):
        y, number = _TOP + _ROW * k, row.candidate.number
        yield box((_LEFT, y), step * len(examples) - gap, _CELL, "empty")
        strength = [shade[e] if number in leaders[e] else 0 for e in order]
        for start, end, value in _runs(strength, join=not gap):
            width = step * (end - start) - gap
            kind = "cell best" if row.candidate.best else "cell"
            yield box((_LEFT + step * start, y), width, _CELL, f"{kind} shade{value}")


def _runs(values: Sequence[int], *, join: bool) -> Iterator[tuple[int, int, int]]:
    """Yield start, end and value of what is not 0, equal neighbours as one where they join."""
    for value, found in groupby(enumerate(values), key=lambda pair: pair[1]):
        places = [k for k, _ in found]
        if not value:
            continue
        if join:
            yield places[0], places[-1] + 1, value
        else:
            yield from ((k, k + 1, value) for k in places)


def _shares(rows: Sequence[_Row], examples: Sequence[Leaders]) -> Iterator[ET.Element]:
    for k, row in enumerate(rows):
        y = _TOP + _ROW * k
        yield box((_LEFT, y), _RIGHT - _LEFT, _CELL, "empty")
        width = (_RIGHT - _LEFT) * row.leads / len(examples)
        kind = "cell best" if row.candidate.best else "cell"
        yield box((_LEFT, y), width, _CELL, f"{kind} shade{_SHADES}")
