"""Owns the search for parts of a text that can be left out: which to try, and what has failed.

It knows parts by number and examples by id, and asks for scores; what a part is does not matter
here. A block of parts is tried on its witnesses alone, the examples that were lost when more than
this block was left out: one of them is lost again if the block is to blame. All blocks that lose
none are then left out together, and only that is tried on all examples. What is lost there are the
witnesses of the next round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MARGIN = 0.05
"""Largest mean loss that may be put down to noise: what a gate tolerates by default."""

# Differences below this are rounding.
_SAME = 1e-9
# Standard errors below which a mean difference is a loss. A block that is tried on its witnesses
# has the benefit of the doubt, as all blocks together are tried on all examples afterwards.
_ALL, _WITNESSES = 1.0, 2.0
# One lost example is enough where any loss is real; noise needs all the witnesses there are.
_FEW = 4
# Examples of each wave in which a union is tried where any loss is real: most that fail fail soon.
_WAVES = (8, 16)
_ROUNDS = 20
_MOST_TRIALS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Parts that are tried together."""

    parts: tuple[int, ...]
    witnesses: tuple[str, ...] = ()
    """Ids of the examples that were lost when these parts and others were left out."""


Test = tuple[frozenset[int], tuple[str, ...]]
"""Parts that are left out, and the ids of the examples to try that on."""


class Ask(Protocol):
    """Scores several texts side by side."""

    def __call__(self, tests: Sequence[Test], *, trials: int) -> list[list[float] | None]:
        """Return mean scores in the order of each test's examples; None for a refused text.

        The scores of the whole text are fresh ones: those that made it the best were luckier than
        most.
        """
        ...


@dataclass(slots=True, kw_only=True)
class Shrinking:
    """One attempt to leave out as many parts as can be spared."""

    reference: Mapping[str, float]
    """Example id to the score of the whole text: every attempt is held against it, and never
    against the last one that was good enough, so that small losses do not add up."""
    ask: Ask
    room: Callable[[], int]
    """Says how many scores may still be asked for."""
    split: Callable[[Block], Sequence[Block]]
    """Returns what to try in place of a block that cannot go as a whole."""
    trials: int | None
    """Trials of each example that a union is confirmed by; None where the same text always gets
    the same score, so that any loss is real."""
    proved: frozenset[int] = frozenset()
    """Parts that can be left out together."""
    _spared: list[Block] = field(default_factory=list)
    _looks: int = 1

    def run(self, blocks: Sequence[Block]) -> None:
        """Try blocks, parts of them, and all that could go together, while there is room."""
        pending = list(blocks)
        for _ in range(_ROUNDS):
            while batch := self._affordable(pending):
                pending = [*self._screened(batch), *pending[len(batch) :]]
            if not self._spared or self._cost > self.room():
                return
            lost = self._together()
            if lost is None:
                return
            self._look_again()
            pending += self._blamed(lost)

    @property
    def _cost(self) -> int:
        """Return what the proof of a union costs: its own trials and those to compare with."""
        return len(self.reference) * (2 * self.trials if self.trials else 1)

    def _few(self, witnesses: tuple[str, ...]) -> tuple[str, ...]:
        return witnesses if self.trials else witnesses[:_FEW]

    def _affordable(self, blocks: Sequence[Block]) -> Sequence[Block]:
        """Return the first blocks, as many as can be screened and what comes of it be proved."""
        left, count = self.room() - self._cost, 0
        for block in blocks:
            left -= len(self._few(block.witnesses))
            if left < 0:
                break
            count += 1
        return blocks[:count]

    def _screened(self, blocks: Sequence[Block]) -> list[Block]:
        """Spare the blocks that lose no witness; return what to try in place of the others."""
        following: list[Block] = []
        for block, lost in self._tried(blocks):
            if lost is None:
                self._spared.append(block)
            else:
                following += self.split(Block(parts=block.parts, witnesses=lost))
        return following

    def _tried(self, blocks: Sequence[Block]) -> list[tuple[Block, tuple[str, ...] | None]]:
        """Return each block with the witnesses that it loses on its own; None where it may go."""
        tests = [(frozenset(b.parts), self._few(b.witnesses)) for b in blocks]
        found: list[tuple[Block, tuple[str, ...] | None]] = []
        for block, test, scores in zip(blocks, tests, self.ask(tests, trials=1), strict=True):
            if scores is None:
                found.append((block, block.witnesses))
            elif self._falls(test[1], scores, errors=_WITNESSES, most=1.0):
                found.append((block, self._lost(test[1], scores)))
            else:
                found.append((block, None))
        return found

    def _together(self) -> tuple[str, ...] | None:
        """Leave out all that was spared; None where it is proved, or the examples it loses."""
        union, everything = _union(self._spared), tuple(self.reference)
        sizes = (len(everything),) if self.trials else (*_WAVES, len(everything))
        seen: tuple[str, ...] = ()
        scores: list[float] = []
        for size in sizes:
            wave = everything[len(seen) : len(seen) + size]
            (found,) = self.ask([(union, wave)], trials=1)
            if found is None:
                return everything
            seen, scores = seen + wave, scores + found
            if self._falls(seen, scores, errors=_ALL, most=MARGIN):
                return self._lost(seen, scores)
        if self.trials and not self._confirmed(union, self.trials):
            self.trials = min(self.trials + 1, _MOST_TRIALS)
            return self._lost(seen, scores)
        self.proved = union
        return None

    def _look_again(self) -> None:
        """Ask the whole text once more: if it was lucky, every union to come would be refused."""
        everything = tuple(self.reference)
        if (
            self.trials
            and self._looks < _MOST_TRIALS
            and self._cost + len(everything) < self.room()
        ):
            self._looks += 1
            (scores,) = self.ask([(frozenset(), everything)], trials=self._looks)
            assert scores is not None
            self.reference = dict(zip(everything, scores, strict=True))

    def _confirmed(self, union: frozenset[int], trials: int) -> bool:
        """Return whether more trials say the same: of many unions, one is lucky for a while."""
        everything = tuple(self.reference)
        tests = [(frozenset[int](), everything), (union, everything)]
        whole, scores = self.ask(tests, trials=trials)
        assert whole is not None
        assert scores is not None
        differences = [s - w for s, w in zip(scores, whole, strict=True)]
        return not falls(differences, errors=_ALL, most=MARGIN)

    def _blamed(self, lost: tuple[str, ...]) -> list[Block]:
        """Take back blocks that lose these examples; return what to try in place of them."""
        before = len(self._spared)
        again = [Block(parts=b.parts, witnesses=lost) for b in self._spared]
        if len(self._affordable(again)) < before:
            # A block less makes another text, which a model that varies answers afresh.
            self._spared.sort(key=lambda block: -len(block.parts))
            self._spared.pop()
            return []
        tried = self._tried(again)
        self._spared = [block for block, loses in tried if loses is None]
        if len(self._spared) < before:
            guilty = [Block(parts=b.parts, witnesses=loses) for b, loses in tried if loses]
            return [part for block in guilty for part in self.split(block)]
        self._spared = self._compatible(self._few(lost))
        return []

    def _compatible(self, lost: tuple[str, ...]) -> list[Block]:
        """Return less than all blocks: what loses none of these examples together.

        None of them loses one alone, as where two sentences say the same.
        """
        blocks = sorted(self._spared, key=lambda block: -len(block.parts))
        kept: list[Block] = []
        waiting = [blocks]
        while waiting and len(lost) + self._cost <= self.room():
            group = waiting.pop()
            (scores,) = self.ask([(_union([*kept, *group]), lost)], trials=1)
            if scores is not None and not self._falls(lost, scores, errors=_WITNESSES, most=1.0):
                kept += group
                continue
            half = len(group) // 2
            halves = [group[:half], group[half:]] if half else [[b] for b in self.split(group[0])]
            waiting += reversed(halves)
        return kept if _union(kept) != _union(blocks) else kept[:-1]

    def _falls(
        self, examples: Sequence[str], scores: Sequence[float], *, errors: float, most: float
    ) -> bool:
        differences = [s - self.reference[e] for e, s in zip(examples, scores, strict=True)]
        return falls(differences, errors=errors if self.trials else 0.0, most=most)

    def _lost(self, examples: Sequence[str], scores: Sequence[float]) -> tuple[str, ...]:
        pairs = zip(examples, scores, strict=True)
        return tuple(e for e, s in pairs if s < self.reference[e] - _SAME)


def falls(differences: Sequence[float], *, errors: float, most: float) -> bool:
    """Return whether paired differences are below 0 on average by more than noise.

    Noise is that many standard errors of their mean, and at most `most`.
    """
    count = len(differences)
    if count == 0:
        return False
    mean = sum(differences) / count
    noise = 0.0
    if errors and count > 1:
        variance = sum((d - mean) ** 2 for d in differences) / (count - 1)
        noise = min(errors * math.sqrt(variance / count), most)
    return mean < -noise - _SAME


def _union(blocks: Sequence[Block]) -> frozenset[int]:
    return frozenset(part for block in blocks for part in block.parts)
