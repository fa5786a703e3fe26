from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.gate.bounds import planned_mde, plus_two


def test_plus_two_is_bonett_and_prices_bound_for_zero_and_one() -> None:
    # 31 wins, 4 losses of 100: mean 27 / 102, variance (35 + 2) / 102 - mean^2.
    moments = plus_two(np.array([1.0] * 31 + [-1.0] * 4 + [0.0] * 65))

    mean = 27 / 102
    half = 1.6448536 * math.sqrt((37 / 102 - mean**2) / 102)
    assert moments.lower(0.05) == pytest.approx(mean - half, abs=1e-7)
    assert moments.upper(0.05) == pytest.approx(mean + half, abs=1e-7)


@pytest.mark.parametrize(
    ("discordance", "n", "mde"),
    [(0.2, 50, 0.16), (0.2, 100, 0.11), (0.2, 200, 0.08), (0.2, 500, 0.05)],
)
def test_mde_is_two_and_a_half_standard_errors(discordance: float, n: int, mde: float) -> None:
    assert planned_mde(n, discordance=discordance) == pytest.approx(mde, abs=0.011)


def test_mde_is_never_above_one() -> None:
    assert plus_two(np.zeros(0)).mde(0.05) == 1.0


def test_ties_leave_a_variance() -> None:
    assert plus_two(np.zeros(20)).lower(0.05) == pytest.approx(-0.1057, abs=1e-4)


@given(st.lists(st.floats(-1, 1), max_size=50))
def test_bounds_stay_within_the_scale_and_in_order(units: list[float]) -> None:
    moments = plus_two(np.array(units))

    assert -1.0 <= moments.lower(0.05) <= moments.upper(0.05) <= 1.0
    assert moments.lower(0.01) <= moments.lower(0.05)


def test_units_needed_follow_the_formula() -> None:
    moments = plus_two(np.array([1.0, -1.0] * 10 + [0.0] * 78))

    # Variance 22 / 100; an effect of 0.05 at alpha 0.05 and power 0.8.
    root = (1.6448536 * math.sqrt(0.22) + 0.8416212 * math.sqrt(0.22 - 0.0025)) / 0.05
    assert moments.units_needed(0.05, 0.05) == math.ceil(root**2)


def test_an_effect_larger_than_the_spread_needs_few_units() -> None:
    assert plus_two(np.zeros(500)).units_needed(0.5, 0.05) == 1


def test_a_smaller_effect_needs_more_units() -> None:
    moments = plus_two(np.array([1.0, -1.0] * 10))

    assert moments.units_needed(0.05, 0.05) > moments.units_needed(0.10, 0.05)


def test_an_effect_of_almost_nothing_needs_very_many_units() -> None:
    moments = plus_two(np.array([1.0, -1.0, 0.0, 0.0]))

    assert moments.units_needed(1e-300, 0.05) == moments.units_needed(1e-6, 0.05) > 10**12
