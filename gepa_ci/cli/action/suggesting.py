"""Owns offering a better prompt as a suggested change, where it fits in a pull request's diff."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.digests import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.core.result import PromptChange
    from gepa_ci.delivery.forge import PullRequest

_MOST_LINES = 60
_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Consecutive lines of a file and what takes their place."""

    start: int
    """1-based."""
    end: int
    text: str


def suggest(desk: Desk, pull: PullRequest, change: PromptChange, evidence: str) -> bool:
    """Suggest a change on the lines that the pull request changed; False when it does not fit."""
    block = changed_block(change)
    patches = dict(desk.github.files(pull.number))
    if block is None or not is_shown(block, patches.get(change.path)):
        return False
    marker = f"<!-- gepa-ci:suggestion:v1 {digest([change.path, change.after])[:16]} -->"
    me = desk.github.me()
    known = desk.github.review_comments(pull.number)
    if not any(c.author.id == me.id and marker in c.body for c in known):
        desk.github.suggest(
            pull.number,
            sha=pull.head_sha,
            path=change.path,
            start_line=block.start,
            end_line=block.end,
            body=desk.redactor(f"{marker}\n{evidence}\n\n{_fenced(block.text)}"),
        )
    return True


def changed_block(change: PromptChange) -> Block | None:
    """Return the one block of lines that differs, or None where a suggestion cannot say it."""
    # GitHub counts line feeds and nothing else that Python splits lines at.
    before, after = (
        text.removesuffix("\n").split("\n") if text else []
        for text in (change.before, change.after)
    )
    moves = [
        move
        for move in difflib.SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes()
        if move[0] != "equal"
    ]
    odd = (
        "\ufffd" in change.before + change.after
        or "\r" in change.before + change.after
        or change.before.endswith("\n") != change.after.endswith("\n")
    )
    if not moves or not before or not after or odd:
        return None
    start, end = moves[0][1], moves[-1][2]
    first, last = moves[0][3], moves[-1][4]
    if start == end or first == last:
        # Only added or only taken out: a line beside it is said again, as a suggestion replaces.
        if start:
            start, first = start - 1, first - 1
        else:
            end, last = end + 1, last + 1
    text = "\n".join(after[first:last])
    is_plain = all(c.isprintable() or c in "\n\t" for c in text)
    if max(end - start, last - first) > _MOST_LINES or not is_plain:
        return None
    return Block(start=start + 1, end=end, text=text)


def is_shown(block: Block, patch: str | None) -> bool:
    """Return whether one hunk of a pull request's diff shows all lines of a block."""
    hunks = _HUNK.findall(patch or "")
    return any(
        int(start) <= block.start and block.end < int(start) + int(count or 1)
        for start, count in hunks
    )


def _fenced(text: str) -> str:
    longest: Sequence[str] = re.findall(r"`+", text)
    ticks = "`" * max(3, 1 + max(map(len, longest), default=0))
    return f"{ticks}suggestion\n{text}\n{ticks}"
