"""Owns what a text is made of when texts are compared: its units, and what changed between two."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from gepa_ci.core.digests import canonical_json
from gepa_ci.core.prompt import DEMOS

if TYPE_CHECKING:
    from collections.abc import Sequence

# A sentence or a line with the white space before it: cutting finer would make sentences that
# nobody wrote, and coarser would let any two proposals meet.
_UNIT = re.compile(r"\s*\S[^\n]*?(?:[.!?:;](?=\s|\Z)|(?=\n)|\Z)")
_FENCE = re.compile(r"\s*(?:```|~~~)")
# What ends like this is not the end of a sentence when more stands on its line.
_OPEN_END = re.compile(
    r"[:;]\Z|(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|nr|dr|mr|mrs))\.\Z", re.IGNORECASE
)
_NUMBER = re.compile(r"\s*(?:[-*+•]|\(?(?:\d{1,3}|[a-zA-Z])[.)])\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Units that stand in a text in place of others."""

    start: int
    """Number of the first of them, or where they stood when there is none left."""
    removed: tuple[str, ...]
    added: tuple[str, ...]


def cut(name: str, text: str) -> list[str]:
    """Return the units of a component's text: sentences and lines, or examples."""
    if is_examples(name):
        turns = json.loads(text)
        # Turns come in pairs of question and answer; a DSPy predictor's examples are one each.
        step = 2 if turns and "role" in turns[0] else 1
        return [canonical_json(turns[i : i + step]) for i in range(0, len(turns), step)]
    return _UNIT.findall(text.rstrip())


def joined(name: str, units: Sequence[str], like: str) -> str:
    """Return the text of units, which ends as another text does."""
    if is_examples(name):
        return canonical_json([turn for unit in dict.fromkeys(units) for turn in json.loads(unit)])
    made = "".join(units[:1])
    for unit in units[1:]:
        # What began a text has no white space before it, and something may precede it now.
        made += unit if unit[0].isspace() else f" {unit}"
    return made + like[len(like.rstrip()) :]


def is_examples(name: str) -> bool:
    """Return whether a component of that name holds examples."""
    return name == DEMOS or name.endswith(f".{DEMOS}")


def sentences(name: str, text: str) -> list[str]:
    """Return units that a text can do without one by one: whole sentences, lines and code blocks.

    They are coarser than those of `cut`, as half a sentence is not worth keeping.
    """
    found: list[str] = []
    fenced = False
    for unit in cut(name, text):
        is_fence = _FENCE.match(unit) is not None
        if found and not is_examples(name) and (fenced or _goes_on(found[-1], unit)):
            found[-1] += unit
        else:
            found.append(unit)
        fenced ^= is_fence
    return found


def changes(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    """Return what changed between two lists of units, however the white space before them did."""
    matcher = SequenceMatcher(None, [u.strip() for u in old], [u.strip() for u in new], False)  # noqa: FBT003
    return [
        Change(start=j1, removed=tuple(old[i1:i2]), added=tuple(new[j1:j2]))
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    ]


def _goes_on(before: str, unit: str) -> bool:
    """Return whether a unit is on the line of the one before it, in the same sentence."""
    space = unit[: len(unit) - len(unit.lstrip())]
    if "\n" in space:
        return False
    last = before.rsplit("\n", 1)[-1]
    return bool(_OPEN_END.search(before) or _NUMBER.match(last) or unit.lstrip()[:1].islower())
