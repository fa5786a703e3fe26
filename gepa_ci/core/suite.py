"""Owns examples and the suite's three parts, of which only two can reach an optimizer."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from gepa_ci.core.digests import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON


class Part(StrEnum):
    """The three parts of a suite."""

    TRAIN = "train"
    VAL = "val"
    HELD_OUT = "held_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One row of a suite."""

    id: str
    """Unique in the suite."""
    inputs: Mapping[str, JSON]
    """What the prompt's placeholders are filled with."""
    expected: JSON = None
    """The answer; None when the example has no label."""
    labelled: bool = True
    """Whether the row has an `expected` at all (`expected: null` is a label)."""
    group: str | None = None
    """Cluster: examples of one group stay in one part and count as one unit for statistics."""
    weight: float = 1.0
    """Relative weight in means; above 0."""
    tags: tuple[str, ...] = ()
    """Labels for slices."""
    path: str = ""
    """File that holds the row."""
    line: int = 0
    """1-based line of the row in that file."""

    @property
    def digest(self) -> str:
        """Return the digest of what is asked and expected, apart from id and place."""
        return digest({"inputs": self.inputs, "expected": self.expected, "labelled": self.labelled})


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningSet:
    """All that an optimizer ever sees."""

    train: tuple[Example, ...]
    """Examples that proposals are made from."""
    val: tuple[Example, ...]
    """Examples that candidates are selected on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutSet:
    """The examples that decide a verdict; only the evaluator takes it."""

    examples: tuple[Example, ...]
    """In the order of the file."""

    @property
    def digest(self) -> str:
        """Return the digest of the examples, independent of their order and of their ids."""
        return digest(sorted(example.digest for example in self.examples))


@dataclass(frozen=True, kw_only=True)
class Suite:
    """All examples of a task, in three parts that share nothing."""

    tuning: TuningSet
    """Train and val."""
    held_out: HeldOutSet
    """Held-out."""
    warnings: tuple[str, ...] = field(default=())
    """Finished sentences about what is allowed but looks wrong."""

    def part(self, part: Part) -> tuple[Example, ...]:
        """Return the examples of one part."""
        match part:
            case Part.TRAIN:
                return self.tuning.train
            case Part.VAL:
                return self.tuning.val
            case Part.HELD_OUT:
                return self.held_out.examples

    @cached_property
    def digest(self) -> str:
        """Return the digest of all parts, independent of row order."""
        return digest({part: sorted([e.id, e.digest] for e in self.part(part)) for part in Part})
