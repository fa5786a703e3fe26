"""Owns the rows of a page's table of examples: their order, their words, what each one opens."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from gepa_ci.reports.view.model_examples import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gepa_ci.reports.view.model_examples import Example, Trial

KINDS = ("lost", "won", "same", "flaky", "error")
"""What examples can be filtered by, in this order."""

_MOST_TAGS = 200
_WORDS = {Change.WON: "won", Change.LOST: "lost", Change.SAME: "same", Change.MISSING: "no score"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One trial of both prompts, or several that went the same way."""

    numbers: tuple[int, ...]
    """Of the trials, from 1."""
    before: Trial | None
    """The baseline's."""
    after: Trial | None
    """The candidate's."""
    output: str | None
    """What both prompts gave; None where they gave different outputs, or one gave none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An example in the table."""

    example: Example
    """As in the view model."""
    words: tuple[str, ...]
    """What became of it."""
    kinds: tuple[str, ...]
    """What it can be filtered by."""
    pairs: tuple[Pair, ...]
    """Its trials; empty where they say no more than the row does."""
    rank: int
    """Its place in the table, from 0: the most telling come first."""

    @property
    def is_telling(self) -> bool:
        """Return whether something happened to it."""
        if self.example.change is Change.ALONE and (self.example.after or 0.0) < 1:
            return True
        return bool(self.kinds) and self.kinds != ("same",)

    @property
    def opens(self) -> bool:
        """Return whether it says more than fits into a row."""
        return bool(self.pairs or self.example.inputs or self.example.expected)

    def texts(self, most: int) -> Iterator[str]:
        """Yield the texts that it opens, of so many trials at most."""
        if not most:
            return
        for _, text in self.example.inputs:
            yield text
        yield self.example.expected
        for pair in self.pairs[:most]:
            for trial in (pair.before, pair.after):
                if trial is not None:
                    yield trial.feedback
                    yield trial.output if pair.output is None else ""
            yield pair.output or ""


def rows_of(examples: Iterable[Example], *, most: int) -> tuple[Row, ...]:
    """Return the most telling examples: losses by size, wins, errors, flaky ones, the rest."""
    ordered = sorted(examples, key=_place)
    return tuple(_row(example, rank) for rank, example in enumerate(ordered[:most]))


def kinds_of(examples: Iterable[Example]) -> tuple[tuple[str, int], ...]:
    """Return what examples can be filtered by, with how many there are; nothing for one kind."""
    counted = Counter(kind for example in examples for kind in _kinds(example))
    return tuple((kind, counted[kind]) for kind in KINDS if counted[kind])


def tags_of(examples: Iterable[Example]) -> tuple[tuple[str, int], ...]:
    """Return the most frequent tags by name, with how many examples have each."""
    counted = Counter(tag for example in examples for tag in dict.fromkeys(example.tags))
    return tuple(sorted(counted.most_common(_MOST_TAGS)))


def _place(example: Example) -> tuple[int, float]:
    match example.change:
        case Change.LOST:
            return 0, example.difference
        case Change.WON:
            return 1, -example.difference
        case Change.ALONE:
            return 0, example.after or 0.0
    if example.failed:
        return 2, 0.0
    return (3 if example.flaky else 4), 0.0


def _kinds(example: Example) -> tuple[str, ...]:
    change = _WORDS.get(example.change, "")
    marks = (("flaky", example.flaky), ("error", example.failed))
    return (*([change] if change in KINDS else []), *(kind for kind, is_so in marks if is_so))


def _row(example: Example, rank: int) -> Row:
    kinds = _kinds(example)
    change = _WORDS.get(example.change)
    extra = tuple(kind for kind in kinds if kind in ("flaky", "error"))
    pairs = tuple(_pairs(example.baseline, example.candidate))
    return Row(
        example=example,
        words=(change, *extra) if change else extra,
        kinds=kinds,
        pairs=pairs if _tells(example) else (),
        rank=rank,
    )


def _tells(example: Example) -> bool:
    trials = (*example.baseline, *example.candidate)
    is_more = len(example.baseline) > 1 or len(example.candidate) > 1
    return is_more or any(trial.output or trial.feedback or trial.failure for trial in trials)


def _pairs(before: Sequence[Trial], after: Sequence[Trial]) -> Iterator[Pair]:
    numbers: dict[tuple[Trial | None, Trial | None], list[int]] = {}
    for number, pair in enumerate(zip_longest(before, after), 1):
        numbers.setdefault(pair, []).append(number)
    for (old, new), found in numbers.items():
        is_same = old is not None and new is not None and old.output == new.output
        output = new.output if new is not None and is_same else None
        yield Pair(numbers=tuple(found), before=old, after=new, output=output)
