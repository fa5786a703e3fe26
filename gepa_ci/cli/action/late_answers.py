"""Owns a ledger whose answers are written once what they led to has been delivered.

A run that is killed in between finds its question still open, and goes on at the same level.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from gepa_ci.core.ledger import EntryKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gepa_ci.core.ledger import Book, Entry
    from gepa_ci.delivery.data_branch import Data

T = TypeVar("T")


@dataclass(slots=True)
class LateAnswers:
    """The record of one task, with answers that wait."""

    book: Book
    _waiting: list[Entry] = field(default_factory=list)

    @property
    def notes(self) -> Sequence[str]:
        """Return what could not be read, as finished sentences."""
        return self.book.notes

    def transact(self, decide: Callable[[Sequence[Entry]], tuple[T, Entry | None]]) -> T:
        """Show all entries to `decide`, append the entry that it returns, and return the rest."""

        def kept(entries: Sequence[Entry]) -> tuple[tuple[T, Entry | None], Entry | None]:
            result, entry = decide([*entries, *self._waiting])
            is_late = entry is not None and entry.kind is EntryKind.CLOSED
            return (result, entry if is_late else None), None if is_late else entry

        result, late = self.book.transact(kept)
        if late is not None:
            self._waiting.append(late)
        return result

    def closed_in(self, data: Data) -> Data:
        """Return the data branch's content with the answers; the first answer to a question stands.

        They belong into one commit with the rest that a run records: a run that is killed has
        recorded all of it or nothing.
        """
        for late in self._waiting:
            data = data.with_use(late)
        return data

    @property
    def has_answers(self) -> bool:
        """Return whether an answer waits."""
        return bool(self._waiting)
