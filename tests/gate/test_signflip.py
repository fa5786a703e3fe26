from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, permutation_test

from gepa_ci.gate.signflip import LATTICE, SignFlip, sign_flip


def enumerate_all(values: list[int]) -> tuple[float, float, float]:
    """P(sum >= observed), P(sum <= observed) and P(sum == observed) over all sign patterns."""
    observed = sum(values)
    sums = [
        sum(sign * value for sign, value in zip(signs, values, strict=True))
        for signs in itertools.product((-1, 1), repeat=len(values))
    ]
    total = len(sums)
    return (
        sum(s >= observed for s in sums) / total,
        sum(s <= observed for s in sums) / total,
        sum(s == observed for s in sums) / total,
    )


def assert_is_enumerated(result: SignFlip, values: list[int]) -> None:
    better, worse, atom = enumerate_all(values)
    assert result.better == pytest.approx(better, abs=1e-12)
    assert result.worse == pytest.approx(worse, abs=1e-12)
    assert result.better_mid == pytest.approx(better - atom / 2, abs=1e-12)
    assert result.worse_mid == pytest.approx(worse - atom / 2, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    trials=st.integers(1, 3),
    data=st.data(),
)
def test_p_values_are_those_of_all_sign_patterns(trials: int, data: st.DataObject) -> None:
    rights = st.lists(st.integers(0, trials), min_size=1, max_size=10)
    before = data.draw(rights)
    after = data.draw(st.lists(st.integers(0, trials), min_size=len(before), max_size=len(before)))
    differences = np.array(after) / trials - np.array(before) / trials

    values = [b - a for a, b in zip(before, after, strict=True)]
    assert_is_enumerated(sign_flip(differences), values)


def test_unequal_trials_are_exact_too() -> None:
    differences = np.array([2 / 3 - 1 / 2, 1 / 3 - 1.0, 1.0 - 1 / 2, 2 / 3, 0.0, 1 / 3 - 1 / 2])

    assert_is_enumerated(sign_flip(differences), [1, -4, 3, 4, 0, -1])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-840, 840), min_size=1, max_size=10))
def test_graded_differences_are_exact_on_the_lattice(values: list[int]) -> None:
    assert_is_enumerated(sign_flip(np.array(values) / LATTICE), values)


def test_twelve_examples_of_three_trials_match_enumeration() -> None:
    values = [3, -1, 2, 2, 0, 1, -2, 3, 1, 1, -3, 2]

    assert_is_enumerated(sign_flip(np.array(values) / 3), values)


def test_integer_differences_match_scipys_permutation_test() -> None:
    values = np.array([1, 2, -1, 3, 0, 1, -2, 2, 1], dtype=float)
    expected = permutation_test(
        (values,), np.sum, permutation_type="samples", alternative="greater", n_resamples=2**9
    )

    assert sign_flip(values).better == pytest.approx(float(expected.pvalue), abs=1e-12)


@pytest.mark.parametrize(
    ("wins", "losses"), [(0, 1), (3, 3), (31, 4), (250, 180), (0, 60), (700, 1), (1200, 1100)]
)
def test_one_trial_of_zero_or_one_is_mcnemars_exact_test(wins: int, losses: int) -> None:
    differences = np.array([1.0] * wins + [-1.0] * losses + [0.0] * 7)
    result = sign_flip(differences)

    n = wins + losses
    assert result.better == pytest.approx(binomtest(wins, n, alternative="greater").pvalue, 1e-9)
    assert result.worse == pytest.approx(binomtest(wins, n, alternative="less").pvalue, 1e-9)


def test_thirds_count_ties_of_the_sum() -> None:
    # Sums of thirds in floating point differ in the last digit, which loses these ties.
    result = sign_flip(np.array([1 / 3, 1 / 3, 1 / 3, -1.0, 2 / 3, -2 / 3]))

    assert_is_enumerated(result, [1, 1, 1, -3, 2, -2])


def test_all_ties_say_nothing() -> None:
    result = sign_flip(np.zeros(30))

    assert result == SignFlip(better=1.0, worse=1.0, better_mid=0.5, worse_mid=0.5)


def test_no_example_says_nothing() -> None:
    assert sign_flip(np.zeros(0)).better == 1.0


@given(
    st.lists(st.sampled_from([-1.0, -2 / 3, -0.25, 0.0, 0.2, 1 / 3, 1.0]), max_size=40),
    st.integers(0, 20),
)
def test_ties_change_no_p_value(differences: list[float], ties: int) -> None:
    assert sign_flip(np.array(differences)) == sign_flip(np.array(differences + [0.0] * ties))


@given(
    st.lists(st.floats(-1, 1), max_size=30).flatmap(
        lambda ds: st.tuples(st.just(ds), st.permutations(ds))
    )
)
def test_order_changes_no_p_value(both: tuple[list[float], list[float]]) -> None:
    assert sign_flip(np.array(both[0])) == sign_flip(np.array(both[1]))


@given(st.lists(st.floats(-1, 1), max_size=60))
def test_p_values_are_probabilities_and_mirror(differences: list[float]) -> None:
    result, mirrored = sign_flip(np.array(differences)), sign_flip(-np.array(differences))

    for value in (result.better, result.worse, result.better_mid, result.worse_mid):
        assert 0.0 <= value <= 1.0
    assert (mirrored.better, mirrored.worse) == (result.worse, result.better)
    assert (mirrored.better_mid, mirrored.worse_mid) == (result.worse_mid, result.better_mid)


def test_signs_flip_together_within_a_unit() -> None:
    differences = np.array([1.0, 1.0, -1.0, 1.0, 0.0, 1.0])
    units = np.array([0, 0, 1, 1, 2, 2])

    assert_is_enumerated(sign_flip(differences, units), [2, 0, 1])


def test_the_window_of_a_large_lattice_cuts_nothing_that_matters() -> None:
    rng = np.random.default_rng(5)
    values = rng.integers(-300, 420, 150)
    result = sign_flip(values / LATTICE)

    pmf = np.ones(1)
    for value in values:
        step = np.zeros(2 * abs(int(value)) + 1)
        step[0] += 0.5
        step[-1] += 0.5
        pmf = np.convolve(pmf, step)
    at = pmf.size // 2 + int(values.sum())
    assert np.abs(values).sum() > 20_000
    assert result.better == pytest.approx(float(pmf[at:].sum()), abs=1e-13)


@pytest.mark.parametrize("n", [2000, 30_000])
def test_many_graded_scores_agree_with_the_normal_tail(n: int) -> None:
    rng = np.random.default_rng(3)
    differences = rng.random(n) - rng.random(n) + 0.01

    result = sign_flip(differences)

    z = differences.sum() / math.sqrt((differences**2).sum())
    assert result.better == pytest.approx(float(norm.sf(z)), rel=0.2, abs=1e-6)


def test_a_sum_beyond_the_window_gets_a_tiny_p_value() -> None:
    differences = np.concatenate((np.full(100, 1.0), np.full(100, 839 / 840)))
    result = sign_flip(differences)

    assert 0.0 < result.better < 1e-15
    assert result.worse == 1.0
    assert result.worse_mid == 1.0


def test_a_lattice_of_one_point_ends_the_coarsening() -> None:
    assert sign_flip(np.array([0.4, 1.0]), lattice=1).better == 0.5


def test_all_small_cases_match_enumeration() -> None:
    """Up to twelve examples that differ, of up to three trials, whatever the signs were."""
    for n in range(1, 13):
        signs = np.array(list(itertools.product((-1, 1), repeat=n)))
        for sizes in itertools.combinations_with_replacement((1, 2, 3), n):
            sums, first, counts = np.unique(signs @ sizes, return_index=True, return_counts=True)
            at_least = counts[::-1].cumsum()[::-1] / len(signs)
            atoms = counts / len(signs)
            for place in range(len(sums)):
                found = sign_flip(signs[first[place]] * sizes / 3)

                assert math.isclose(found.better, at_least[place], rel_tol=1e-12)
                assert math.isclose(found.better_mid, at_least[place] - atoms[place] / 2)
