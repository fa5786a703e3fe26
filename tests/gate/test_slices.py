"""Tests of gepa_ci.gate.slices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from gepa_ci.gate import compare, slices
from gepa_ci.gate.slices import MIN_SLICE, MOST_SLICES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]

HOSTILE = "</details>\n@octocat ::error::{{ 7 * 7 }}\u202e"


def scores(n: int, *, losses: int = 0, gains: int = 0) -> tuple[Scores, Scores]:
    """Return 0/1 scores of one trial: the first examples are lost, the last ones gained."""
    base, candidate = np.ones((n, 1)), np.ones((n, 1))
    candidate[:losses] = 0.0
    base[n - gains :] = 0.0
    return base, candidate


def test_a_tag_on_which_much_is_lost_is_flagged_and_never_blocks() -> None:
    base, candidate = scores(60, losses=12)
    tags = [("refund",)] * 20 + [("praise",)] * 40

    refund, praise = slices(base, candidate, tags)

    assert (refund.tag, refund.n) == ("refund", 20)
    assert (refund.baseline_mean, refund.candidate_mean) == pytest.approx((1.0, 0.4))
    assert refund.flagged
    assert refund.sentence == (
        "On the 20 examples tagged 'refund' the candidate looks worse: the mean score went from "
        "1.00 to 0.40 (p < 0.001, adjusted for the number of tags). This does not block."
    )
    assert not praise.flagged
    assert praise.sentence == ""


def test_a_slice_has_the_figures_of_its_examples_alone() -> None:
    rng = np.random.default_rng(3)
    base, candidate = rng.random((40, 3)), rng.random((40, 3))
    tags = [("a", "b") if i % 2 else ("b",) for i in range(40)]
    groups, weights = [f"g{i // 4}" for i in range(40)], rng.integers(1, 4, 40).astype(float)

    found = {s.tag: s for s in slices(base, candidate, tags, groups=groups, weights=weights)}
    alone = compare(base[1::2], candidate[1::2], groups=groups[1::2], weights=weights[1::2])

    assert found["a"].n == 20
    assert found["b"].n == 40
    assert found["a"].p_worse == pytest.approx(alone.p_worse)
    assert found["a"].interval == alone.interval
    assert found["a"].difference == pytest.approx(alone.difference)


def test_p_values_are_adjusted_for_the_number_of_slices_as_statsmodels_does() -> None:
    rng = np.random.default_rng(4)
    base, candidate = (rng.random((300, 1)) < 0.7).astype(float), np.zeros((300, 1))
    candidate[:] = (rng.random((300, 1)) < 0.6).astype(float)
    tags = [(f"t{i % 12}",) for i in range(300)]

    found = slices(base, candidate, tags)
    expected = multipletests([s.p_worse for s in found], method="fdr_bh")[1]

    assert [s.adjusted_p for s in found] == pytest.approx(expected)
    assert [s.adjusted_p for s in found] == sorted(s.adjusted_p for s in found)


def test_a_gain_is_never_flagged() -> None:
    base, candidate = scores(30, gains=30)

    (found,) = slices(base, candidate, [("x",)] * 30)

    assert found.difference == 1.0
    assert not found.flagged


def test_too_few_examples_with_scores_make_no_slice() -> None:
    base, candidate = scores(MIN_SLICE + 5)
    candidate[0] = math.nan
    tags = [("nine",) if i < MIN_SLICE else ("five",) for i in range(MIN_SLICE + 5)]

    assert slices(base, candidate, tags) == ()


def test_a_tag_twice_on_an_example_counts_once() -> None:
    base, candidate = scores(MIN_SLICE)

    (found,) = slices(base, candidate, [("x", "x")] * MIN_SLICE)

    assert found.n == MIN_SLICE


def test_only_the_most_frequent_tags_are_looked_at() -> None:
    many = [f"t{i:03}" for i in range(MOST_SLICES + 20)]
    base, candidate = scores(MIN_SLICE + 1)
    tags = [many] * MIN_SLICE + [many[-5:]]

    found = slices(base, candidate, tags)

    assert len(found) == MOST_SLICES
    assert {s.tag for s in found} >= set(many[-5:])


def test_a_hostile_tag_is_data_and_a_long_one_is_cut_in_the_sentence() -> None:
    base, candidate = scores(30, losses=15)
    tag = HOSTILE + "x" * 10_000

    (found,) = slices(base, candidate, [(tag,)] * 30)

    assert found.tag == tag
    assert len(found.sentence) < 300
    assert found.sentence.endswith("This does not block.")


def test_examples_without_tags_make_no_slices() -> None:
    assert slices(*scores(50, losses=20), [()] * 50) == ()


def test_a_row_of_scores_is_one_trial_each() -> None:
    base, candidate = scores(20, losses=10)
    tags = [("x",)] * 20

    assert slices(base[:, 0], candidate[:, 0], tags) == slices(base, candidate, tags)


def test_tags_of_other_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="tags must be of 20 examples, not 19"):
        slices(*scores(20), [()] * 19)


@pytest.mark.parametrize("n", [250, 1500])
def test_coarser_rounding_of_large_slices_changes_little(n: int) -> None:
    rng = np.random.default_rng(5)
    base, candidate = rng.random((n, 1)), rng.random((n, 1))

    (found,) = slices(base, candidate, [("x",)] * n)

    assert found.p_worse == pytest.approx(compare(base, candidate).p_worse, abs=0.005)


def test_many_large_slices_are_all_compared() -> None:
    rng = np.random.default_rng(6)
    base, candidate = rng.random((2000, 1)), rng.random((2000, 1))

    found = slices(base, candidate, [[f"t{i}" for i in range(50)]] * 2000)

    assert len(found) == 50
