"""Owns what train examples have shown so far, and which of them the next proposals are made from.

A minibatch whose answers are all right teaches nothing, and a search comes to have ever more of
them. So a parent is run on train examples first, in one go, and minibatches are made of those that
it fails. Each also holds one that it gets right, so that a rewrite which loses it gains less.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gepa_ci.core.digests import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.suite import Example
    from gepa_ci.optimizers.workbench import Workbench

_RIGHT = 1.0
# One of three examples of a minibatch is one that should not be lost.
_KEPT = 3
# A reflection may miss what a failure has to teach, so each is shown to two in a round.
_SHOWINGS = 2
# A parent is run on at most this many times the examples that a round can show.
_LOOKED_AT = 2


def lessons(bench: Workbench) -> Lessons | None:
    """Return lessons for a search that puts proposals of one round together; None for others."""
    policy, train = bench.search.policy, len(bench.search.tuning.train)
    if policy.selection_strategy != "combined" or policy.proposals == 1:
        return None
    return Lessons(bench=bench, size=min(policy.reflection_minibatch_size, train), seed=policy.seed)


@dataclass(slots=True, kw_only=True)
class Lessons:
    """Scores of candidates on train examples, each under its place in the train part."""

    bench: Workbench
    size: int
    """Examples of a minibatch."""
    seed: int
    _rng: random.Random = field(init=False)
    _scores: dict[str, dict[int, float]] = field(default_factory=dict)
    _last: dict[int, float] = field(default_factory=dict)
    """The score when an example was last run, whatever the candidate."""
    _shown: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Seed the order."""
        self._rng = random.Random(self.seed)  # noqa: S311 - nothing is kept secret by it

    def note(
        self, texts: Mapping[str, str], numbers: Sequence[int], scores: Sequence[float]
    ) -> None:
        """Keep a candidate's scores."""
        found = dict(zip(numbers, scores, strict=True))
        self._scores.setdefault(digest(dict(texts)), {}).update(found)
        self._last.update(found)

    def total(self, texts: Mapping[str, str], numbers: Sequence[int]) -> float:
        """Return the sum of a candidate's scores on examples that it was run on."""
        known = self._known(texts)
        return sum(known[number] for number in numbers)

    def run(
        self,
        candidates: Sequence[Mapping[str, str]],
        numbers: Sequence[int],
        *,
        beside: Sequence[Example] = (),
    ) -> bool:
        """Run candidates on train examples, and on others in the same go.

        Returns whether there was room for it; what a val run costs is kept back.
        """
        calls = self.bench.calls
        fresh = sum(n not in self._known(texts) for texts in candidates for n in numbers)
        if fresh > calls.limit - calls.used - len(self.bench.search.tuning.val):
            return False
        examples = [self.bench.search.tuning.train[number] for number in numbers]
        done = self.bench.trials([(texts, [*examples, *beside]) for texts in candidates])
        for texts, trials in zip(candidates, done, strict=True):
            scores = [trial.score.value for trial in trials[: len(numbers)]]
            self.note(texts, numbers, scores)
        return True

    def minibatches(
        self, texts: Mapping[str, str], *, count: int, val_mean: float
    ) -> list[list[int]]:
        """Return up to `count` minibatches for a parent; none when it fails nothing that is known.

        Runs the parent on as many examples as it takes to find enough failures, which its val mean
        foretells.
        """
        self._look(texts, wanted=count * self.size, val_mean=val_mean)
        known = self._known(texts)
        failed = self._order([n for n, score in known.items() if score < _RIGHT])
        right = self._order([n for n, score in known.items() if score >= _RIGHT])
        if not failed:
            return []
        failures = min(self.size - min(self.size // _KEPT, len(right)), len(failed))
        most = max(_SHOWINGS, math.ceil(_SHOWINGS * len(failed) / failures))
        made = []
        for _ in range(min(count, most)):
            batch, failed = failed[:failures], failed[failures:] + failed[:failures]
            room = self.size - failures
            batch, right = batch + right[:room], right[room:] + right[:room]
            self._shown.update(batch)
            made.append(batch)
        return made

    def ahead(self, texts: Mapping[str, str], numbers: Sequence[int], *, wanted: int) -> list[int]:
        """Return what else to run a candidate on in one go with these: it may be the next parent.

        Nothing when the budget would have no room for its proposals then.
        """
        calls, val = self.bench.calls, len(self.bench.search.tuning.val)
        left = calls.limit - calls.used - 2 * val - len(numbers) - wanted
        most = max(0, min(_LOOKED_AT * wanted - len(numbers), left))
        others = [number for number in self._unknown(texts) if number not in set(numbers)]
        return others[:most]

    def _look(self, texts: Mapping[str, str], *, wanted: int, val_mean: float) -> None:
        known = self._known(texts)
        missing = max(0, wanted - sum(score < _RIGHT for score in known.values()))
        most = _LOOKED_AT * wanted - len(known)
        enough = math.ceil(missing / (1 - val_mean)) if val_mean < 1 else most
        calls = self.bench.calls
        # The proposals that come of it have to be tried too.
        left = calls.limit - calls.used - len(self.bench.search.tuning.val) - wanted
        if numbers := self._unknown(texts)[: max(0, min(enough, most, left))]:
            self.run([texts], numbers)

    def _unknown(self, texts: Mapping[str, str]) -> list[int]:
        """Return examples that a candidate was not run on, those likely to fail first."""
        known = self._known(texts)
        train = range(len(self.bench.search.tuning.train))
        unknown = [number for number in train if number not in known]
        self._rng.shuffle(unknown)
        # What was right when it was last seen comes last.
        return sorted(unknown, key=lambda number: self._last.get(number, 0.0) >= _RIGHT)

    def _known(self, texts: Mapping[str, str]) -> Mapping[int, float]:
        return self._scores.get(digest(dict(texts)), {})

    def _order(self, numbers: Sequence[int]) -> list[int]:
        """Return those that were shown least first, in a random order among equals."""
        mixed = list(numbers)
        self._rng.shuffle(mixed)
        return sorted(mixed, key=lambda number: self._shown[number])
