"""Owns the promotion gate: whether an optimized candidate has proved that it is better.

A promotion is three hurdles: a screen on val scores, which cost nothing; a screen on one held-out
trial; and a confirm test on fresh held-out trials. Only the confirm test promotes, so its alpha
bounds the chance of promoting a candidate that is no better, whatever the screens let through.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.core.verdict import Promotion, PromotionDecision, Screening, Stage
from gepa_ci.gate.evidence import Evidence, gather
from gepa_ci.gate.methodline import promotion_method
from gepa_ci.gate.progress import Progress
from gepa_ci.gate.wording import chance, change, number, rate

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike

    from gepa_ci.core.comparison import Comparison

SCREEN_LEVEL = 0.20
"""Limit of the mid-p value at which a candidate is worth the next stage."""
CONFIRM_TRIALS = 3
"""Fresh trials of each prompt that a confirm test asks for, unless the model is deterministic."""

_FEW_GROUPS = 50
"""Below this a few large losses may be missing from the groups that were drawn."""
_ROUNDING = 1e-9

_TWICE = (
    "The model gives the same answer to the same request, so it was not asked twice: the confirm "
    "test was made on the answers of the held-out screen."
)


def promotion(
    base: ArrayLike,
    candidate: ArrayLike,
    *,
    alpha: float = 0.05,
    min_gain: float = 0.0,
    groups: Sequence[Hashable] | None = None,
    weights: ArrayLike | None = None,
) -> PromotionDecision:
    """Decide on fresh held-out scores whether a candidate is promoted: the confirm test.

    Scores are arrays of n examples by K trials in [0, 1], NaN where a call brought no score.
    Promote when the exact test shows a gain at alpha and the mean gain is `min_gain` or more.

    Raises:
        ValueError: see `gather`.
    """
    evidence = gather(base, candidate, alpha=alpha, groups=groups, weights=weights)
    total = evidence.pairs.n + evidence.pairs.missing
    progress = Progress(run=total, planned=total, level=alpha)
    return confirm(evidence, progress, alpha=alpha, min_gain=min_gain)


def confirm(
    evidence: Evidence, progress: Progress, *, alpha: float, min_gain: float
) -> PromotionDecision:
    """Make the confirm test; only all of the examples can promote."""
    comparison = evidence.comparison
    gained = comparison.difference > 0.0 and comparison.difference >= min_gain - _ROUNDING
    promoted = evidence.trouble is None and evidence.test.better <= alpha and gained
    promoted = promoted and not progress.is_partial
    if not promoted and evidence.trouble is None and progress.decided:
        needed = _n_needed(evidence, alpha, min_gain)
        comparison = replace(comparison, n_needed=progress.beyond_planned(needed))
    if progress.decided or evidence.trouble is not None:
        reasons = _reasons(evidence, comparison, alpha, min_gain, promoted=promoted)
    else:
        reasons = (f"Held: the proof is not complete: {change(comparison)}.",)
    return PromotionDecision(
        verdict=Promotion.PROMOTE if promoted else Promotion.HOLD,
        stage=Stage.CONFIRM,
        comparison=comparison,
        reasons=(*reasons, *progress.reasons()),
        is_measured=evidence.trouble is None,
        alpha=alpha,
        min_gain=min_gain,
        method=promotion_method(evidence.pairs, progress, alpha=alpha, min_gain=min_gain),
    )


def on_screen(decision: PromotionDecision) -> PromotionDecision:
    """Return a confirm test's decision as one that was made on the held-out screen's own scores.

    For a model that answers the same request always the same: fresh trials would be copies. The
    error rate is still alpha, as the screen is weaker than the confirm test.
    """
    return replace(decision, stage=Stage.HELD_OUT_SCREEN, reasons=(*decision.reasons, _TWICE))


def val_screen(
    base: ArrayLike,
    candidate: ArrayLike,
    *,
    level: float = SCREEN_LEVEL,
    groups: Sequence[Hashable] | None = None,
    weights: ArrayLike | None = None,
) -> Screening:
    """Decide on val scores whether a candidate is worth its first held-out trial."""
    evidence = gather(base, candidate, alpha=level, groups=groups, weights=weights)
    return _screening(Stage.VAL_SCREEN, evidence, level)


def held_out_screen(
    base: ArrayLike,
    candidate: ArrayLike,
    *,
    level: float = SCREEN_LEVEL,
    groups: Sequence[Hashable] | None = None,
    weights: ArrayLike | None = None,
) -> Screening:
    """Decide on one held-out trial whether a candidate is worth the confirm test."""
    evidence = gather(base, candidate, alpha=level, groups=groups, weights=weights)
    return _screening(Stage.HELD_OUT_SCREEN, evidence, level)


def _screening(stage: Stage, evidence: Evidence, level: float) -> Screening:
    p_value = evidence.test.better_mid
    comparison = replace(evidence.comparison, p_value=p_value)
    passed = evidence.trouble is None and p_value <= level and comparison.difference > 0.0
    where = "val" if stage is Stage.VAL_SCREEN else "held-out"
    if evidence.trouble is not None:
        reason = f"The {where} screen has no result. {evidence.trouble}"
    elif passed:
        reason = f"The {where} screen is passed: {change(comparison)}."
    else:
        reason = (
            f"The {where} screen is not passed: {change(comparison)}. A candidate that is no "
            f"better would do as well {chance(p_value)}; the screen's limit is {rate(level)}."
        )
    return Screening(
        stage=stage,
        passed=passed,
        comparison=comparison,
        reasons=(reason,),
        level=level,
        is_measured=evidence.trouble is None,
    )


def _n_needed(evidence: Evidence, alpha: float, min_gain: float) -> int | None:
    comparison = evidence.comparison
    gain = comparison.difference
    if gain <= 0.0 or gain < min_gain:
        return None
    units = max(evidence.moments.units_needed(gain, alpha), comparison.units + 1)
    return -(-units * comparison.n // comparison.units)


def _reasons(
    evidence: Evidence, comparison: Comparison, alpha: float, min_gain: float, *, promoted: bool
) -> tuple[str, ...]:
    if evidence.trouble is not None:
        return (f"Held: there is no verdict. {evidence.trouble}",)
    said = change(comparison)
    would = f"A candidate that is no better would do as well {chance(comparison.p_value)}"
    if promoted:
        first = f"The candidate is better on held-out examples: {said}. {would}."
        return first, *_group_warning(comparison, alpha)
    if comparison.difference <= 0.0:
        return (f"Held: the candidate did not score higher: {said}.",)
    if comparison.p_value <= alpha:
        short = f"smaller than {number(min_gain)}, which is asked for"
        return (f"Held: the gain is real but {short}: {said}.",)
    first = f"Held: the gain may be luck: {said}. {would}; the limit is {rate(alpha)}."
    if comparison.n_needed is None:
        return (first,)
    return first, f"About {comparison.n_needed} examples would show a gain of this size."


def _group_warning(comparison: Comparison, alpha: float) -> tuple[str, ...]:
    if comparison.units >= min(_FEW_GROUPS, comparison.n):
        return ()
    warning = (
        f"Only {comparison.units} independent groups stand behind these examples; with so few a "
        f"lucky candidate may get through somewhat more often than in {rate(alpha)} of runs."
    )
    return (warning,)
