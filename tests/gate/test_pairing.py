from __future__ import annotations

import numpy as np
import pytest

from gepa_ci.gate.pairing import pair

NAN = float("nan")


def test_trials_are_averaged_per_example_first() -> None:
    pairs = pair([[1.0, 0.0, 1.0], [0.0] * 3], [[1.0, 1.0], [1.0, 0.0]])

    assert pairs.differences == pytest.approx([1 / 3, 1 / 2])
    assert pairs.baseline_mean == pytest.approx(1 / 3)
    assert pairs.candidate_mean == pytest.approx(3 / 4)


def test_a_missing_trial_is_not_a_score() -> None:
    pairs = pair([[1.0, NAN], [0.0, 0.0]], [[1.0, 1.0], [NAN, 1.0]])

    assert pairs.differences.tolist() == [0.0, 1.0]
    assert pairs.missing == 0
    assert (pairs.failed, pairs.asked) == ((1, 1), (4, 4))


def test_an_example_without_a_score_on_one_side_is_left_out() -> None:
    pairs = pair([1, NAN, 0, 1], [NAN, 1, 1, 1])

    assert pairs.differences.tolist() == [1.0, 0.0]
    assert (pairs.n, pairs.missing) == (2, 2)
    assert pairs.baseline_mean == 0.5


def test_groups_become_scaled_sums() -> None:
    pairs = pair([0, 0, 1, 0], [1, 1, 0, 1], groups=["a", "a", "b", None])

    # Two thirds of G/n = 3/4: 2 * 3/4, -1 * 3/4, 1 * 3/4; their mean is the mean difference.
    assert pairs.units.tolist() == [1.5, -0.75, 0.75]
    assert pairs.units.mean() == pytest.approx(pairs.candidate_mean - pairs.baseline_mean)


def test_examples_without_a_group_are_units_of_their_own() -> None:
    assert pair([0, 0, 1], [1, 1, 0], groups=[None, None, 0]).units.size == 3


def test_weights_weigh_means_and_units_alike() -> None:
    pairs = pair([0, 1, 1], [1, 0, 1], weights=[3, 1, 1])

    assert pairs.candidate_mean - pairs.baseline_mean == pytest.approx(0.4)
    assert pairs.units.mean() == pytest.approx(0.4)


def test_weights_in_whole_ratios_stay_whole() -> None:
    assert pair([0, 1, 1], [1, 0, 1], weights=[0.3, 0.1, 0.2]).weights.tolist() == [3, 1, 2]


@pytest.mark.parametrize("weights", [[1.0, 2.5], [1.0, 1000.0]])
def test_other_weights_are_relative_to_their_mean(weights: list[float]) -> None:
    assert pair([0, 1], [1, 0], weights=weights).weights.mean() == pytest.approx(1.0)


@pytest.mark.parametrize(("trials", "lattice"), [(1, 840), (9, 2520), (16, 1680), (997, 840)])
def test_the_lattice_fits_the_number_of_trials(trials: int, lattice: int) -> None:
    assert pair(np.zeros((2, trials)), np.zeros(2)).lattice == lattice


def test_noise_of_trials_is_pooled_within_examples() -> None:
    pairs = pair([[1, 0], [1, 1]], [[0, 0], [0, 1]])

    # Both arms: within variance (1/2 + 0) / 2 = 1/4, divided by 2 trials, twice.
    assert pairs.within == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("base", "candidate"),
    [([1, 0], [1, 1]), ([[1, 0], [1, 1]], [1, 1]), ([[1, NAN]], [[1, 1]])],
)
def test_noise_of_trials_is_unknown_without_two_of_them(
    base: list[float], candidate: list[float]
) -> None:
    assert pair(base, candidate).within is None


def test_noise_of_trials_is_unknown_without_a_pair() -> None:
    base = [[NAN, NAN], [1.0, 0.0]]
    candidate = [[1.0, 0.0], [NAN, NAN]]

    assert pair(base, candidate).within is None


def test_no_examples_at_all_are_no_pairs() -> None:
    pairs = pair([], [], weights=[], groups=[])

    assert (pairs.n, pairs.units.size, pairs.baseline_mean) == (0, 0, 0.0)


@pytest.mark.parametrize(
    ("base", "candidate", "options", "message"),
    [
        ([1, 0], [1], {}, "baseline has 2 examples but candidate has 1"),
        ([1.5, 0], [1, 0], {}, r"baseline has a score outside \[0, 1\] at example 0"),
        ([1, 0], [1, -0.5], {}, r"candidate has a score outside \[0, 1\] at example 1"),
        ([1, float("inf")], [1, 0], {}, "baseline has a score outside"),
        ([[[1]]], [1], {}, "baseline must be n examples by K trials, not 3-dimensional"),
        ([1, 0], [1, 0], {"weights": [1]}, "weights must be 2 numbers"),
        ([1, 0], [1, 0], {"weights": [1, 0]}, "weights must be finite and above 0"),
        ([1, 0], [1, 0], {"weights": [1, NAN]}, "weights must be finite and above 0"),
        ([1, 0], [1, 0], {"groups": ["a"]}, "groups must name 2 examples, not 1"),
    ],
)
def test_unusable_arrays_are_refused(
    base: list[float], candidate: list[float], options: dict[str, list[float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pair(base, candidate, **options)
