"""Owns the picture of who descends from whom in a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.reports import words as say
from gepa_ci.reports.pictures.drawing import WIDTH, bends, dot, picture, words
from gepa_ci.reports.pictures.family import family
from gepa_ci.reports.pictures.layering import Room, layering
from gepa_ci.reports.pictures.scale import tame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree import ElementTree as ET

    from gepa_ci.reports.pictures.drawing import Point
    from gepa_ci.reports.pictures.family import Family
    from gepa_ci.reports.pictures.layering import Layering
    from gepa_ci.reports.view.model_optimization import Candidate, Optimization

_RADIUS = 11.0
_TOP, _ROW, _TIGHT_ROW, _MANY_ROWS = 16.0, 48.0, 38.0, 10
_MOST_NUMBER = 999
# A circle, its ring, and the score beside it.
_NODE = Room(left=14, right=43)
_BEST = Room(left=16, right=80)
_BASELINE = Room(left=16, right=140)


def lineage_picture(optimization: Optimization, *, name: str) -> str:
    """Draw the candidates as a tree that grows downward, the way to the best one strong."""
    if len(optimization.candidates) < 2:  # noqa: PLR2004 - nobody descends from anybody
        return ""
    drawn = family(optimization.candidates)
    rooms = {
        place: _BASELINE if not place else _BEST if place == drawn.best else _NODE
        for place in drawn.members
    }
    plan = layering(drawn.rows, drawn.parents, rooms, WIDTH)
    step = _ROW if len(drawn.rows) <= _MANY_ROWS else _TIGHT_ROW
    parts = [*_edges(drawn, plan, step), *_nodes(drawn, plan, step)]
    height = _TOP + step * (len(drawn.rows) - 1) + _RADIUS + 5
    return picture(
        parts,
        name=name,
        size=(WIDTH, height),
        title="Lineage of the candidates with val scores",
        desc=_desc(optimization, drawn),
    )


def _desc(optimization: Optimization, drawn: Family) -> str:
    total, left_out = (
        len(optimization.candidates),
        len(optimization.candidates) - len(drawn.members),
    )
    said = f"{say.count(total, 'candidate')}, each below those that it was made from."
    best = drawn.best
    if best:
        ancestors = sorted(drawn.path - {best})
        names = ", ".join(_number(drawn.members[place]) for place in ancestors)
        said += (
            f" The best is candidate {_number(drawn.members[best])}, which descends from {names}."
        )
    if left_out:
        said += f" {say.count(left_out, 'candidate')} with lower scores are left out."
    return said


def _number(candidate: Candidate) -> str:
    return f"{int(tame(candidate.number, 0, _MOST_NUMBER))}"


def _score(candidate: Candidate) -> str:
    mean = candidate.val_mean
    return "no val" if mean is None else say.score(tame(mean, 0.0, 1.0))


def _short(candidate: Candidate) -> str:
    # Three decimals would not fit between two nodes; the tip has them.
    mean = candidate.val_mean
    return "–" if mean is None else f"{tame(mean, 0.0, 1.0):.2f}"  # noqa: RUF001 - a dash


def _centre(plan: Layering, place: int, row: int, step: float) -> Point:
    return plan.x[place, row], _TOP + step * row


def _edges(drawn: Family, plan: Layering, step: float) -> Iterator[ET.Element]:
    strong = {(c, p) for c, p in plan.lines if c in drawn.path and p in drawn.path}
    for child, parent in sorted(plan.lines, key=lambda pair: (pair in strong, pair)):
        points = [_centre(plan, place, row, step) for place, row in plan.way(child, parent)]
        (x, y), (to_x, to_y) = points[0], points[-1]
        points[0], points[-1] = (x, y + _RADIUS), (to_x, to_y - _RADIUS)
        classes = "edge best" if (child, parent) in strong else "edge"
        if (child, parent) in drawn.far:
            classes += " far"
        yield bends(points, classes)


def _nodes(drawn: Family, plan: Layering, step: float) -> Iterator[ET.Element]:
    for place, candidate in drawn.members.items():
        x, y = _centre(plan, place, plan.row[place], step)
        classes = "node path" if place in drawn.path else "node"
        if place == drawn.best:
            classes = "node best"
            yield dot((x, y), _RADIUS + 3, "ring")
        made = ", ".join(_number(drawn.members[p]) for p in drawn.parents[place])
        tip = f"Candidate {_number(candidate)}, {candidate.origin}{f' of {made}' if made else ''}: "
        yield dot((x, y), _RADIUS, classes, tip=tip + _score(candidate))
        yield words((x, y + 4), _number(candidate), "text small number", anchor="middle")
        beside = x + _RADIUS + (6 if place == drawn.best else 3)
        best = " best" if place == drawn.best else ""
        name = best if place else f" baseline{best and ', best'}"
        yield words((beside, y + 4), f"{_short(candidate)}{name}", "text small")
