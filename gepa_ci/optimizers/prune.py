"""Owns the last pass of a search: what the best candidate says and nothing needs goes again.

Reviewers read the difference to the present text, so the pass takes back what the search has
changed, sentence by sentence, where the scores do as well without it: added sentences are left out,
changed and dropped ones are put back. Asked for `all`, it leaves out the baseline's own as well.

It is tried on val, and on the train examples that the candidate's changes were made from: val is
small, and may have no example of what they taught.

What does as well: where the same text always gets the same score, the mean is not lower at all.
Where a model varies, the paired mean difference to the whole text is not below minus one standard
error, nor below minus 0.05, and several trials of each example tell, as val is small. The whole
text is asked afresh then, because the scores that made it the best were luckier than most.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gepa_ci.core.config import Prune
from gepa_ci.core.digests import digest
from gepa_ci.core.optimization import Origin
from gepa_ci.core.prompt import ComponentKind
from gepa_ci.optimizers.admission import Refusal
from gepa_ci.optimizers.budget import BudgetReached
from gepa_ci.optimizers.edits import sentences
from gepa_ci.optimizers.endings import Enough
from gepa_ci.optimizers.shrinking import Block, Shrinking
from gepa_ci.optimizers.text_parts import parts_of, without
from gepa_ci.optimizers.workbench import FailedSearch, spend_reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gepa_ci.core.optimization import CandidateRecord
    from gepa_ci.core.suite import Example
    from gepa_ci.optimizers.shrinking import Test
    from gepa_ci.optimizers.text_parts import Part
    from gepa_ci.optimizers.workbench import Workbench

# Scores of a text that are enough to see a loss of a tenth; fewest and most trials of an example.
_SCORES, _FEWEST, _MOST = 100, 2, 5
# Examples that a sentence is tried on, of those that it was proposed from.
_WITNESSES = 4
# Differences below this are rounding.
_SAME = 1e-9
# A model that is mostly right gives many answers twice by chance.
_PROBES = 24


def prune(bench: Workbench, *, mode: Prune, repeats: bool | None = None) -> CandidateRecord | None:
    """Record the best candidate without what it does not need; None where nothing can go.

    It ends with the budget, and keeps what is proved by then.

    Args:
        bench: The workbench of a search that has ended.
        mode: What may go.
        repeats: Whether the same text always gets the same score; None to find out.

    Raises:
        GepaCiError: a call failed for another reason than a spend cap.
    """
    best = bench.chosen
    if mode is Prune.OFF or best is None or (best.number == 0 and mode is Prune.ADDED):
        return None
    pass_ = _Pass(bench, best, _parts(bench, best, mode))
    try:
        pass_.run(repeats=repeats)
    except (BudgetReached, Enough):
        pass
    except FailedSearch as failed:
        spend_reason(failed)
    if not pass_.proved:
        return None
    texts = pass_.texts(pass_.proved)
    bench.shortened = bench.record(texts, origin=Origin.PRUNED, parents=(best.number,))
    return bench.shortened


class _Pass:
    """One pass over one candidate."""

    def __init__(self, bench: Workbench, best: CandidateRecord, parts: Sequence[Part]) -> None:
        self.bench, self._best = bench, best
        self._parts = list(parts)
        self._shrinking: Shrinking | None = None
        val = {example.id: example for example in bench.search.tuning.val}
        self._taught = _taught(bench, best)
        self._examples = {**val, **{example.id: example for example in self._taught}}

    @property
    def proved(self) -> frozenset[int]:
        """Return the numbers of the parts that can be done together."""
        return frozenset() if self._shrinking is None else self._shrinking.proved

    def run(self, *, repeats: bool | None) -> None:
        """Find out what can go, while there is budget."""
        self._parts = [part for part in self._parts if self._admits(self._made([part]))]
        if not self._parts:
            return
        trials = self._trials(repeats=repeats)
        # Without room for the proof of anything, nothing is spent on trying.
        proof = len(self._taught) + len(self._examples)
        if self._room() < (proof if trials is None else self._least(trials)):
            return
        reference = self._reference(trials)
        count = len(self._parts)
        if trials is None:
            self._parts = self._not_missed(reference)
            if not self._parts:
                return
        gained = self._gained(reference)
        ordered = [*gained, *(e for e in reference if e not in gained)]
        self._shrinking = Shrinking(
            reference={e: reference[e] for e in ordered},
            ask=self._ask,
            room=self._room,
            split=self._split,
            trials=trials,
        )
        whole = Block(parts=tuple(range(len(self._parts))), witnesses=tuple(gained))
        # Without all that was added it is the baseline, and without all it is nothing.
        is_less = len(self._parts) < count
        self._shrinking.run([whole] if is_less else self._split(whole))

    def _not_missed(self, reference: Mapping[str, float]) -> list[Part]:
        """Return the parts that may go as far as the failures know that they were made from.

        A sentence that was written for a failure, and without which it fails again, is needed:
        most are, and this takes a few calls for each of them, side by side.
        """
        tests: dict[int, tuple[str, ...]] = {}
        for number, part in enumerate(self._parts):
            known = self._led_to(part)
            if witnesses := tuple(e for e in known if reference.get(e, 0.0) > 0.0)[:_WITNESSES]:
                tests[number] = witnesses
        asked = [(frozenset([number]), witnesses) for number, witnesses in tests.items()]
        missed = {
            number
            for (number, witnesses), scores in zip(
                tests.items(), self._ask(asked, trials=1), strict=True
            )
            if scores is None
            or any(s < reference[e] - _SAME for e, s in zip(witnesses, scores, strict=True))
        }
        return [part for number, part in enumerate(self._parts) if number not in missed]

    def _led_to(self, part: Part) -> tuple[str, ...]:
        """Return the train examples that a sentence was proposed from; none where nobody knows."""
        name, bench = part.component, self.bench
        units = sentences(name, self._best.texts[name])[part.start : part.end]
        found = (bench.lineage.led_to(bench.records, self._best, name, unit) for unit in units)
        return next(filter(None, found), ())

    def _room(self) -> int:
        return self.bench.calls.limit - self.bench.calls.used

    def _least(self, trials: int) -> int:
        """Return what it takes to come to single sentences where a model varies, and to a proof.

        With less, the whole budget would be spent on blocks that are too large to go.
        """
        gained, levels = len(self._gained(self._best.val_scores)), len(self._parts).bit_length()
        return 2 * gained * levels + 2 * (1 + trials) * len(self._examples)

    def _gained(self, scores: Mapping[str, float]) -> list[str]:
        """Return the examples that the candidate's changes are needed for, or all of its text."""
        whole = self._best.number == 0
        before = {} if whole else self.bench.records[0].val_scores
        return [e for e, score in scores.items() if score > before.get(e, 0.0)]

    def texts(self, numbers: Iterable[int]) -> dict[str, str]:
        """Return the candidate's texts with some parts done."""
        return self._made([self._parts[number] for number in sorted(numbers)])

    def _made(self, parts: Sequence[Part]) -> dict[str, str]:
        texts = dict(self._best.texts)
        for name in {part.component for part in parts}:
            own = [part for part in parts if part.component == name]
            texts[name] = without(name, texts[name], own)
        return texts

    def _admits(self, texts: Mapping[str, str]) -> bool:
        return not isinstance(self.bench.search.admission.check(texts), Refusal)

    def _split(self, block: Block) -> list[Block]:
        count = len(block.parts)
        if count > 1:
            halves = block.parts[: count // 2], block.parts[count // 2 :]
            return [Block(parts=half, witnesses=block.witnesses) for half in halves]
        other = self._parts[block.parts[0]].otherwise
        if other is None or not self._admits(self._made([other])):
            return []
        self._parts.append(other)
        return [Block(parts=(len(self._parts) - 1,), witnesses=block.witnesses)]

    def _trials(self, *, repeats: bool | None) -> int | None:
        """Return how many trials of an example tell; None where one tells all."""
        if repeats is None:
            probes = [self._examples[e] for e in _mixed(self._examples)[:_PROBES]]
            items = [(self._best.texts, probes)]
            first, second = (self.bench.trials(items, number=n)[0] for n in range(2))
            repeats = all(a.output == b.output for a, b in zip(first, second, strict=True))
        return (
            None if repeats else min(_MOST, max(_FEWEST, math.ceil(_SCORES / len(self._examples))))
        )

    def _reference(self, trials: int | None) -> dict[str, float]:
        ids = _mixed(self._examples)
        if trials is None:
            rows = self.bench.trials([(self._best.texts, [self._examples[e] for e in ids])])
            return {e: trial.score.value for e, trial in zip(ids, rows[0], strict=True)}
        (fresh,) = self._ask([(frozenset(), tuple(ids))], trials=1)
        assert fresh is not None
        return dict(zip(ids, fresh, strict=True))

    def _ask(self, tests: Sequence[Test], *, trials: int) -> list[list[float] | None]:
        made = [(self.texts(numbers), [self._examples[e] for e in ids]) for numbers, ids in tests]
        admitted = [self._admits(texts) for texts, _ in made]
        items = [item for item, good in zip(made, admitted, strict=True) if good]
        # The first trial of the whole text is among the scores that made it the best.
        first = [
            0 if numbers else 1 for (numbers, _), good in zip(tests, admitted, strict=True) if good
        ]
        found = iter(self._scores(items, first, trials))
        return [next(found) if good else None for good in admitted]

    def _scores(
        self,
        items: Sequence[tuple[Mapping[str, str], Sequence[Example]]],
        first: Sequence[int],
        trials: int,
    ) -> list[list[float]]:
        """Return the mean score of each example over some trials, from the first one on."""
        sums = [[0.0] * len(wanted) for _, wanted in items]
        for number in range(max(first, default=0) + trials):
            now = [at for at, start in enumerate(first) if start <= number < start + trials]
            rows = self.bench.trials([items[at] for at in now], number=number)
            for at, row in zip(now, rows, strict=True):
                sums[at] = [s + t.score.value for s, t in zip(sums[at], row, strict=True)]
        return [[value / trials for value in row] for row in sums]


def _parts(bench: Workbench, best: CandidateRecord, mode: Prune) -> list[Part]:
    """Return what can be done to a candidate, in the order of its texts."""
    return [
        part
        for name in bench.search.components
        if bench.search.prompt.component(name).kind is ComponentKind.TEXT
        for part in parts_of(name, bench.baseline[name], best.texts[name], mode)
    ]


def _taught(bench: Workbench, best: CandidateRecord) -> list[Example]:
    """Return the train examples that a candidate and its ancestors were made from.

    Of a baseline nobody knows what it was made from, so that all of train may speak for it.
    """
    if best.number == 0:
        return list(bench.search.tuning.train)
    ids: set[str] = set()
    ancestors, line = {best.number}, [best]
    while line:
        record = line.pop()
        ids.update(record.examples)
        fresh = set(record.parents) - ancestors
        ancestors |= fresh
        line += [bench.records[number] for number in fresh]
    return [example for example in bench.search.tuning.train if example.id in ids]


def _mixed(ids: Iterable[str]) -> list[str]:
    """Return ids in an order that has nothing to do with that of the suite."""
    return sorted(ids, key=digest)
