"""Owns the word diff of a prompt on a terminal: struck and underlined, or in marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.reports.escape import visible
from gepa_ci.reports.word_diff import Kind, changed_segments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

    from gepa_ci.reports.word_diff import Segment

_STYLES = {Kind.REMOVED: "red strike", Kind.ADDED: "green underline", Kind.GAP: "dim"}
_MARKS = {Kind.REMOVED: ("[-", "-]"), Kind.ADDED: ("{+", "+}")}
_CONTEXT = 60
"""Characters of a line that are shown on each side of a change."""
_CHANGE = 1_000


def diff_lines(diff: str, *, color: bool) -> Iterator[Text]:
    """Yield the lines of a unified diff in which words go or come, and one around them."""
    from rich.text import Text

    lines = changed_segments(diff)
    for number, line in enumerate(lines):
        near = lines[max(0, number - 1) : number + 2]
        if not any(map(_differs, near)):
            continue
        text = Text()
        for place, segment in enumerate(line):
            cut = _cut(segment, is_first=place == 0, is_last=place == len(line) - 1)
            # A mark or a line on indentation would say that blanks matter.
            words = cut.lstrip() or cut
            start, end = ("", "") if color else _MARKS.get(segment.kind, ("", ""))
            text.append(cut[: len(cut) - len(words)])
            text.append(f"{start}{words}{end}", _STYLES.get(segment.kind, ""))
        yield text


def _differs(line: Sequence[Segment]) -> bool:
    return any(segment.kind in _MARKS for segment in line)


def _cut(segment: Segment, *, is_first: bool, is_last: bool) -> str:
    """Return a segment's visible text; of what stays, the parts beside a change."""
    # A prompt can be one line of a hundred thousand characters.
    near = visible(segment.text[:_CHANGE])
    if segment.kind in _MARKS:
        return near if len(segment.text) <= _CHANGE else f"{near} …"
    ends = visible(segment.text[-_CONTEXT:])
    if len(segment.text) <= 2 * _CONTEXT:
        return near
    if is_last:
        return f"{near[:_CONTEXT]} …"
    return f"… {ends}" if is_first else f"{near[:_CONTEXT]} … {ends}"
