"""Owns how many bytes the examples of a page need, and how long their texts may therefore be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.reports.page.budget import common_length, cost

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gepa_ci.reports.page.rows import Row
    from gepa_ci.reports.page.sections import Limits, Section

# Of the room for texts, so much may go to the examples that something happened to.
_TELLING_SHARE = 0.7
# About what a row, a tag, a trial, a box with text and the note that it is cut take.
_ROW_BYTES, _TAG_BYTES, _PAIR_BYTES, _BOX_BYTES, _CUT_BYTES = 300, 26, 150, 50, 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How many bytes of one text are shown."""

    telling: int
    """Of an example that something happened to."""
    other: int
    """Of any other example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What the examples of a page need."""

    markup: int
    """About how many bytes besides the texts."""
    telling: tuple[str, ...]
    """Each text of the examples that something happened to."""
    other: tuple[str, ...]
    """Each text of the other examples."""

    @property
    def least(self) -> int:
        """Return how many bytes all texts take at least."""
        return sum(len(text) for texts in (self.telling, self.other) for text in texts)

    def lengths(self, room: int) -> Lengths:
        """Return how long texts may be, so that all of them take so many bytes at most."""
        telling, other = _costs(self.telling, room), _costs(self.other, room)
        share = max(int(_TELLING_SHARE * room), room - sum(other))
        longest = common_length(telling, share)
        left = room - sum(min(cost, longest) for cost in telling)
        return Lengths(telling=longest, other=common_length(other, left))


def room_of(sections: Iterable[Section], limits: Limits) -> Room:
    """Return what the examples of some sections need."""
    markup = 0
    texts: dict[bool, list[str]] = {True: [], False: []}
    for row in (row for section in sections for row in section.rows):
        most = limits.pairs_of(row)
        found = [text for text in row.texts(most) if text]
        texts[row.is_telling] += found
        boxes = (_BOX_BYTES + _CUT_BYTES) * len(found)
        markup += _row_bytes(row, limits) + _PAIR_BYTES * len(row.pairs[:most]) + boxes
    return Room(markup=markup, telling=tuple(texts[True]), other=tuple(texts[False]))


def _row_bytes(row: Row, limits: Limits) -> int:
    tags = row.example.tags[: limits.items]
    words = (row.example.id, *tags, *(name for name, _ in row.example.inputs[: limits.items]))
    return _ROW_BYTES + _TAG_BYTES * len(tags) + sum(min(len(w), limits.text) for w in words)


def _costs(texts: Sequence[str], room: int) -> list[int]:
    # A character takes a byte at least, so nothing behind this length could be shown.
    longest = common_length((len(text) for text in texts), room) + 1
    return [cost(text[:longest]) for text in texts]
