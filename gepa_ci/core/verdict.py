"""Owns the verdicts of the gate and of a promotion, with the evidence they rest on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.core.comparison import Comparison


class Verdict(StrEnum):
    """What the gate says of a changed prompt."""

    IMPROVED = "improved"
    PASS = "pass"  # noqa: S105 - a verdict, not a password
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"
    RULER_CHANGED = "ruler_changed"
    """The judge does not measure as it did when it was calibrated: nothing was compared."""


class Promotion(StrEnum):
    """What the proof on held-out examples says of an optimized candidate."""

    PROMOTE = "promote"
    HOLD = "hold"


class Cause(StrEnum):
    """Why nothing was decided, where it is not simply that the scores decide neither way."""

    CALLS_FAILED = "calls_failed"
    """Too many calls failed, or more for one prompt than for the other."""
    NOTHING_COMPARED = "nothing_compared"
    """No example has a score for both prompts."""
    TOO_FEW = "too_few"
    """There are fewer examples than any verdict needs."""
    GUARDS = "guards"
    """The score is decided, and a guard is not."""
    UNCHANGED = "unchanged"
    """Both prompts are the same, so nothing was run."""


class Stage(StrEnum):
    """The hurdles of a promotion, in their order."""

    VAL_SCREEN = "val_screen"
    HELD_OUT_SCREEN = "held_out_screen"
    CONFIRM = "confirm"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionDecision:
    """The gate's verdict on one task."""

    verdict: Verdict
    """Improved, pass, regression or inconclusive."""
    comparison: Comparison
    """The figures."""
    reasons: tuple[str, ...]
    """Finished sentences; the first says why, the others warn or advise."""
    alpha: float
    """Error rate of each claim, one-sided."""
    margin: float
    """Loss that is tolerated."""
    method: str = ""
    """One line for a reader who knows statistics: test, level, looks, units, trials."""
    planned: int = 0
    """Examples that would have been run without an early stop; 0 where that is not known."""
    cause: Cause | None = None
    """Why it is inconclusive, where that is not simply what the scores show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardDecision:
    """What one guard, a further metric or a measure of the run, says of a candidate."""

    name: str
    """As in the config."""
    relative: bool
    """Whether it is a measure, of which less is better and a share more may be tolerated."""
    tolerated: float
    """Tolerated loss of mean score; for a measure, the tolerated relative increase."""
    decision: RegressionDecision
    """Verdict, figures and reasons; a measure's figures are of scores made of each pair."""
    baseline_mean: float
    """Mean over the examples compared, as measured; 0 when there are none."""
    candidate_mean: float
    change: float | None
    """Difference of mean scores; for a measure, the increase of a typical example."""
    adjusted_p: float | None = None
    """P value of a loss, adjusted for all that is tested (Holm); None when nothing was tested."""

    @property
    def verdict(self) -> Verdict:
        """Return the guard's own verdict."""
        return self.decision.verdict

    @property
    def reason(self) -> str:
        """Return the finished sentence that says why."""
        return self.decision.reasons[0]

    @property
    def passes(self) -> bool:
        """Return whether it is shown that no more was lost than is tolerated."""
        return self.verdict in (Verdict.PASS, Verdict.IMPROVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedDecision:
    """The gate's verdict on a task's score and all of its guards."""

    verdict: Verdict
    """Regression when any is shown to be worse; improved or pass only when none may be."""
    primary: RegressionDecision
    """The decision on the task's score alone."""
    guards: tuple[GuardDecision, ...]
    """In the order of the config."""
    reasons: tuple[str, ...]
    """Finished sentences: of the score, then of the guards that matter."""
    method: str = ""
    """One line for a reader who knows statistics."""
    cause: Cause | None = None
    """Why it is inconclusive, where that is not simply what the scores show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """Whether a candidate is worth the next, dearer stage of a promotion; never a promotion."""

    stage: Stage
    """Which screen."""
    passed: bool
    """Whether the next stage is worth its cost."""
    comparison: Comparison
    """The figures; flattering ones, so they are not for publication."""
    reasons: tuple[str, ...]
    """Finished sentences."""
    level: float
    """Limit of the p value."""
    is_measured: bool = True
    """Whether the scores say anything; not when calls failed too often or unevenly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionDecision:
    """The verdict on an optimized candidate."""

    verdict: Promotion
    """Promote or hold."""
    stage: Stage
    """The stage whose data decided."""
    comparison: Comparison
    """The figures of that stage."""
    reasons: tuple[str, ...]
    """Finished sentences; the first says why, the others warn or advise."""
    alpha: float
    """Chance that a candidate which is no better is promoted."""
    min_gain: float
    """Smallest effect worth a change."""
    is_measured: bool = True
    """Whether the scores say anything; not when calls failed too often or unevenly."""
    method: str = ""
    """One line for a reader who knows statistics."""
