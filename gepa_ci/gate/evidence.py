"""Owns the comparison that every verdict is read from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gepa_ci.core.comparison import Comparison, Interval, More
from gepa_ci.gate.bounds import PlusTwo, pairs_for, plus_two
from gepa_ci.gate.errorrates import fisher_exact
from gepa_ci.gate.pairing import Pairs, pair
from gepa_ci.gate.signflip import SignFlip, sign_flip

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike

_MOST_MISSING = 0.10
_ERROR_LEVEL = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What two arrays of scores say, before anybody decides anything."""

    pairs: Pairs
    """One difference per example and per unit."""
    test: SignFlip
    """The sign-flip test."""
    moments: PlusTwo
    """Moments for bounds and sample sizes."""
    comparison: Comparison
    """The figures for a report."""
    trouble: str | None
    """A finished sentence when failed calls forbid a verdict."""


def gather(
    baseline: ArrayLike,
    candidate: ArrayLike,
    *,
    alpha: float,
    groups: Sequence[Hashable] | None,
    weights: ArrayLike | None,
) -> Evidence:
    """Pair, test and bound the difference of two prompts' scores.

    Raises:
        ValueError: alpha is not in (0, 0.5), or the arrays do not fit together.
    """
    check_alpha(alpha)
    pairs = pair(baseline, candidate, groups=groups, weights=weights)
    test = sign_flip(pairs.differences * pairs.weights, pairs.groups, lattice=pairs.lattice)
    moments = plus_two(pairs.units)
    return Evidence(
        pairs=pairs,
        test=test,
        moments=moments,
        comparison=_comparison(pairs, test, moments, alpha),
        trouble=trouble(n=pairs.n, missing=pairs.missing, failed=pairs.failed, asked=pairs.asked),
    )


def check_alpha(alpha: float) -> None:
    """Refuse an error rate that is none.

    Raises:
        ValueError: alpha is not in (0, 0.5).
    """
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha must be between 0 and 0.5, not {alpha}")


def with_bounds(evidence: Evidence, alpha: float, level: float) -> Comparison:
    """Return the comparison with bounds of that one-sided level; they keep the name of alpha's.

    Bounds that are looked at several times are wider each time, so that all hold at once.
    """
    moments = plus_two(evidence.pairs.units, pairs=pairs_for(level, alpha))
    interval = replace(
        evidence.comparison.interval, low=moments.lower(level), high=moments.upper(level)
    )
    return replace(evidence.comparison, interval=interval)


def compare(
    baseline: ArrayLike,
    candidate: ArrayLike,
    *,
    alpha: float = 0.05,
    groups: Sequence[Hashable] | None = None,
    weights: ArrayLike | None = None,
) -> Comparison:
    """Compare two prompts' scores without deciding anything."""
    return gather(baseline, candidate, alpha=alpha, groups=groups, weights=weights).comparison


def _comparison(pairs: Pairs, test: SignFlip, moments: PlusTwo, alpha: float) -> Comparison:
    wins, losses = pairs.wins_and_losses()
    return Comparison(
        n=pairs.n,
        units=pairs.units.size,
        missing=pairs.missing,
        baseline_mean=pairs.baseline_mean,
        candidate_mean=pairs.candidate_mean,
        difference=pairs.candidate_mean - pairs.baseline_mean,
        interval=Interval(
            low=moments.lower(alpha), high=moments.upper(alpha), level=1.0 - 2.0 * alpha
        ),
        p_value=test.better,
        p_better=test.better,
        p_worse=test.worse_mid,
        wins=wins,
        losses=losses,
        ties=pairs.n - wins - losses,
        mde=moments.mde(alpha),
        more=_more(pairs),
    )


def _more(pairs: Pairs) -> More | None:
    if pairs.within is None:
        return None
    spread = float(pairs.differences.var())
    return More.TRIALS if pairs.within > spread / 2 else More.EXAMPLES


def is_too_many(missing: int, total: int) -> bool:
    """Tell whether so many examples have no score that there can be no verdict."""
    return missing > _MOST_MISSING * total


def trouble(*, n: int, missing: int, failed: tuple[int, int], asked: tuple[int, int]) -> str | None:
    """Return a finished sentence when failed calls forbid a verdict.

    `n` examples have scores on both sides and `missing` have not; of the trials `asked` for,
    baseline and candidate, these `failed`.
    """
    if n == 0:
        return "No example has a score for both prompts, so there is nothing to compare."
    if is_too_many(missing, n + missing):
        return (
            f"{missing} of {n + missing} examples have no score for one prompt or both, more than "
            f"10%: the calls failed, which says nothing about the prompt. Run it again."
        )
    p_value = fisher_exact(failed, asked)
    if p_value < _ERROR_LEVEL:
        return (
            f"Calls failed for {failed[0]} of {asked[0]} trials of the baseline but {failed[1]} of "
            f"{asked[1]} of the candidate, more than chance explains (p = {p_value:.2g}), so "
            f"the scores that are there may not be comparable. Run it again."
        )
    return None
