"""Owns the regression gate: whether a changed prompt may be merged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gepa_ci.core.comparison import Comparison, More
from gepa_ci.core.verdict import Cause, RegressionDecision, Verdict
from gepa_ci.gate.evidence import Evidence, gather, with_bounds
from gepa_ci.gate.methodline import regression_method
from gepa_ci.gate.progress import Progress
from gepa_ci.gate.wording import chance, change, number, rate, things

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike

MIN_UNITS = 20
"""Fewer units than this cannot show that nothing was lost."""
_FEW_UNITS = 50
_MOST_TRIALS = 32
"""More than this of one example are no sensible advice."""
_TIGHT_MARGIN, _WIDE_MARGIN = 0.05, 0.10
_TIGHT_MARGIN_MDE = 0.075
_CLAIMS = {Verdict.IMPROVED: ("better", "gain"), Verdict.REGRESSION: ("worse", "loss")}


def regression(
    base: ArrayLike,
    candidate: ArrayLike,
    *,
    alpha: float = 0.05,
    margin: float = 0.05,
    groups: Sequence[Hashable] | None = None,
    weights: ArrayLike | None = None,
) -> RegressionDecision:
    """Decide whether a candidate is better, not worse than the margin, worse, or undecided.

    Scores are arrays of n examples by K trials in [0, 1], NaN where a call brought no score.
    Improved: the exact test shows a gain, and the lower bound is above minus the margin.
    Pass: the lower bound is above minus the margin. Regression: the mid-p test shows a loss.
    The first that holds is the verdict; each claim is wrong with probability alpha at most.

    Raises:
        ValueError: the margin is not in [0, 1), or see `gather`.
    """
    check_margin(margin)
    evidence = gather(base, candidate, alpha=alpha, groups=groups, weights=weights)
    verdict = Verdict.INCONCLUSIVE
    if evidence.trouble is None:
        verdict = judge(shown(evidence, alpha, alpha), margin)
    total = evidence.pairs.n + evidence.pairs.missing
    progress = Progress(run=total, planned=total, level=alpha)
    return decide(evidence, verdict, progress, alpha=alpha, margin=margin, block_alpha=alpha)


def check_margin(margin: float) -> None:
    """Refuse a margin that no difference of scores can have.

    Raises:
        ValueError: the margin is not in [0, 1).
    """
    if not 0.0 <= margin < 1.0:
        raise ValueError(f"margin must be at least 0 and below 1, not {margin}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What may be claimed, each claim at its error rate."""

    units: int
    """Units behind it."""
    low: float
    """Lower bound of the effect."""
    worse: bool
    """There is a loss."""
    worse_in_full: bool
    """There is a loss by the test without mid-p, which fewer units need."""
    better: bool
    """There is a gain."""


def shown(evidence: Evidence, alpha: float, block_alpha: float) -> Shown:
    """Return what data that are looked at once, at their end, show."""
    test, comparison = evidence.test, evidence.comparison
    return Shown(
        units=comparison.units,
        low=comparison.interval.low,
        worse=test.worse_mid <= block_alpha and comparison.difference < 0.0,
        worse_in_full=test.worse <= block_alpha,
        better=test.better <= alpha,
    )


def judge(claims: Shown, margin: float) -> Verdict:
    """Return the first verdict that holds."""
    if claims.units < MIN_UNITS:
        return Verdict.REGRESSION if claims.worse_in_full else Verdict.INCONCLUSIVE
    if claims.low > -margin:
        return Verdict.IMPROVED if claims.better else Verdict.PASS
    return Verdict.REGRESSION if claims.worse else Verdict.INCONCLUSIVE


def decide(
    evidence: Evidence,
    verdict: Verdict,
    progress: Progress,
    *,
    alpha: float,
    margin: float,
    block_alpha: float,
) -> RegressionDecision:
    """Put a verdict together with its figures and reasons."""
    comparison = _comparison(evidence, verdict, progress, alpha, margin)
    return RegressionDecision(
        verdict=verdict,
        comparison=comparison,
        reasons=_reasons(evidence, comparison, verdict, progress, alpha, margin),
        alpha=alpha,
        margin=margin,
        method=regression_method(
            evidence.pairs, progress, alpha=alpha, margin=margin, block_alpha=block_alpha
        ),
        planned=progress.planned,
        cause=_cause(evidence, verdict),
    )


def _cause(evidence: Evidence, verdict: Verdict) -> Cause | None:
    if verdict is not Verdict.INCONCLUSIVE:
        return None
    if evidence.trouble is not None:
        return Cause.CALLS_FAILED if evidence.comparison.n else Cause.NOTHING_COMPARED
    return Cause.TOO_FEW if evidence.comparison.units < MIN_UNITS else None


def auto_margin(mde: float) -> float:
    """Return the margin that a suite of this MDE can judge: 0.05, or 0.10 for a small suite.

    Work it out once and write it into the config: a margin chosen anew for each pull request
    would be chosen by the data that it judges.
    """
    return _TIGHT_MARGIN if mde <= _TIGHT_MARGIN_MDE else _WIDE_MARGIN


def _comparison(
    evidence: Evidence, verdict: Verdict, progress: Progress, alpha: float, margin: float
) -> Comparison:
    comparison = with_bounds(evidence, alpha, progress.level)
    if verdict is Verdict.IMPROVED:
        return replace(comparison, p_value=comparison.p_better)
    # Few units, and looks before the last one, decide by the exact test.
    is_exact = comparison.units < MIN_UNITS or progress.is_partial
    if verdict is Verdict.REGRESSION and is_exact:
        return replace(comparison, p_value=evidence.test.worse)
    if verdict is not Verdict.INCONCLUSIVE or evidence.trouble is not None:
        return replace(comparison, p_value=comparison.p_worse)
    needed = _n_needed(evidence, comparison, alpha, margin) if progress.decided else None
    trials = None if needed is None else _trials_needed(evidence, comparison, alpha, margin)
    return replace(
        comparison,
        p_value=comparison.p_worse,
        n_needed=progress.beyond_planned(needed),
        trials_needed=trials,
    )


def _n_needed(
    evidence: Evidence, comparison: Comparison, alpha: float, margin: float
) -> int | None:
    if comparison.units < MIN_UNITS and comparison.interval.low > -margin:
        # The number of examples is all that is missing.
        return -(-MIN_UNITS * comparison.n // comparison.units)
    gap = _gap(comparison, margin)
    if gap <= 0.0:
        return None
    units = max(evidence.moments.units_needed(gap, alpha), comparison.units + 1, MIN_UNITS)
    return -(-units * comparison.n // comparison.units)


def _gap(comparison: Comparison, margin: float) -> float:
    # If the effect is as seen, it has to be told from 0 or from minus the margin, whichever is
    # farther; a lucky gain on few examples must not make the job look easier than a null effect.
    return min(max(-comparison.difference, comparison.difference + margin), margin)


def _trials_needed(
    evidence: Evidence, comparison: Comparison, alpha: float, margin: float
) -> int | None:
    """Return how many trials of the same examples would decide; None when trials alone cannot."""
    pairs, gap = evidence.pairs, _gap(comparison, margin)
    if pairs.within is None or gap <= 0.0 or comparison.units < MIN_UNITS:
        return None
    # A group's difference is scaled by units to examples and sums the examples' own luck.
    luck = min(pairs.within * comparison.units / comparison.n, evidence.moments.variance)
    rest, now = evidence.moments.variance - luck, min(pairs.trials)
    for trials in range(now + 1, _MOST_TRIALS + 1):
        moments = replace(evidence.moments, variance=rest + luck * now / trials)
        if moments.units_needed(gap, alpha) <= comparison.units:
            return trials
    return None


def _reasons(
    evidence: Evidence,
    comparison: Comparison,
    verdict: Verdict,
    progress: Progress,
    alpha: float,
    margin: float,
) -> tuple[str, ...]:
    if evidence.trouble is not None:
        return (f"No verdict. {evidence.trouble}", *progress.reasons())
    said: tuple[str, ...]
    if verdict is Verdict.PASS:
        said = _pass_reasons(comparison, alpha, margin)
    elif verdict is Verdict.INCONCLUSIVE:
        said = _inconclusive_reasons(comparison, margin)
    else:
        word, effect = _CLAIMS[verdict]
        first = (
            f"The candidate is {word}: {change(comparison)}. If it were not, a {effect} like this "
            f"would come up {chance(comparison.p_value)}."
        )
        said = (first,)
    if progress.is_partial:
        # What the examples that were run could have shown does not matter any more.
        return said + progress.reasons()
    return said + _warnings(comparison, margin)


def _pass_reasons(comparison: Comparison, alpha: float, margin: float) -> tuple[str, ...]:
    bound = max(0.0, -comparison.interval.low)
    loss = f"any loss is below {number(bound)}" if bound else "there is no loss"
    first = (
        f"The candidate is not worse than the margin allows: {change(comparison)}. With "
        f"{rate(1 - alpha)} confidence {loss}, within the margin of {number(margin)}."
    )
    if comparison.p_worse > alpha:
        return (first,)
    return first, "There probably is a small loss, but the margin tolerates it."


def _inconclusive_reasons(comparison: Comparison, margin: float) -> tuple[str, ...]:
    if comparison.units < MIN_UNITS:
        first = (
            f"{things(comparison, comparison.n)} are too few for a verdict, which needs "
            f"{MIN_UNITS}: {change(comparison)}."
        )
    else:
        first = (
            f"The data decide neither way: {change(comparison)}. The loss may be as large as "
            f"{number(-comparison.interval.low)}, beyond the margin of {number(margin)}, but that "
            f"there is a loss is not shown either."
        )
    return (first, *_advice(comparison))


def _advice(comparison: Comparison) -> tuple[str, ...]:
    if comparison.n_needed is None:
        return ()
    advice = f"About {comparison.n_needed} held-out examples would probably decide it."
    if comparison.more is More.TRIALS:
        advice += (
            " Most of the noise is the model answering differently from run to run, so more "
            "trials of the same examples help too"
        )
        needed = comparison.trials_needed
        advice += "." if needed is None else f": about {needed} of each."
    elif comparison.more is More.EXAMPLES:
        advice += " More trials of the same examples would help little."
    else:
        advice += (
            " If the model answers differently from run to run, 3 trials of each example are a "
            "cheaper first step."
        )
    return (advice,)


def _warnings(comparison: Comparison, margin: float) -> tuple[str, ...]:
    seen = f"only an effect of {number(comparison.mde)} or more is likely to be seen"
    if comparison.units < _FEW_UNITS:
        return (f"With {things(comparison, comparison.n)} {seen}.",)
    if comparison.mde > 2 * margin > 0.0:
        warning = (
            f"With {things(comparison, comparison.n)} {seen}, more than twice the margin of "
            f"{number(margin)}."
        )
        return (warning,)
    return ()
