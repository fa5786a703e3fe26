"""Owns showing the changed words of a unified diff, for people who read prose."""

from __future__ import annotations

import difflib
import re
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_HEADER_LINES = 2
_TOKEN = re.compile(r"\w+|\s|[^\w\s]")
# Texts that share less than this are easier to read one after the other.
_ALIKE = 0.4
_MOST_TOKENS = 4_000


class Kind(StrEnum):
    """What became of a run of words."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"
    GAP = "gap"
    """Stands for the lines between two places that changed."""


class Segment(NamedTuple):
    """A run of words on one line, never empty."""

    kind: Kind
    text: str


_MARKS = {Kind.REMOVED: ("[-", "-]"), Kind.ADDED: ("{+", "+}")}
_GAP = [Segment(Kind.GAP, "…")]


def word_diff(diff: str) -> str:
    """Return the lines of a unified diff with `[-removed-]` and `{+added+}` words in them."""
    return "\n".join("".join(map(_marked, line)) for line in changed_segments(diff))


def changed_segments(diff: str) -> list[list[Segment]]:
    """Return the lines of a unified diff, each as runs of words that stay, go or come."""
    shown: list[list[Segment]] = []
    removed: list[str] = []
    added: list[str] = []
    for line in [*diff.split("\n")[_HEADER_LINES:], "@@"]:
        match line[:1]:
            case "-":
                removed.append(line[1:])
            case "+":
                added.append(line[1:])
            case "\\":
                continue
            case start:
                shown += _changed(removed, added)
                removed, added = [], []
                # The start of a hunk tells lines, which a word diff has not.
                shown.append(_GAP if start == "@" else _segments(Kind.SAME, line[1:]))
    return shown[1:-1]


def without_carriage_returns(diff: str) -> str:
    """Leave out carriage returns when every line of a file has one, so that none is news."""
    header, lines = diff.split("\n")[:_HEADER_LINES], diff.split("\n")[_HEADER_LINES:]
    if all(line.endswith("\r") for line in lines if line and not line.startswith(("@@", "\\"))):
        lines = [line.removesuffix("\r") for line in lines]
    return "\n".join([*header, *lines])


def merged_segments(before: str, after: str) -> list[list[Segment]] | None:
    """Return the lines of two texts merged word by word; None where they share too little for it.

    Very long texts are not compared either, as that would take too long.
    """
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    if len(old) + len(new) > _MOST_TOKENS:
        return None
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return _lines(_merged(matcher, old, new)) if matcher.ratio() >= _ALIKE else None


def _changed(removed: Sequence[str], added: Sequence[str]) -> list[list[Segment]]:
    if removed and added:
        merged = merged_segments("\n".join(removed), "\n".join(added))
        if merged is not None:
            return merged
    return [
        *(_segments(Kind.REMOVED, line) for line in removed),
        *(_segments(Kind.ADDED, line) for line in added),
    ]


def _merged(
    matcher: difflib.SequenceMatcher[str], before: Sequence[str], after: Sequence[str]
) -> Iterator[Segment]:
    """Yield what stays and what changes; a lone blank between two changes belongs to both."""
    gone = come = ""
    codes = matcher.get_opcodes()
    for number, (what, i, j, k, m) in enumerate(codes):
        old, new = "".join(before[i:j]), "".join(after[k:m])
        is_last = number == len(codes) - 1
        if what == "equal" and (not old.isspace() or "\n" in old or not gone + come or is_last):
            yield Segment(Kind.REMOVED, gone)
            yield Segment(Kind.ADDED, come)
            yield Segment(Kind.SAME, old)
            gone = come = ""
        else:
            gone, come = gone + old, come + new
    yield Segment(Kind.REMOVED, gone)
    yield Segment(Kind.ADDED, come)


def _lines(segments: Iterable[Segment]) -> list[list[Segment]]:
    lines: list[list[Segment]] = [[]]
    for kind, text in segments:
        first, *others = text.split("\n")
        lines[-1] += _segments(kind, first)
        lines += [_segments(kind, other) for other in others]
    return lines


def _segments(kind: Kind, text: str) -> list[Segment]:
    return [Segment(kind, text)] if text else []


def _marked(segment: Segment) -> str:
    start, end = _MARKS.get(segment.kind, ("", ""))
    return f"{start}{segment.text}{end}"
