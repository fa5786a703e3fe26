"""Owns the few SVG elements that pictures are made of, and that everything in them is escaped."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree as ET

from gepa_ci.reports.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Point = tuple[float, float]
"""Across and down, from the upper left corner."""
Anchor = Literal["start", "middle", "end"]
"""Which part of a text stands at its place."""

WIDTH = 400
"""Of every picture in its own units: text of 13 is legible still where 400 are 330 pixels."""
LETTER = 7.8
"""How wide a character is at most on average, for text of 13."""
SMALL_LETTER = 6.8
"""The same for small text, of 12."""

_WORDS = 1000
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def figure(value: float) -> str:
    """Write a coordinate with at most one decimal."""
    rounded = round(value, 1) + 0.0
    return f"{rounded:.1f}".removesuffix(".0")


def line(start: Point, end: Point, classes: str) -> ET.Element:
    """Draw a straight line."""
    return ET.Element(
        "line",
        {
            "class": classes,
            "x1": figure(start[0]),
            "y1": figure(start[1]),
            "x2": figure(end[0]),
            "y2": figure(end[1]),
        },
    )


def box(
    corner: Point, width: float, height: float, classes: str, *, round_: float = 0
) -> ET.Element:
    """Draw a rectangle from its upper left corner."""
    rounding = {"rx": figure(round_)} if round_ else {}
    return ET.Element(
        "rect",
        {
            "class": classes,
            "x": figure(corner[0]),
            "y": figure(corner[1]),
            "width": figure(width),
            "height": figure(height),
            **rounding,
        },
    )


def dot(centre: Point, radius: float, classes: str, *, tip: str = "") -> ET.Element:
    """Draw a circle, with words that show when a pointer rests on it."""
    element = ET.Element(
        "circle",
        {
            "class": classes,
            "cx": figure(centre[0]),
            "cy": figure(centre[1]),
            "r": figure(radius),
        },
    )
    return with_tip(element, tip)


def polygon(corners: Iterable[Point], classes: str, *, tip: str = "") -> ET.Element:
    """Draw a closed shape."""
    points = " ".join(f"{figure(x)},{figure(y)}" for x, y in corners)
    return with_tip(ET.Element("polygon", {"class": classes, "points": points}), tip)


def polyline(points: Iterable[Point], classes: str) -> ET.Element:
    """Draw straight lines from point to point."""
    joined = " ".join(f"{figure(x)},{figure(y)}" for x, y in points)
    return ET.Element("polyline", {"class": classes, "points": joined})


def bends(points: Sequence[Point], classes: str) -> ET.Element:
    """Draw a smooth line downward through points, upright at each of them."""
    steps = [f"M{figure(points[0][0])},{figure(points[0][1])}"]
    for (x, y), (to_x, to_y) in pairwise(points):
        half = figure((y + to_y) / 2)
        steps.append(f"C{figure(x)},{half} {figure(to_x)},{half} {figure(to_x)},{figure(to_y)}")
    return ET.Element("path", {"class": classes, "d": " ".join(steps)})


def words(
    at: Point,
    content: str | Sequence[tuple[str, str]],
    classes: str = "text",
    *,
    anchor: Anchor = "start",
) -> ET.Element:
    """Write one line of text; a sequence holds pieces, each with its own classes."""
    place = {"class": classes, "x": figure(at[0]), "y": figure(at[1])}
    element = ET.Element("text", place if anchor == "start" else {**place, "text-anchor": anchor})
    if isinstance(content, str):
        element.text = content
        return element
    for piece, piece_classes in content:
        ET.SubElement(element, "tspan", {"class": piece_classes}).text = piece
    return element


def inside(middle: float, width: float, low: float, high: float) -> float:
    """Return where text of a width has its middle, if it is to stay between two limits."""
    return max(low + width / 2, min(middle, high - width / 2))


def with_tip(element: ET.Element, tip: str) -> ET.Element:
    """Add words that show when a pointer rests on an element."""
    if tip:
        ET.SubElement(element, "title").text = one_line(tip, _WORDS)
    return element


def picture(
    parts: Iterable[ET.Element],
    *,
    name: str,
    size: tuple[float, float],
    title: str,
    desc: str,
    classes: str = "picture",
) -> str:
    """Return the markup of a picture, whose name tells it from every other one on the page."""
    name = _NOT_A_NAME.sub("-", name)
    root = ET.Element(
        "svg",
        {
            "class": classes,
            "viewBox": f"0 0 {figure(size[0])} {figure(size[1])}",
            "role": "img",
            "aria-labelledby": f"{name}-title",
            "aria-describedby": f"{name}-desc",
        },
    )
    ET.SubElement(root, "title", {"id": f"{name}-title"}).text = one_line(title, _WORDS)
    ET.SubElement(root, "desc", {"id": f"{name}-desc"}).text = one_line(desc, _WORDS)
    root.extend(parts)
    return ET.tostring(root, encoding="unicode")
