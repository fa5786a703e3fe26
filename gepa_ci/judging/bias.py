"""Owns what a judge should not look at: the length of an output, and its place in a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gepa_ci.gate.signflip import sign_flip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ALPHA = 0.01
"""Chance that a judge without a bias is said to have it."""
SMALLEST = 0.05
"""Share of the scale below which a bias is not worth a word."""
DRAWS = 9_999
_TENTH = 0.1
_ROUNDING = 1e-12
_ALMOST = 1 - 1e-9
_AT_ONCE = 500
"""Permutations that are held in memory together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bias:
    """One bias: how large, and how sure."""

    effect: float
    """Share of the scale: long against short, or first against second place."""
    p_value: float
    """Chance of an effect as large where there is none; two-sided."""
    n: int
    """Outputs, or pairs of them."""
    short: int = 0
    """Characters of a short output, at the first tenth; for length only."""
    long: int = 0
    """Characters of a long one, at the last tenth; for length only."""

    @property
    def is_found(self) -> bool:
        """Return whether it is both sure and large enough to matter."""
        return self.p_value < ALPHA and abs(self.effect) >= SMALLEST


def length_bias(judge: Floats, human: Floats, lengths: Floats, *, seed: int = 0) -> Bias:
    """Test whether outputs get more or less of a judge than of humans the longer they are.

    Two slopes on the logarithm of the length must agree: that of the judge's error, and that of its
    score among outputs which humans score alike. The first is free of the noise in human scores,
    the second of a judge that uses less of the scale than humans; the smaller one is reported, with
    the larger p value of two permutation tests (the second by Freedman and Lane 1983).

    Args:
        judge: The judge's scores as shares of the scale.
        human: Those of humans.
        lengths: Characters of the outputs.
        seed: For the permutations.
    """
    logs = np.log2(1 + lengths)
    short, long = np.quantile(lengths, (_TENTH, 1 - _TENTH))
    span = float(np.log2(1 + long) - np.log2(1 + short))
    pairs = (
        (_centred(judge - human), _centred(logs)),
        (_residuals(judge, human), _residuals(logs, human)),
    )
    found = [_slope(values, by, seed) for values, by in pairs]
    slopes, ps = [slope for slope, _ in found], [p for _, p in found]
    agree = slopes[0] * slopes[1] > 0
    return Bias(
        effect=min(slopes, key=abs) * span if agree else 0.0,
        p_value=max(ps) if agree else 1.0,
        n=judge.size,
        short=int(short),
        long=int(long),
    )


def _slope(values: Floats, by: Floats, seed: int) -> tuple[float, float]:
    squares = float(by @ by)
    if squares < _ROUNDING or float(values @ values) < _ROUNDING:
        return 0.0, 1.0
    observed = float(values @ by)
    rng = np.random.default_rng(seed)
    as_large = 0
    for left in range(DRAWS, 0, -_AT_ONCE):
        orders = rng.permuted(np.tile(values, (min(left, _AT_ONCE), 1)), axis=1)
        # Orders that differ by rounding only count as equal, in favour of the judge.
        as_large += int((np.abs(orders @ by) >= abs(observed) * _ALMOST).sum())
    return observed / squares, (1 + as_large) / (1 + DRAWS)


def _centred(values: Floats) -> Floats:
    return np.asarray(values - values.mean(), dtype=np.float64)


def _residuals(values: Floats, by: Floats) -> Floats:
    centred, other = _centred(values), _centred(by)
    squares = float(other @ other)
    return centred if squares < _ROUNDING else centred - other * float(centred @ other) / squares


def position_bias(firsts: Floats, seconds: Floats) -> Bias | None:
    """Test whether an output gets more in one place of a request than in the other.

    Args:
        firsts: For each pair, the sum of both outputs' scores when shown first, as shares.
        seconds: The same when shown second.

    Returns:
        The bias with an exact sign-flip test over pairs; None without pairs.
    """
    if not firsts.size:
        return None
    differences = (firsts - seconds) / 2
    test = sign_flip(differences)
    return Bias(
        effect=float(differences.mean()),
        p_value=min(1.0, 2 * min(test.better, test.worse)),
        n=firsts.size,
    )
