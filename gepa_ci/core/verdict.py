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


class Promotion(StrEnum):
    """What the proof on held-out examples says of an optimized candidate."""

    PROMOTE = "promote"
    HOLD = "hold"


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
    method: str = ""
    """One line for a reader who knows statistics."""
