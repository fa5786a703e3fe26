from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from gepa_ci.gate import regression
from gepa_ci.gate.noise import Noise
from gepa_ci.gate.power import POWER, Chances, chances, smallest_seen, units_for

USUAL = Noise()
RUNS = 800
NEAR = 3 * 0.5 / RUNS**0.5
"""Three standard errors of a simulated share."""


def seen(units: int, effect: float, trials: int, noise: Noise = USUAL) -> float:
    return chances(units, effect, trials, alpha=0.05, margin=0.1, noise=noise).seen


@cache
def simulated(units: int, effect: float, trials: int, margin: float) -> Chances:
    """Ask the shipped test about examples of which two runs differ on a tenth."""
    rng = np.random.default_rng([units, trials, round(1000 * effect)])
    shown = passed = 0
    for _ in range(RUNS):
        before = rng.beta(0.364, 0.091, units)[:, np.newaxis]
        after = np.where(rng.random((units, 1)) < effect / 0.8, 0.0, before)
        base, head = (
            (rng.random((units, trials)) < chance).astype(float) for chance in (before, after)
        )
        found = regression(base, head, margin=margin)
        low, verdict = found.comparison.interval.low, found.verdict.value
        passed += verdict in {"pass", "improved"}
        shown += verdict == "regression" or (low > -margin and found.comparison.p_worse <= 0.05)
    return Chances(seen=shown / RUNS, passes=passed / RUNS)


@pytest.mark.parametrize(
    ("units", "effect", "trials", "power"),
    [
        (100, 0.10, 1, 0.76),
        (100, 0.10, 3, 0.93),
        (200, 0.05, 1, 0.59),
        (200, 0.05, 3, 0.84),
        (500, 0.05, 1, 0.91),
        (100, 0.05, 1, 0.37),
        (100, 0.05, 3, 0.55),
    ],
)
def test_the_power_is_that_of_large_simulations(
    units: int, effect: float, trials: int, power: float
) -> None:
    assert seen(units, effect, trials) == pytest.approx(power, abs=0.02)


@pytest.mark.parametrize("trials", [1, 2, 3])
@pytest.mark.parametrize(("units", "effect"), [(15, 0.3), (40, 0.2), (60, 0.1)])
def test_the_chances_are_those_of_the_shipped_test(units: int, effect: float, trials: int) -> None:
    found = chances(units, effect, trials, alpha=0.05, margin=0.1, noise=Noise(churn=0.0))
    wanted = simulated(units, effect, trials, 0.1)

    assert found.seen == pytest.approx(wanted.seen, abs=NEAR)
    assert found.passes == pytest.approx(wanted.passes, abs=NEAR)


@pytest.mark.parametrize(("units", "trials"), [(20, 1), (100, 1), (100, 3), (500, 1), (3000, 3)])
def test_a_drop_that_is_none_is_hardly_ever_seen(units: int, trials: int) -> None:
    assert seen(units, 0.0, trials) <= 0.055


@pytest.mark.parametrize("trials", [1, 3])
def test_more_of_anything_helps(trials: int) -> None:
    by_effect = [seen(80, effect / 100, trials) for effect in range(0, 30, 5)]
    by_units = [seen(units, 0.1, trials) for units in (20, 50, 100, 200)]

    assert by_effect == sorted(by_effect)
    assert by_units == sorted(by_units)
    assert seen(80, 0.1, 3) > seen(80, 0.1, 1)
    assert seen(80, 0.1, trials, Noise(flip=0.0)) > seen(80, 0.1, trials, Noise(flip=0.4))


@pytest.mark.parametrize(("trials", "units"), [(1, 2000), (2, 1000), (3, 666)])
def test_the_normal_approximation_takes_over_without_a_step(trials: int, units: int) -> None:
    exact, normal = (
        chances(size, 0.02, trials, alpha=0.05, margin=0.03, noise=USUAL)
        for size in (units, units + 1)
    )

    assert normal.seen == pytest.approx(exact.seen, abs=0.01)
    assert normal.passes == pytest.approx(exact.passes, abs=0.025)


def test_fewer_than_twenty_examples_pass_nothing() -> None:
    assert chances(19, 0.0, 1, alpha=0.05, margin=0.5, noise=USUAL).passes == 0.0
    assert chances(20, 0.0, 1, alpha=0.05, margin=0.5, noise=USUAL).passes > 0.9


def test_a_model_that_repeats_itself_gains_nothing_from_trials() -> None:
    certain = Noise(flip=0.0, churn=0.0)

    assert seen(50, 0.1, 3, certain) == pytest.approx(seen(50, 0.1, 1, certain), abs=0.02)
    assert seen(50, 0.0, 3, certain) == 0.0


@pytest.mark.parametrize("trials", [1, 3])
@pytest.mark.parametrize("units", [20, 93, 400])
def test_the_smallest_drop_seen_is_where_the_power_is_reached(units: int, trials: int) -> None:
    smallest = smallest_seen(units, trials, alpha=0.05, noise=USUAL)

    assert smallest is not None
    assert seen(units, smallest, trials) >= POWER
    assert seen(units, smallest - 0.002, trials) < POWER


def test_no_drop_is_seen_by_a_handful_of_examples() -> None:
    assert smallest_seen(3, 1, alpha=0.05, noise=USUAL) is None


@pytest.mark.parametrize(("effect", "trials"), [(0.5, 1), (0.1, 1), (0.1, 3), (0.02, 1)])
def test_the_units_for_a_drop_reach_the_power(effect: float, trials: int) -> None:
    units = units_for(effect, trials, alpha=0.05, noise=USUAL)

    assert seen(units, effect, trials) >= POWER
    assert seen(round(0.93 * units), effect, trials) < POWER


@pytest.mark.parametrize(
    ("units", "effect", "trials"), [(0, 0.1, 1), (10, 0.1, 0), (10, 0.6, 1), (10, -0.1, 1)]
)
def test_what_is_out_of_range_is_refused(units: int, effect: float, trials: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        seen(units, effect, trials)
