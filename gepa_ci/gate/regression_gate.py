"""Owns the regression gate: whether a changed prompt may be merged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.core.comparison import Comparison, More
from gepa_ci.core.verdict import RegressionDecision, Verdict
from gepa_ci.gate.evidence import Evidence, gather
from gepa_ci.gate.wording import chance, change, number, rate, things

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike

MIN_UNITS = 20
"""Fewer units than this cannot show that nothing was lost."""
_FEW_UNITS = 50
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
    if not 0.0 <= margin < 1.0:
        raise ValueError(f"margin must be at least 0 and below 1, not {margin}")
    evidence = gather(base, candidate, alpha=alpha, groups=groups, weights=weights)
    verdict = _verdict(evidence, alpha, margin)
    comparison = _comparison(evidence, verdict, alpha, margin)
    return RegressionDecision(
        verdict=verdict,
        comparison=comparison,
        reasons=_reasons(evidence, comparison, verdict, alpha, margin),
        alpha=alpha,
        margin=margin,
    )


def auto_margin(mde: float) -> float:
    """Return the margin that a suite of this MDE can judge: 0.05, or 0.10 for a small suite.

    Work it out once and write it into the config: a margin chosen anew for each pull request
    would be chosen by the data that it judges.
    """
    return _TIGHT_MARGIN if mde <= _TIGHT_MARGIN_MDE else _WIDE_MARGIN


def _verdict(evidence: Evidence, alpha: float, margin: float) -> Verdict:
    test, comparison = evidence.test, evidence.comparison
    if evidence.trouble is not None:
        return Verdict.INCONCLUSIVE
    if comparison.units < MIN_UNITS:
        return Verdict.REGRESSION if test.worse <= alpha else Verdict.INCONCLUSIVE
    if comparison.interval.low > -margin:
        return Verdict.IMPROVED if test.better <= alpha else Verdict.PASS
    if test.worse_mid <= alpha and comparison.difference < 0.0:
        return Verdict.REGRESSION
    return Verdict.INCONCLUSIVE


def _comparison(evidence: Evidence, verdict: Verdict, alpha: float, margin: float) -> Comparison:
    comparison = evidence.comparison
    if verdict is Verdict.IMPROVED:
        return replace(comparison, p_value=comparison.p_better)
    if verdict is Verdict.REGRESSION and comparison.units < MIN_UNITS:
        return replace(comparison, p_value=evidence.test.worse)
    if verdict is not Verdict.INCONCLUSIVE or evidence.trouble is not None:
        return replace(comparison, p_value=comparison.p_worse)
    return replace(
        comparison, p_value=comparison.p_worse, n_needed=_n_needed(evidence, alpha, margin)
    )


def _n_needed(evidence: Evidence, alpha: float, margin: float) -> int | None:
    comparison = evidence.comparison
    if comparison.units < MIN_UNITS and comparison.interval.low > -margin:
        # The number of examples is all that is missing.
        return -(-MIN_UNITS * comparison.n // comparison.units)
    # If the effect is as seen, it has to be told from 0 or from minus the margin, whichever is
    # farther; a lucky gain on few examples must not make the job look easier than a null effect.
    gap = max(-comparison.difference, comparison.difference + margin)
    gap = min(gap, margin)
    if gap <= 0.0:
        return None
    units = max(evidence.moments.units_needed(gap, alpha), comparison.units + 1, MIN_UNITS)
    return -(-units * comparison.n // comparison.units)


def _reasons(
    evidence: Evidence, comparison: Comparison, verdict: Verdict, alpha: float, margin: float
) -> tuple[str, ...]:
    if evidence.trouble is not None:
        return (f"No verdict. {evidence.trouble}",)
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
            "trials of the same examples help too."
        )
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
