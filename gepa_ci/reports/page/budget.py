"""Owns how a page stays small: long texts are cut to a common length, at the end of a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from unicodedata import combining

from gepa_ci.reports.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST = 400_000
"""Most characters that are looked at of one text."""

_KEPT = "\n\t"
# Browsers break one line of right-to-left letters or emoji in time that grows with its square:
# 100,000 of them would take a minute.
_LONGEST_LINE = 2_000
_MOST_MARKS = 50
_JOINED = "\u200d\ufe0f"
# Nearer to the cut than this share of the text, the end of a word or line is worth it.
_NEAR = 0.8
_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a page shows of a text."""

    text: str
    """Its beginning, or all of it."""
    more: int
    """Characters that are left out."""


def common_length(costs: Iterable[int], budget: int) -> int:
    """Return the largest L for which costs that are cut to L each stay within a budget together."""
    ordered = sorted(costs)
    left, number = max(0, budget), len(ordered)
    for cost in ordered:
        if cost * number > left:
            return left // number
        left -= cost
        number -= 1
    return ordered[-1] if ordered else 0


def element_text(text: str) -> str:
    """Return text as the content of an element, with hidden characters made visible.

    It is not fit for an attribute, as quotes stay: outputs are full of them.
    """
    plain = text.replace("\n", "").replace("\t", "")
    seen = text if visible(plain) is plain else visible(text, keep=_KEPT)
    if len(seen) <= _LONGEST_LINE:
        return _escaped(seen)
    return "\n".join(_line(line) for line in seen.split("\n"))


def _escaped(text: str) -> str:
    for character, entity in _ENTITIES:
        text = text.replace(character, entity)
    return text


def _line(line: str) -> str:
    """Return a line as elements of a block each where it is very long."""
    if len(line) <= _LONGEST_LINE:
        return _escaped(line)
    stretches = (f"<span class=run>{_escaped(part)}</span>" for part in _stretches(line))
    return "".join(stretches)


def _stretches(line: str) -> Iterator[str]:
    """Yield a line in parts, which end after a blank if there is one near."""
    start = 0
    while len(line) - start > _LONGEST_LINE:
        end = start + _LONGEST_LINE
        blank = line.rfind(" ", start + _LONGEST_LINE // 2, end)
        end = blank + 1 if blank >= 0 else end
        end = _before_marks(line, end)
        yield line[start:end]
        start = end
    yield line[start:]


def _before_marks(line: str, end: int) -> int:
    """Return a place to part a line at: what is drawn as one character stays together."""
    for near in range(end, end - _MOST_MARKS, -1):
        if line[near] not in _JOINED and not combining(line[near]):
            return near
    # No letter has so many marks, so this is not one.
    return end


def cost(text: str) -> int:
    """Return how many bytes a text takes on a page."""
    if len(text) > LONGEST:
        text = text[:LONGEST]
    return len(element_text(text).encode())


def cut(text: str, limit: int) -> Shown:
    """Cut a text so that it takes at most so many bytes on a page, if it can at a word's end."""
    kept = text[: min(LONGEST, max(0, limit))]
    while kept and (taken := cost(kept)) > limit:
        kept = kept[: min(len(kept) - 1, len(kept) * limit // taken)]
    if len(kept) == len(text):
        return Shown(text=text, more=0)
    ends = (kept.rfind("\n"), kept.rfind(" "))
    end = next((end for end in ends if end >= _NEAR * len(kept)), len(kept))
    return Shown(text=kept[:end], more=len(text) - end)
