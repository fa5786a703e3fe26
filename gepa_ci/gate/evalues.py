"""Owns evidence for a gain as an e-value, and the promotion that rests on it.

An e-value is what a bet against "no gain" would have multiplied its stake by: at most 1 on average
when there is none, whatever was asked before, so that 1 / e is a p value under any dependence.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gepa_ci.core.verdict import Promotion, PromotionDecision
from gepa_ci.gate.pairing import pair

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray

_BETS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9)
"""Shares of the wealth that are bet; the best depends on the effect, so all share the stake."""


def betting_e_value(differences: ArrayLike) -> float:
    """Return the mean over the bets of the product of 1 + bet * difference.

    Valid when no difference, given those before it, is above 0 on average (Waudby-Smith and
    Ramdas 2024).

    Raises:
        ValueError: a difference is not in [-1, 1].
    """
    steps = np.asarray(differences, dtype=np.float64).ravel()
    if steps.size and not np.abs(steps).max() <= 1.0 + 1e-9:
        raise ValueError("differences must be in [-1, 1]")
    logs = np.log1p(np.outer(_BETS, np.clip(steps, -1.0, 1.0))).sum(axis=1)
    # A float ends at e^709; that much evidence is never needed.
    return float(np.exp(np.minimum(logs, 700.0)).mean())


def e_value(
    base: ArrayLike,
    candidate: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    weights: ArrayLike | None = None,
) -> float:
    """Return the evidence that a candidate scores higher; arrays and groups as for `promotion`.

    A unit that could count for more than one example (a group, a heavy example) is scaled down by
    the most that any could count for, which is known before there are scores.

    Raises:
        ValueError: see `pair`.
    """
    pairs = pair(base, candidate, groups=groups, weights=weights)
    if pairs.n == 0:
        return 1.0
    shares = pairs.weights if pairs.groups is None else _sums(pairs.groups, pairs.weights)
    values = pairs.differences * pairs.weights
    units = values if pairs.groups is None else _sums(pairs.groups, values)
    return betting_e_value(units / shares.max())


def held_without_evidence(
    decision: PromotionDecision, e: float, needed: float | None
) -> PromotionDecision:
    """Return the decision, held when its e-value is below the one that the ledger asks for."""
    if needed is None or decision.verdict is Promotion.HOLD or e >= needed:
        return decision
    reason = (
        f"Held: the gain may be luck, given how often the held-out examples were asked before: "
        f"the evidence for it is {e:.3g} to 1, and the ledger asks for {needed:.4g} to 1."
    )
    return replace(decision, verdict=Promotion.HOLD, reasons=(reason, *decision.reasons[1:]))


def _sums(groups: NDArray[np.intp], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.bincount(groups, weights=values), dtype=np.float64)
