"""Owns what an optimizer is given and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from gepa_ci.core.spend import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.prompt import Prompts


class Origin(StrEnum):
    """How a candidate came about."""

    BASELINE = "baseline"
    REFLECTION = "reflection"
    EXAMPLES = "example accumulation"
    CODE = "code"
    MERGE = "merge"
    COMBINATION = "combination"
    PRUNED = "pruning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A train example that a candidate's parent did not get full marks for."""

    example_id: str
    score: float
    """Below 1."""
    feedback: str
    """How the metric's feedback begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One place of a component's text that differs from an earlier text, and why."""

    component: str
    removed: tuple[str, ...]
    """Sentences and lines that are gone."""
    added: tuple[str, ...]
    """Sentences and lines that stand there now."""
    candidate: int
    """Number of the candidate that brought it."""
    failures: tuple[Failure, ...] = ()
    """What the proposal was shown that led to it; nothing where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRecord:
    """One candidate that reached the val part, or was refused before it cost a call."""

    number: int
    """0 is the baseline; then in order of arrival."""
    origin: Origin
    parents: tuple[int, ...] = ()
    """Numbers of the candidates that it was made from."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Component name to text."""
    val_scores: Mapping[str, float] = field(default_factory=dict)
    """Example id of the val part to score."""
    examples: tuple[str, ...] = ()
    """Ids of the train examples whose outcomes led to it."""
    objectives: Mapping[str, float] = field(default_factory=dict)
    """Mean on val of each objective, the score among them."""
    metric_calls: int = 0
    """Metric calls of the search when it had its val score."""
    edits: tuple[Edit, ...] = ()
    """How its texts differ from those of its first parent."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Example id of the val part to output; empty where the config does not ask for them."""

    @property
    def val_mean(self) -> float | None:
        """Return the mean val score; None for a candidate that never reached val."""
        return sum(self.val_scores.values()) / len(self.val_scores) if self.val_scores else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A proposal that was refused before it cost a call."""

    reason: str
    """A finished sentence."""
    component: str
    text: str
    """The refused text."""


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
    """The best candidate of a run, and how the run went."""

    optimizer: str
    proposer: str
    """`reflection`, `example accumulation` or `code`."""
    candidate: Prompts
    """The best on val; the baseline itself when nothing was better."""
    best: int
    """Number of the best candidate."""
    candidates: tuple[CandidateRecord, ...]
    rejections: tuple[Rejection, ...]
    metric_calls: int
    """Evaluations of one example on train or val."""
    budget: int
    """The most metric calls that were allowed."""
    proposals: int
    """Proposals made, refused ones included."""
    stop_reason: str
    """A finished sentence."""
    seed: int
    choice: str = ""
    """Why this optimizer was chosen, a finished sentence; empty where the config says which."""
    edits: tuple[Edit, ...] = ()
    """How the best candidate differs from the baseline, and what led to each place."""
    interrupted: bool = False
    """Whether it was stopped by hand; the candidate is the best so far then."""
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Return whether the best candidate is another text than the baseline."""
        return self.best != 0

    @property
    def frontier(self) -> tuple[Leaders, ...]:
        """Return who is best on each val example: the Pareto frontier of the search."""
        return _leaders({record.number: record.val_scores for record in self.candidates})

    @property
    def objectives(self) -> tuple[Leaders, ...]:
        """Return who is best in each objective; nothing where the score is the only one."""
        leaders = _leaders({record.number: record.objectives for record in self.candidates})
        return leaders if len(leaders) > 1 else ()


def _leaders(scores: Mapping[int, Mapping[str, float]]) -> tuple[Leaders, ...]:
    names = dict.fromkeys(name for known in scores.values() for name in known)
    found = []
    for name in names:
        best = max(known[name] for known in scores.values() if name in known)
        numbers = (n for n, known in scores.items() if known.get(name) == best)
        found.append(Leaders(name=name, score=best, candidates=tuple(numbers)))
    return tuple(found)
