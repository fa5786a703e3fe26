"""Owns how proposals of one round are put together, so that siblings build on each other.

Proposals that are made side by side do not know of each other: each mends what its own minibatch
showed. Where their changes to the parent's text do not meet, one candidate can have all of them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from gepa_ci.optimizers.edits import cut, joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(slots=True)
class Combination:
    """A parent's texts with the changes of several children, added one by one."""

    parent: Mapping[str, str]
    _edits: dict[str, list[_Edit]] = field(default_factory=dict)

    def added(self, child: Mapping[str, str]) -> Combination | None:
        """Return this with a child's changes too; None where they meet changes already in it."""
        edits = dict(self._edits)
        for name, text in child.items():
            if text == self.parent[name]:
                continue
            known = edits.get(name, [])
            fresh = [e for e in _edits(name, self.parent[name], text) if e not in known]
            if any(edit.meets(other) for edit in fresh for other in known):
                return None
            edits[name] = [*known, *fresh]
        return Combination(self.parent, edits)

    @property
    def texts(self) -> dict[str, str]:
        """Return the texts; what was added in one place stands in the order of the children."""
        return {
            name: _applied(name, text, self._edits.get(name, []))
            for name, text in self.parent.items()
        }


@dataclass(frozen=True, slots=True)
class _Edit:
    """Units `start` to `end` of the parent's text become `units`."""

    start: int
    end: int
    units: tuple[str, ...]

    def meets(self, other: _Edit) -> bool:
        """Return whether both change the same units, or one adds inside what the other changes."""
        if self.start == self.end and other.start == other.end:
            return False
        if self.start == self.end:
            return other.start < self.start < other.end
        if other.start == other.end:
            return self.start < other.start < self.end
        return self.start < other.end and other.start < self.end


def _edits(name: str, before: str, after: str) -> list[_Edit]:
    old, new = cut(name, before), cut(name, after)
    matcher = SequenceMatcher(None, [u.strip() for u in old], [u.strip() for u in new], False)  # noqa: FBT003
    return [
        _Edit(i1, i2, tuple(new[j1:j2]))
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    ]


def _applied(name: str, text: str, edits: Sequence[_Edit]) -> str:
    units = cut(name, text)
    made: list[str] = []
    added: dict[int, set[str]] = defaultdict(set)
    at = 0
    # The sort is stable: additions in one place keep their order, and stand before a change there.
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        made += units[at : edit.start]
        fresh = [unit for unit in edit.units if unit.strip() not in added[edit.start]]
        added[edit.start].update(unit.strip() for unit in fresh)
        made += fresh
        at = max(at, edit.end)
    made += units[at:]
    return joined(name, made, text)
