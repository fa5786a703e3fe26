"""Tests of gepa_ci.gate.drift: by hand, by its laws, and by simulated nights."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from gepa_ci.gate.drift import Reading, drifts, interval, standard_error


def reading(right: int, n: int = 100, question: str = "q") -> Reading:
    """Return a night on which so many of n examples were right."""
    scores = [1.0] * right + [0.0] * (n - right)
    return Reading(question=question, mean=right / n, error=standard_error(scores), n=n)


def nights(
    seed: int, easy: list[float], count: int, *, at: int = 0, drop: float = 0.0
) -> list[Reading]:
    """Return nights of a model that is right so often on each example, and less from `at` on."""
    chance = random.Random(seed)
    return [
        reading(
            sum(chance.random() < p - (drop if night >= at else 0.0) for p in easy), n=len(easy)
        )
        for night in range(count)
    ]


def test_standard_error_is_that_of_a_mean() -> None:
    assert standard_error([0.0, 1.0]) == pytest.approx(0.5)
    assert standard_error([1.0, 1.0, 0.0, 0.0]) == pytest.approx(math.sqrt(1 / 3 / 4))
    assert standard_error([0.5] * 9) == 0.0
    assert standard_error([1.0]) == 0.0


def test_standard_error_of_equal_weights_is_that_without() -> None:
    scores = [0.0, 0.25, 1.0, 1.0]

    assert standard_error(scores, [2.0] * 4) == pytest.approx(standard_error(scores))
    assert standard_error(scores, [1.0, 1, 9, 9]) < standard_error(scores)


@pytest.mark.parametrize("right", [0, 1, 50, 99, 100])
def test_interval_holds_the_mean_and_has_a_length(right: int) -> None:
    one = reading(right)
    low, high = interval(one.mean, one.error, one.n)

    assert 0.0 <= low <= one.mean <= high <= 1.0
    assert high - low > 0.02


def test_interval_of_95_percent_covers_that_often() -> None:
    chance = random.Random(1)
    covered = 0
    for _ in range(400):
        one = reading(sum(chance.random() < 0.8 for _ in range(60)), n=60)
        low, high = interval(one.mean, one.error, one.n)
        covered += low <= 0.8 <= high

    assert 0.92 <= covered / 400 <= 0.98


def test_z_is_as_the_module_says() -> None:
    (drift,) = drifts([reading(80), reading(40)], alpha=0.01)

    # Each night with one right and one wrong example more: 81 and 41 of 102; and how far the
    # nights are from the mean of both, which is 0.2.
    within = (81 * 21 + 41 * 61) / 102**2 / 101 / 2
    common = within + 0.2**2 / 100
    assert drift.z == pytest.approx(-0.4 / math.sqrt(2 * common))
    assert (drift.since, drift.seen) == (1, 1)
    assert (drift.before, drift.after) == pytest.approx((0.8, 0.4))


def test_drift_the_other_way_has_the_other_sign() -> None:
    (down,) = drifts([reading(80), reading(40)])
    (up,) = drifts([reading(20), reading(60)])

    assert up.z == pytest.approx(-down.z)


def test_only_readings_of_the_same_question_are_compared() -> None:
    assert drifts([reading(90), reading(10, question="other")]) == ()
    assert drifts([reading(90), reading(10, question="other"), reading(90)]) == ()
    (drift,) = drifts([reading(90), reading(50, question="other"), reading(10)])
    assert drift.since == 2
    assert (drift.before, drift.after) == pytest.approx((0.9, 0.1))


def test_a_new_level_is_the_standard_for_what_follows() -> None:
    found = drifts([reading(90)] * 5 + [reading(30)] * 20 + [reading(90)] * 3)

    assert [(drift.since, drift.seen) for drift in found] == [(5, 5), (25, 25)]


def test_nothing_and_one_reading_have_no_drift() -> None:
    assert drifts([]) == ()
    assert drifts([reading(50)]) == ()
    assert drifts([replace(reading(100), n=1, error=0.0)] * 3) == ()


def test_all_right_and_then_nearly_all_right_is_no_drift() -> None:
    assert drifts([reading(10, n=10)] * 30 + [reading(9, n=10)]) == ()


@pytest.mark.parametrize(
    ("name", "easy"),
    [
        ("all examples alike, where the test is not cautious", [0.5] * 30),
        ("few examples", [0.5] * 10),
        ("easy examples", [0.95] * 30),
        ("examples that differ", [0.3 + 0.02 * i for i in range(35)]),
    ],
)
def test_without_drift_hardly_any_history_of_100_nights_has_an_alarm(
    name: str, easy: list[float]
) -> None:
    alarms = sum(bool(drifts(nights(seed, easy, 100))) for seed in range(60))

    # At most 1% of histories; more than 4 of 60 would come up in fewer than 0.1% of tests.
    assert alarms <= 4, name


def test_a_drop_of_15_points_on_100_examples_is_seen_within_a_few_nights() -> None:
    chance = random.Random(7)
    easy = [chance.betavariate(4, 1) for _ in range(100)]
    lags = []
    for seed in range(20):
        found = drifts(nights(seed, easy, 45, at=30, drop=0.15))
        lags.append(found[0].seen - 29 if found else 99)
        assert len(found) <= 1

    assert sorted(lags)[10] <= 4
    assert max(lags) <= 10


def test_a_long_history_is_searched_at_once() -> None:
    # 2,000 entries are the most that are kept; each is looked at once.
    assert drifts([reading(80)] * 2_000) == ()
