"""Owns what templates may read of an optimization; its fields are public API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One candidate of an optimization."""

    number: int
    """0 is the baseline."""
    origin: str
    """baseline, reflection, example accumulation, merge or combination."""
    parents: tuple[int, ...]
    """Numbers of the candidates that it was made from."""
    val_mean: float | None
    """Mean score on the val part; None when it never got there."""
    best: bool
    """Whether this is the one that went on to the proof."""
    examples: tuple[str, ...]
    """Ids of the train examples that led to it."""
    rewritten: tuple[str, ...]
    """Names of the components whose text is not that of any parent."""
    characters: int
    """Length of its texts together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Proposals that were refused for one reason before they cost a call."""

    reason: str
    """A finished sentence."""
    count: int
    """How many proposals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """How the candidate was found."""

    optimizer: str
    """Name of the optimizer."""
    proposer: str
    """reflection or example accumulation."""
    metric_calls: int
    """Evaluations of one example on train or val."""
    budget: int
    """The most metric calls that were allowed."""
    proposals: int
    """Proposals made, refused ones included."""
    stop_reason: str
    """A finished sentence."""
    seed: int
    """Of the optimizer's random choices."""
    candidates: tuple[Candidate, ...]
    """In order of arrival; the first is the baseline."""
    refusals: tuple[Refusal, ...]
    """The most frequent reason first."""

    @property
    def refused(self) -> int:
        """Return how many proposals were refused."""
        return sum(refusal.count for refusal in self.refusals)
