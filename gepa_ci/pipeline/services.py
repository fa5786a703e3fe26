"""Owns what the lines need of the outside: callables that the command line makes for one task."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.judging import Ruler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.ledger import Book
    from gepa_ci.core.optimization import Optimization
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.spend import ModelSpend
    from gepa_ci.core.suite import Example, HeldOutSet, Part, TuningSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the lines need of the outside, made for one task."""

    preflight: Callable[[Prompts, HeldOutSet | Sequence[Example]], None]
    """One task call and one metric call, before anything that costs."""
    known_to_repeat: Callable[[Prompts], bool]
    """Whether the model is known, without a call, to give the same answer to the same request."""
    repeats: Callable[[Prompts, HeldOutSet | Sequence[Example]], bool]
    """The same, found out by asking a few examples twice where it is worth asking."""
    evaluate: Callable[
        [Sequence[Prompts], HeldOutSet | Sequence[Example], Part, range, int], list[Evaluation]
    ]
    """Run prompts on examples for the given trial numbers, interleaved; for so many examples the
    provider may fail."""
    recall: Callable[
        [Sequence[Prompts], HeldOutSet | Sequence[Example], Part, range, int], list[Evaluation]
    ]
    """The same from the cache alone; CacheMissError when it lacks an answer."""
    afford: Callable[[Sequence[Prompts], HeldOutSet | Sequence[Example], range], None]
    """Raise CapError when the caps cannot pay for an evaluation."""
    keep_for_proof: Callable[[Prompts, int], AbstractContextManager[None]]
    """Keep what so many calls cost out of reach for the block, or raise CapError."""
    optimize: Callable[[Prompts, TuningSet, bool], Optimization]
    """Search on train and val; told whether the model repeats itself."""
    book: Book
    """The ledger's lines of this task."""
    exam: Callable[[Prompts], str]
    """Digest of what decides a score besides prompt and examples: metric, model, gate."""
    run: str
    """What the ledger calls this run."""
    now: Callable[[], str]
    """Time of day in ISO form, with its zone."""
    recorded: Callable[[Prompts, HeldOutSet], Recorded]
    """An earlier evaluation of a baseline that may stand in for a fresh one, or why not."""
    write: Callable[[Prompts], tuple[str, ...]]
    """Write a prompt file and return the paths written."""
    spent: Callable[[], tuple[ModelSpend, ...]]
    """What this task has spent so far, by purpose and model."""
    clock: Callable[[], float]
    """Seconds, monotonic."""
    planned: Callable[[int], AbstractContextManager[None]] = lambda _: nullcontext()
    """Count what is evaluated in the block against so many trials, of which not all need be run."""
    ruler: Callable[[], Ruler] = Ruler
    """Score the judges' anchors afresh, and say whether they still measure as they did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recorded evaluation of a baseline, if there is one that the gate's rules allow."""

    evaluation: Evaluation | None = None
    note: str = ""
    """A finished sentence: which, or why none; empty where nothing was ever recorded."""
