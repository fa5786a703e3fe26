"""Owns where two outputs begin and stop to differ, which a page marks before any script runs."""

from __future__ import annotations

from dataclasses import dataclass

# A longer word is no word, and going back to its start would mark more than changed.
_LONGEST_WORD = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A text in three parts, of which the middle one differs from the other text's."""

    start: str
    """The same in both."""
    middle: str
    """What differs."""
    end: str
    """The same in both."""


def differing(before: str, after: str) -> tuple[Marked, Marked]:
    """Return two texts, each parted where they begin and stop to differ, at words' ends."""
    start = _to_word_start(before, after, _common(before, after))
    old, new = before[start:], after[start:]
    end = _to_word_start(old[::-1], new[::-1], _common(old[::-1], new[::-1]))
    return _parted(before, start, end), _parted(after, start, end)


def _parted(text: str, start: int, end: int) -> Marked:
    stop = len(text) - end
    return Marked(start=text[:start], middle=text[start:stop], end=text[stop:])


def _common(before: str, after: str) -> int:
    """Return the length of the common beginning, by halves: comparing slices is fast."""
    low, high = 0, min(len(before), len(after))
    while low < high:
        middle = (low + high + 1) // 2
        if before[low:middle] == after[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _to_word_start(before: str, after: str, length: int) -> int:
    """Go back from the middle of a word to its start, in both texts the same."""
    if not (_inside_word(before, length) or _inside_word(after, length)):
        return length
    for back in range(min(length, _LONGEST_WORD) + 1):
        if length == back or not before[length - back - 1].isalnum():
            return length - back
    return length


def _inside_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()
