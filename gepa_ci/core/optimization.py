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
    MERGE = "merge"
    COMBINATION = "combination"


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
class Optimization:
    """The best candidate of a run, and how the run went."""

    optimizer: str
    proposer: str
    """`reflection` or `example accumulation`."""
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
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Return whether the best candidate is another text than the baseline."""
        return self.best != 0
