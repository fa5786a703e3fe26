"""Owns what a search that is not GEPA's own has scored, and what it may still score."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from gepa_ci.core.digests import digest
from gepa_ci.optimizers.budget import BudgetReached

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.score import Trial
    from gepa_ci.core.suite import Example
    from gepa_ci.optimizers.workbench import Workbench


FINALISTS = 3
"""Candidates that get a val run after a search that did not select on val."""


class Scored:
    """The candidates of a search with their scores; a part of the budget is kept back."""

    def __init__(self, bench: Workbench, *, reserve: int) -> None:
        """Keep `reserve` metric calls for what comes after the search."""
        self._bench = bench
        self._reserve = reserve
        self._texts: dict[str, dict[str, str]] = {}
        self._scores: dict[str, dict[str, float]] = defaultdict(dict)

    @property
    def left(self) -> int:
        """Return how many metric calls the search may still make."""
        calls = self._bench.calls
        return max(0, calls.limit - calls.used - self._reserve)

    def run(
        self, items: Sequence[tuple[Mapping[str, str], Sequence[Example]]], *, number: int = 0
    ) -> list[list[Trial]]:
        """Score admitted candidates on examples, all at once.

        Raises:
            BudgetReached: the budget has no room for all of it; nothing was run.
            FailedSearch: a call or the user's code failed.
        """
        wanted = {(digest(dict(texts)), e.id) for texts, examples in items for e in examples}
        fresh = {(key, one) for key, one in wanted if number or one not in self._scores[key]}
        if self._reserve and len(fresh) > self.left:
            raise BudgetReached
        found = self._bench.trials(items, number=number)
        if number == 0:
            for (texts, _), trials in zip(items, found, strict=True):
                key = digest(dict(texts))
                self._texts[key] = dict(texts)
                self._scores[key] |= {trial.example_id: trial.score.value for trial in trials}
        return found

    def best(self) -> list[dict[str, str]]:
        """Return the candidates without a record on val, the best first.

        Means of more examples go first: one lucky minibatch is no rank.
        """
        keys = [key for key in self._texts if self._bench.recorded(self._texts[key]) is None]

        def rank(key: str) -> tuple[int, float]:
            scores = self._scores[key]
            return len(scores), sum(scores.values()) / len(scores)

        return [self._texts[key] for key in sorted(keys, key=rank, reverse=True)]

    def covers_val(self, examples: Sequence[Example]) -> bool:
        """Return whether examples are all of val, or more."""
        return {e.id for e in self._bench.search.tuning.val} <= {e.id for e in examples}
