from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from gepa_ci.gate.bounds import pairs_for
from gepa_ci.gate.spending import nominal_levels, spent

TENTHS = tuple(k / 10 for k in range(1, 11))
FIFTHS = tuple(k / 5 for k in range(1, 6))


def z_values(alpha: float, shares: tuple[float, ...]) -> list[float]:
    return [-NormalDist().inv_cdf(level) for level in nominal_levels(alpha, shares)]


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        (TENTHS, [3.29, 2.94, 2.72, 2.55, 2.40, 2.27, 2.15, 2.04, 1.94, 1.85]),
        (FIFTHS, [2.88, 2.47, 2.20, 1.98, 1.79]),
    ],
)
def test_the_bounds_are_those_of_the_spending_function(
    shares: tuple[float, ...], expected: list[float]
) -> None:
    assert z_values(0.05, shares) == pytest.approx(expected, abs=0.006)


def test_one_look_has_all_of_alpha() -> None:
    assert nominal_levels(0.05, (1.0,)) == (0.05,)
    assert pairs_for(0.05, 0.05) == 1.0


def test_all_is_spent_at_the_end() -> None:
    assert spent(0.05, 1.0) == 0.05
    assert spent(0.05, 0.5) == pytest.approx(0.0125)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_uneven_looks_are_crossed_as_often_as_is_spent(alpha: float) -> None:
    shares = (0.13, 0.2, 0.55, 0.6, 1.0)
    rng = np.random.default_rng(4)
    steps = np.sqrt(np.diff((0.0, *shares)))
    walks = np.cumsum(rng.standard_normal((200_000, 5)) * steps, axis=1) / np.sqrt(shares)
    beyond = walks >= z_values(alpha, shares)
    crossed = np.maximum.accumulate(beyond, axis=1).mean(axis=0)

    expected = np.array([spent(alpha, share) for share in shares])
    assert np.all(np.abs(crossed - expected) <= 4 * np.sqrt(expected / 200_000))


def test_many_looks_are_followed_as_well() -> None:
    levels = z_values(0.05, tuple(k / 100 for k in range(1, 101)))

    assert levels == sorted(levels, reverse=True)
    assert 1.9 < levels[-1] < 2.0
