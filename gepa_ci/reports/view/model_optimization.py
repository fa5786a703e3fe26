"""Owns what templates may read of an optimization; its fields are public API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One candidate of an optimization."""

    number: int
    """0 is the baseline."""
    origin: str
    """baseline, reflection, example accumulation, code, merge, combination or pruning."""
    parents: tuple[int, ...]
    """Numbers of the candidates that it was made from."""
    val_mean: float | None
    """Mean score on the val part; None when it never got there."""
    metric_calls: int
    """Metric calls of the search when it had its val score."""
    best: bool
    """Whether this is the one that went on to the proof."""
    examples: tuple[str, ...]
    """Ids of the train examples that led to it."""
    rewritten: tuple[str, ...]
    """Names of the components whose text is not that of any parent."""
    characters: int
    """Length of its texts together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A train example that did not get full marks before an edit."""

    example: str
    """Its id."""
    score: float
    """Below 1."""
    feedback: str
    """How the metric's feedback begins, without what repeats a measured example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One place in which the best candidate differs from the baseline, and what led to it."""

    component: str
    """Name of the component."""
    removed: tuple[str, ...]
    """Sentences and lines that are gone."""
    added: tuple[str, ...]
    """Sentences and lines that stand there now."""
    candidate: int
    """Number of the candidate that brought it."""
    origin: str
    """How that candidate came about; empty when it is not in the result."""
    failures: tuple[Failure, ...]
    """What the proposal was shown; nothing where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Proposals that were refused for one reason before they cost a call."""

    reason: str
    """A finished sentence."""
    count: int
    """How many proposals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaders:
    """The candidates that nothing is better than in one respect."""

    name: str
    """Id of a val example, or name of an objective."""
    score: float
    """The best there is."""
    candidates: tuple[int, ...]
    """Numbers of those that have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """How the candidate was found."""

    optimizer: str
    """Name of the optimizer."""
    proposer: str
    """reflection, example accumulation or code."""
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
    edits: tuple[Edit, ...]
    """How the best candidate differs from the baseline."""
    frontier: tuple[Leaders, ...]
    """Who is best on each val example: the Pareto frontier of the search."""
    objectives: tuple[Leaders, ...]
    """Who is best in each objective; empty where the score is the only one."""
    refusals: tuple[Refusal, ...]
    """The most frequent reason first."""
    interrupted: bool
    """Whether it was stopped by hand, and nothing was proved."""

    @property
    def refused(self) -> int:
        """Return how many proposals were refused."""
        return sum(refusal.count for refusal in self.refusals)
