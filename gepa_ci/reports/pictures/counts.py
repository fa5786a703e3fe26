"""Owns the picture of how many examples got better, got worse and stayed the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.reports.pictures.drawing import WIDTH, Anchor, box, picture, words
from gepa_ci.reports.pictures.scale import tame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree import ElementTree as ET

_MOST = 999_999_999
_LEFT, _RIGHT = 2.0, WIDTH - 2.0
_TOP, _BAR, _HEIGHT = 2.0, 18.0, 40.0
_GAP = 2.0
_NARROWEST = 3.0


def counts_picture(won: int, lost: int, same: int, *, name: str) -> str:
    """Draw one bar: worse at the left, better at the right, as on the axis of the effect."""
    won, lost, same = (int(tame(count, 0, _MOST)) for count in (won, lost, same))
    if not won + lost + same:
        return ""
    title = f"{won:,} better, {lost:,} worse, {same:,} equal"
    desc = f"Of {won + lost + same:,} examples, {won:,} got better, {lost:,} worse."
    parts = [*_bar((("lost", lost), ("same", same), ("won", won))), *_labels(won, lost, same)]
    return picture(parts, name=name, size=(WIDTH, _HEIGHT), title=title, desc=desc)


def _bar(counted: tuple[tuple[str, int], ...]) -> Iterator[ET.Element]:
    shown = [(classes, count) for classes, count in counted if count]
    room = _RIGHT - _LEFT - _GAP * (len(shown) - 1)
    # A single example among thousands must be seen still.
    spare = room - _NARROWEST * len(shown)
    whole = sum(count for _, count in shown)
    x = _LEFT
    for classes, count in shown:
        width = _NARROWEST + spare * (count / whole)
        yield box((x, _TOP), width, _BAR, classes, round_=min(3.0, width / 2))
        x += width + _GAP


def _labels(won: int, lost: int, same: int) -> Iterator[ET.Element]:
    y = _HEIGHT - 4
    labels: tuple[tuple[float, int, str, Anchor], ...] = (
        (_LEFT, lost, "worse", "start"),
        (WIDTH / 2, same, "equal", "middle"),
        (_RIGHT, won, "better", "end"),
    )
    for x, count, what, anchor in labels:
        pieces = [(f"{count:,}", "text strong"), (f" {what}", "text muted")]
        yield words((x, y), pieces, anchor=anchor)
