"""Owns reading a task's record: which questions count against a version of the held-out set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from gepa_ci.core.ledger import EntryKind
from gepa_ci.core.verdict import Promotion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.ledger import Entry, Question

_DIGITS = 16
_MOST = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One question that was put to a version of the held-out set."""

    at: str
    alpha: float
    promoted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What one version of the held-out set was used for."""

    share: float
    """The part of today's examples that was in it; 1 for today's version itself."""
    uses: tuple[Use, ...]
    """In the order in which they were opened."""

    @property
    def promotions(self) -> int:
        """Return how many of the uses ended in a promotion."""
        return sum(use.promoted for use in self.uses)

    @property
    def spent(self) -> float:
        """Return the levels of all uses but those that were refunded, since they promoted."""
        return math.fsum(use.alpha for use in self.uses if not use.promoted)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What today's held-out examples were used for, in this version of the set and in others.

    A version that keeps examples of another one inherits its uses by the share of today's
    examples that were in it. Otherwise one more example would wipe the slate clean.
    """

    own: Version
    others: tuple[Version, ...] = ()
    """Versions that have examples in common with this one."""

    @property
    def inherited_uses(self) -> float:
        """Return the questions of other versions, by share."""
        return math.fsum(one.share * len(one.uses) for one in self.others)

    @property
    def inherited_promotions(self) -> float:
        """Return the promotions of other versions, by share."""
        return math.fsum(one.share * one.promotions for one in self.others)

    @property
    def spent(self) -> float:
        """Return the expected false promotions, inherited ones included."""
        return self.own.spent + math.fsum(one.share * one.spent for one in self.others)

    @property
    def first_use(self) -> str | None:
        """Return when this version, or one that had most of its examples, was first asked."""
        old = [use for one in self.others if one.share >= _MOST for use in one.uses]
        return min((use.at for use in (*self.own.uses, *old)), key=moment, default=None)


EMPTY = History(own=Version(share=1.0, uses=()))


def history_of(entries: Sequence[Entry], question: Question) -> History:
    """Return the uses that count against the held-out set of a question."""
    ours = [entry for entry in entries if entry.task == question.task]
    promoted = {one.key for one in ours if one.decision == Promotion.PROMOTE}
    uses: dict[str, list[Use]] = {}
    members: dict[str, frozenset[str]] = {}
    seen = set()
    for entry in ours:
        if entry.examples:
            members.setdefault(entry.suite, frozenset(entry.examples))
        # A line that stands twice counts once, and so does a question whose run was killed.
        if entry.key not in seen:
            seen.add(entry.key)
            use = Use(at=entry.at, alpha=entry.alpha, promoted=entry.key in promoted)
            uses.setdefault(entry.suite, []).append(use)
    today = frozenset(short(question.examples))
    own = Version(share=1.0, uses=tuple(uses.pop(question.suite, ())))
    others = (
        Version(share=_share(today, members.get(suite, frozenset())), uses=tuple(found))
        for suite, found in uses.items()
    )
    return History(own=own, others=tuple(one for one in others if one.share > 0.0))


def closing(entries: Sequence[Entry], question: Question) -> Entry | None:
    """Return the line that answered a question; the first, should there be several."""
    return _first(entries, question, EntryKind.CLOSED)


def opening(entries: Sequence[Entry], question: Question) -> Entry | None:
    """Return the line that opened a question."""
    return _first(entries, question, EntryKind.OPENED)


def new_members(entries: Sequence[Entry], question: Question) -> tuple[str, ...]:
    """Return what to write of the examples: nothing when the record of this version has them."""
    known = any(
        entry.examples
        for entry in entries
        if (entry.task, entry.suite) == (question.task, question.suite)
    )
    return () if known else short(question.examples)


def short(examples: Sequence[str]) -> tuple[str, ...]:
    """Return digests cut to the length that the record keeps, each once."""
    return tuple(sorted({example[:_DIGITS] for example in examples}))


def moment(at: str) -> datetime:
    """Return a time of day that is written in ISO form with its zone.

    Raises:
        ValueError: it is not.
    """
    found = datetime.fromisoformat(at)
    if found.tzinfo is None:
        raise ValueError(f"the time '{at}' has no zone")
    return found


def _first(entries: Sequence[Entry], question: Question, kind: EntryKind) -> Entry | None:
    found = (entry for entry in entries if entry.kind is kind and entry.key == question.key)
    return next(found, None)


def _share(today: frozenset[str], then: frozenset[str]) -> float:
    return len(today & then) / len(today) if today else 0.0
