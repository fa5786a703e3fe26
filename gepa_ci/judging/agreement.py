"""Owns how far a judge agrees with humans and with itself: kappa, confusion, rank correlation.

Cohen's kappa with quadratic weights (Cohen 1968) is computed from the scores themselves: the mean
squared difference against the one expected of unrelated scores with the same margins. On a scale
of whole steps this is the usual coefficient; on one without steps it is Lin's concordance (1989).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gepa_ci.core.comparison import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 4_000
LEVEL = 0.95


def quadratic_kappa(judge: Floats, human: Floats) -> float:
    """Return Cohen's kappa with quadratic weights; NaN when all scores are one and the same."""
    ones = np.ones((1, judge.size))
    return float(_kappas(judge, human, ones)[0])


def kappa_interval(
    judge: Floats, human: Floats, units: Sequence[str], *, seed: int = 0
) -> Interval:
    """Return kappa's percentile bootstrap interval; outputs of one unit are drawn together."""
    _, index = np.unique(np.asarray(units), return_inverse=True)
    count = int(index.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS)
    found = _kappas(judge, human, drawn[:, index].astype(np.float64))
    tail = (1 - LEVEL) / 2
    # A draw of equal scores says nothing: it counts as no agreement, the worse of two readings.
    low, high = np.quantile(np.nan_to_num(found), (tail, 1 - tail))
    return Interval(low=float(low), high=float(high), level=LEVEL)


def _kappas(judge: Floats, human: Floats, weights: Floats) -> Floats:
    """Return kappa for each row of weights."""
    total = weights.sum(axis=1)
    apart = weights @ (judge - human) ** 2
    mean_judge, mean_human = weights @ judge / total, weights @ human / total
    squares = weights @ (judge**2 + human**2)
    expected = squares - 2 * total * mean_judge * mean_human
    # Rounding leaves a trace of what is exactly 0 when all scores are equal.
    valid = expected > 1e-12 * np.maximum(squares, 1e-12)
    return np.where(valid, 1 - apart / np.where(valid, expected, 1.0), np.nan)


def confusion(judge: Floats, human: Floats, steps: Sequence[float]) -> tuple[tuple[int, ...], ...]:
    """Return how often a human's step, by row, met a judge's step, by column."""
    place = {step: number for number, step in enumerate(steps)}
    table = np.zeros((len(steps), len(steps)), dtype=int)
    for row, column in zip(human.tolist(), judge.tolist(), strict=True):
        table[place[row], place[column]] += 1
    return tuple(tuple(int(cell) for cell in row) for row in table)


def spearman(judge: Floats, human: Floats) -> float | None:
    """Return the rank correlation; None when one side's scores are all equal."""
    from scipy.stats import rankdata

    if np.ptp(judge) == 0 or np.ptp(human) == 0:
        return None
    return float(np.corrcoef(rankdata(judge), rankdata(human))[0, 1])


def repeat_agreement(samples: Floats) -> float:
    """Return how often two answers about the same output give the same score: n by k samples."""
    count = samples.shape[1]
    same = (samples[:, :, None] == samples[:, None, :]).sum(axis=(1, 2)) - count
    return float(same.mean() / (count * (count - 1)))


def reliability(samples: Floats, width: int) -> float:
    """Return the share of the variance of scores, means of `width` answers, that outputs explain.

    The intraclass correlation ICC(1) of one answer (Shrout and Fleiss 1979), stepped up to `width`
    by the formula of Spearman and Brown; between 0 and 1.
    """
    n, count = samples.shape
    means = samples.mean(axis=1)
    between = count * float(((means - means.mean()) ** 2).sum()) / max(1, n - 1)
    within = float(((samples - means[:, None]) ** 2).sum()) / (n * (count - 1))
    if between == within == 0:
        return 0.0
    one = max(0.0, (between - within) / (between + (count - 1) * within))
    return float(width * one / (1 + (width - 1) * one))
