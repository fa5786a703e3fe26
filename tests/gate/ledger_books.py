"""A ledger in memory, and questions and answers to fill it with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from gepa_ci.core.ledger import Answer, Entry, LedgerMode, LedgerPolicy, Question

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

FIRST = datetime(2026, 1, 1, 4, tzinfo=UTC)
AT = FIRST.isoformat()
POLICY = LedgerPolicy()
HELD = Answer(
    decision="hold",
    stage="confirm",
    p_value=0.3,
    e_value=1.1,
    difference=0.01,
    se=0.04,
    reasons=("It may be luck.",),
)
PROMOTED = replace(HELD, decision="promote", p_value=0.001, difference=0.1)


class MemoryBook:
    """A ledger in memory; `race` is somebody who is faster, once."""

    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.race: Callable[[], object] | None = None

    def transact(self, decide: Callable[[Sequence[Entry]], tuple[T, Entry | None]]) -> T:
        """Show the entries, and append what comes back."""
        result, entry = decide(tuple(self.entries))
        if self.race is not None:
            faster, self.race = self.race, None
            faster()
            result, entry = decide(tuple(self.entries))
        if entry is not None:
            self.entries.append(entry)
        return result


def day(number: float) -> str:
    """Return the time so many days after the first use."""
    return (FIRST + timedelta(days=number)).isoformat()


def examples(first: int, last: int) -> tuple[str, ...]:
    """Return digests of examples."""
    return tuple(f"{number:016x}{'0' * 48}" for number in range(first, last))


def question(
    candidate: str = "new",
    *,
    suite: str = "v1",
    members: tuple[str, ...] = examples(0, 100),
    alpha: float = 0.05,
) -> Question:
    """Return a question about a candidate."""
    return Question(
        task="triage",
        suite=suite,
        exam="exam",
        baseline="base",
        candidate=candidate,
        examples=members,
        n=len(members),
        alpha=alpha,
        run="1.1",
    )


def policy(mode: str) -> LedgerPolicy:
    """Return the default policy in another mode, and without ageing."""
    return LedgerPolicy(mode=LedgerMode(mode), refresh_promotions=10_000)
