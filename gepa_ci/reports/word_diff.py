"""Owns showing the changed words of a unified diff, for people who read prose."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEADER_LINES = 2
_TOKEN = re.compile(r"\w+|\s|[^\w\s]")
# Texts that share less than this are easier to read one after the other.
_ALIKE = 0.4
_MOST_TOKENS = 4_000


def word_diff(diff: str) -> str:
    """Return the lines of a unified diff with `[-removed-]` and `{+added+}` words in them."""
    shown: list[str] = []
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
                shown.append("…" if start == "@" else line[1:])
    return "\n".join(shown[1:-1])


def _changed(removed: Sequence[str], added: Sequence[str]) -> list[str]:
    if removed and added:
        before, after = _TOKEN.findall("\n".join(removed)), _TOKEN.findall("\n".join(added))
        if len(before) + len(after) <= _MOST_TOKENS:
            matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
            if matcher.ratio() >= _ALIKE:
                return "".join(_merged(matcher, before, after)).split("\n")
    return [_marked(line, "[-", "-]") for line in removed] + [
        _marked(line, "{+", "+}") for line in added
    ]


def _merged(
    matcher: difflib.SequenceMatcher[str], before: Sequence[str], after: Sequence[str]
) -> Iterator[str]:
    """Yield what stays and what changes; a lone blank between two changes belongs to both."""
    gone = come = ""
    codes = matcher.get_opcodes()
    for number, (what, i, j, k, m) in enumerate(codes):
        old, new = "".join(before[i:j]), "".join(after[k:m])
        is_last = number == len(codes) - 1
        if what == "equal" and (not old.isspace() or "\n" in old or not gone + come or is_last):
            yield _marked(gone, "[-", "-]") + _marked(come, "{+", "+}") + old
            gone = come = ""
        else:
            gone, come = gone + old, come + new
    yield _marked(gone, "[-", "-]") + _marked(come, "{+", "+}")


def _marked(text: str, start: str, end: str) -> str:
    return "\n".join(f"{start}{line}{end}" if line else "" for line in text.split("\n"))
