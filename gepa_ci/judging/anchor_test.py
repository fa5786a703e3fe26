"""Owns the test whether a judge still scores its anchors as it did when it was calibrated.

Two exact tests, each with its own half of the error rate: a sign-flip test of the paired
differences, which sees scores that moved one way, and a permutation of fresh and recorded scores
within each anchor, which also sees scores that moved both ways. A difference must be large as well
as sure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from gepa_ci.gate.signflip import sign_flip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gepa_ci.core.judging import Anchors, Judgement, Scale

    Floats = NDArray[np.float64]

ALPHA = 0.0005
"""Chance that either test is wrong about a judge that is the same."""
SMALLEST = 0.03
"""Share of the scale that scores must have moved by, on average."""
DRAWS = 9_999
_MOST_SPLITS = 10_000
"""Ways to split an anchor's scores that are listed before they are drawn from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorTest:
    """How far a judge's scores of its anchors have moved."""

    n: int
    """Anchors."""
    shift: float
    """Mean fresh score minus mean recorded score, on the judge's scale."""
    shift_p: float
    """Two-sided p value of the shift."""
    spread: float
    """How much further scores lie apart than two rounds of the same judge, on its scale."""
    spread_p: float
    """P value of that."""
    width: float
    """Length of the scale."""

    @property
    def has_shifted(self) -> bool:
        """Return whether scores have moved one way."""
        return self.shift_p < ALPHA and abs(self.shift) >= SMALLEST * self.width

    @property
    def has_scattered(self) -> bool:
        """Return whether scores have moved, whichever way."""
        return self.spread_p < ALPHA and self.spread >= SMALLEST * self.width

    @property
    def has_moved(self) -> bool:
        """Return whether the judge is not the one that was calibrated."""
        return self.has_shifted or self.has_scattered


def compare_anchors(
    anchors: Anchors, fresh: Sequence[Judgement], scale: Scale, *, seed: int = 0
) -> AnchorTest:
    """Compare fresh scores with the recorded ones, anchor by anchor."""
    rows = [
        (np.asarray(judgement.scores), np.asarray(anchor.scores))
        for judgement, anchor in zip(fresh, anchors.anchors, strict=True)
    ]
    differences = np.array([new.mean() - old.mean() for new, old in rows])
    width = scale.high - scale.low
    test = sign_flip(differences / width)
    spread, spread_p = _spread(rows, seed)
    return AnchorTest(
        n=len(rows),
        shift=float(differences.mean()),
        shift_p=min(1.0, 2 * min(test.better, test.worse)),
        spread=spread,
        spread_p=spread_p,
        width=width,
    )


def _spread(rows: Sequence[tuple[Floats, Floats]], seed: int) -> tuple[float, float]:
    """Return the mean distance above what permutations give, and its p value."""
    rng = np.random.default_rng(seed)
    observed = sum(abs(float(new.mean() - old.mean())) for new, old in rows)
    drawn = np.zeros(DRAWS)
    for new, old in rows:
        if np.ptp(np.concatenate((new, old))) > 0:
            drawn += _distances(new, old, rng)
    as_large = int((drawn >= observed * (1 - 1e-9)).sum())
    return (observed - float(drawn.mean())) / len(rows), (1 + as_large) / (1 + DRAWS)


def _distances(new: Floats, old: Floats, rng: np.random.Generator) -> Floats:
    """Return the distances of means of random splits of an anchor's scores."""
    pooled = np.concatenate((new, old))
    total, k = float(pooled.sum()), new.size
    if math.comb(pooled.size, k) > _MOST_SPLITS:
        sums = rng.permuted(np.tile(pooled, (DRAWS, 1)), axis=1)[:, :k].sum(axis=1)
    else:
        splits = np.array(list(combinations(range(pooled.size), k)))
        sums = rng.choice(pooled[splits].sum(axis=1), size=DRAWS)
    return np.asarray(np.abs(sums / k - (total - sums) / old.size), dtype=np.float64)
