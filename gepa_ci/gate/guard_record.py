"""Owns what is known of one guard: its values as measured, and the scores that are tested."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gepa_ci.core.config import Measure
from gepa_ci.core.verdict import GuardDecision, RegressionDecision, Verdict
from gepa_ci.gate.evidence import compare
from gepa_ci.gate.guard_wording import is_troubled

if TYPE_CHECKING:
    from collections.abc import Sequence

    Row = tuple[float, ...]

_NOTHING: Row = (math.nan,)
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What else must not get worse."""

    name: str
    """As in the config."""
    margin: float
    """Tolerated loss of mean score; for a measure, the tolerated relative increase."""
    relative: bool
    """Whether it is a measure, of which less is better."""

    @property
    def is_counted(self) -> bool:
        """Return whether chance has no part in it, so that its mean decides without a test."""
        return self.relative and self.name == Measure.PROMPT_LENGTH

    @property
    def score_margin(self) -> float:
        """Return the margin of the scores that are tested."""
        return self.margin / (2.0 + self.margin) if self.relative else self.margin


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRecord:
    """The values of one guard on the examples seen so far."""

    guard: Guard
    base: list[Row] = field(default_factory=list)
    """Scores of the baseline, an example each."""
    candidate: list[Row] = field(default_factory=list)
    """Scores of the candidate."""
    means: list[tuple[float, float]] = field(default_factory=list)
    """Means of both, as measured, of the examples that have both."""
    mean_weights: list[float] = field(default_factory=list)
    """Weights of those examples."""
    weights: list[float] = field(default_factory=list)
    """Weights of all examples seen."""

    def add(self, base: Sequence[float], candidate: Sequence[float], weight: float) -> None:
        """Take the trials of one example, as measured; NaN is a trial without a value."""
        before, after = _mean(base), _mean(candidate)
        self.weights.append(weight)
        if before is not None and after is not None:
            self.means.append((before, after))
            self.mean_weights.append(weight)
        if not self.guard.relative:
            self.base.append(tuple(base))
            self.candidate.append(tuple(candidate))
        elif before is None or after is None:
            self.base.append(_NOTHING)
            self.candidate.append(_NOTHING)
        else:
            # What costs less scores more, and so that the margin is relative.
            total = before + after
            self.base.append((after / total if total else 0.5,))
            self.candidate.append((before / total if total else 0.5,))

    @property
    def is_troubled(self) -> bool:
        """Return whether too many examples have no value for a verdict."""
        return is_troubled(len(self.means), len(self.weights) - len(self.means))

    def mean(self, arm: int) -> float:
        """Return the weighted mean of an arm, as measured; 0 when there is none."""
        if not self.means:
            return 0.0
        pairs = zip(self.means, self.mean_weights, strict=True)
        return math.fsum(mean[arm] * weight for mean, weight in pairs) / math.fsum(
            self.mean_weights
        )

    def counted(self, alpha: float) -> RegressionDecision:
        """Decide by the mean alone."""
        most = self.mean(0) * (1.0 + self.guard.margin)
        holds = self.mean(1) <= most + _ROUNDING * most
        return RegressionDecision(
            verdict=Verdict.PASS if holds else Verdict.REGRESSION,
            comparison=compare(self.base, self.candidate, alpha=alpha, weights=self.weights),
            reasons=(),
            alpha=alpha,
            margin=self.guard.score_margin,
        )

    def concluded(self, decision: RegressionDecision) -> GuardDecision:
        """Return the decision on the guard, given the one on its scores."""
        guard, difference = self.guard, decision.comparison.difference
        change: float | None = difference
        if guard.is_counted:
            change = self.mean(1) / self.mean(0) - 1.0 if self.mean(0) else None
        elif guard.relative:
            change = -2.0 * difference / (1.0 + difference) if difference > -1.0 else None
        if self.is_troubled:
            # Values that are not there say nothing about a prompt: neither block nor pass.
            decision = replace(decision, verdict=Verdict.INCONCLUSIVE)
        return GuardDecision(
            name=guard.name,
            relative=guard.relative,
            tolerated=guard.margin,
            decision=decision,
            baseline_mean=self.mean(0),
            candidate_mean=self.mean(1),
            change=change,
            adjusted_p=None if guard.is_counted else decision.comparison.p_worse,
        )


def _mean(values: Sequence[float]) -> float | None:
    there = [value for value in values if not math.isnan(value)]
    return math.fsum(there) / len(there) if there else None
