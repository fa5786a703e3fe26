"""Owns the record of what a task's held-out examples were used for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gepa_ci.core.comparison import Comparison

T = TypeVar("T")


class LedgerMode(StrEnum):
    """How the levels of successive confirm tests on one held-out set are set."""

    BUDGET = "budget"
    """The same level each time, until the expected false promotions reach a budget."""
    LORD = "lord"
    """LORD++: the false discovery rate is controlled without an end (for 400 examples or more)."""
    ELOND = "elond"
    """e-LOND: the same under any dependence between the tests, with less power."""
    STRICT = "strict"
    """Valid against any optimizer that sees only the verdicts; for thousands of examples."""
    NONE = "none"
    """Nothing is kept, and every confirm test is made at the same level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPolicy:
    """How often a held-out set may be asked, and when it has to be renewed."""

    mode: LedgerMode = LedgerMode.BUDGET
    budget: float = 0.5
    """Expected false promotions that one version of the held-out set may see, in budget mode."""
    refresh_days: int = 91
    """Age of the first use from which a version counts as worn out."""
    refresh_promotions: int = 5
    """Promotions after which a version counts as worn out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A candidate that is about to be measured on held-out examples."""

    task: str
    suite: str
    """Digest of the held-out examples: the version that the ledger is kept for."""
    exam: str
    """Digest of what else decides a score: metric, model, program, level."""
    baseline: str
    """Digest of the baseline's file."""
    candidate: str
    """Digest of the candidate's file."""
    examples: tuple[str, ...]
    """Digests of the held-out examples, so that a version which keeps some is known as related."""
    n: int
    """Independent units in the held-out set."""
    alpha: float
    """Level of a confirm test by the config."""
    run: str = field(default="", compare=False)
    """The run that asks, for the record."""

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """Return what makes two questions the same."""
        return self.task, self.suite, self.exam, self.baseline, self.candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a question to the held-out set brought."""

    decision: str
    """promote or hold."""
    stage: str
    """The hurdle that decided."""
    p_value: float
    e_value: float
    """Evidence for a gain as an e-value: expected to be at most 1 when there is none."""
    difference: float
    se: float
    """Standard error of the difference."""
    reasons: tuple[str, ...] = ()
    """Finished sentences, for when it is asked again."""
    comparison: Comparison | None = None
    """The figures of the stage that decided."""


class EntryKind(StrEnum):
    """What a line of the record says of a question."""

    OPENED = "opened"
    """It is about to be asked."""
    CLOSED = "closed"
    """It was answered; a run that was killed leaves this out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the record."""

    kind: EntryKind
    at: str
    """Time of day in ISO form, with its zone."""
    task: str
    suite: str
    exam: str
    baseline: str
    candidate: str
    n: int
    alpha: float
    """Level that was granted."""
    examples: tuple[str, ...] = ()
    """Short digests of the held-out examples, in the first line of a version only."""
    stage: str | None = None
    """This and what follows up to the standard error are None until the question is answered."""
    p: float | None = None
    e: float | None = None
    decision: str | None = None
    difference: float | None = None
    se: float | None = None
    reasons: tuple[str, ...] = ()
    comparison: Comparison | None = None
    run: str = ""

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """Return what makes two questions the same."""
        return self.task, self.suite, self.exam, self.baseline, self.candidate


class Book(Protocol):
    """The record of one task, wherever it is kept."""

    @property
    def notes(self) -> Sequence[str]:
        """Return what could not be read, as finished sentences."""
        ...

    def transact(self, decide: Callable[[Sequence[Entry]], tuple[T, Entry | None]]) -> T:
        """Show all entries to `decide`, append the entry that it returns, and return the rest.

        Nobody else writes in between. `decide` may be called again, with newer entries.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """How much of a held-out set is used up."""

    mode: LedgerMode
    uses: int
    """Questions put to this version."""
    promotions: int
    """Those of them that ended in a promotion."""
    inherited: float
    """Questions put to other versions, each by the share of this one's examples that it saw."""
    budget: float | None
    """Expected false promotions allowed; None where the mode has no such limit."""
    spent: float | None
    """Expected false promotions so far, promotions refunded, inherited ones included."""
    left: float | None
    """What is left of the budget, never below 0."""
    next_alpha: float
    """Level that the next question would be granted; 0 when none would be."""
    tests_left: int | None
    """Questions that can still be asked at the config's level; None for no limit."""
    first_use: str | None
    """When this version, or one that had most of its examples, was first asked."""
    worn: str | None
    """A finished sentence when no further question is allowed."""
    summary: str
    """A finished sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """An effect drawn towards 0 by what a task's earlier candidates turned out to be worth."""

    difference: float
    """The estimate to expect in use."""
    spread: float
    """Standard deviation of the true effects of this task's candidates, as far as is known."""
    answers: int
    """Earlier answers that this is learned from."""
