from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.core.comparison import More
from gepa_ci.gate import compare
from gepa_ci.gate.evidence import gather

NAN = float("nan")

tables = st.integers(1, 3).flatmap(
    lambda trials: st.lists(
        st.tuples(
            st.lists(st.sampled_from([0.0, 0.25, 1.0, NAN]), min_size=trials, max_size=trials),
            st.lists(st.sampled_from([0.0, 0.25, 1.0, NAN]), min_size=trials, max_size=trials),
        ),
        min_size=1,
        max_size=30,
    )
)


def trouble(base: list[float], candidate: list[float]) -> str | None:
    return gather(base, candidate, alpha=0.05, groups=None, weights=None).trouble


def test_a_comparison_has_the_figures_of_the_report() -> None:
    base = [1.0] * 45 + [0.0] * 55
    candidate = [1.0] * 41 + [0.0] * 4 + [1.0] * 31 + [0.0] * 24
    comparison = compare(base, candidate)

    assert (comparison.n, comparison.units, comparison.missing) == (100, 100, 0)
    assert (comparison.wins, comparison.losses, comparison.ties) == (31, 4, 65)
    assert comparison.baseline_mean == pytest.approx(0.45)
    assert comparison.candidate_mean == pytest.approx(0.72)
    assert comparison.difference == pytest.approx(0.27)
    assert comparison.interval.low == pytest.approx(0.1766, abs=1e-4)
    assert comparison.interval.level == pytest.approx(0.9)
    assert comparison.p_value == comparison.p_better < 1e-5
    assert comparison.p_worse > 0.99999
    assert comparison.n_needed is None


@given(tables)
def test_swapping_the_prompts_mirrors_the_comparison(
    table: list[tuple[list[float], list[float]]],
) -> None:
    base, candidate = np.array([row[0] for row in table]), np.array([row[1] for row in table])
    there, back = compare(base, candidate), compare(candidate, base)

    assert back.difference == pytest.approx(-there.difference)
    assert (back.wins, back.losses, back.ties) == (there.losses, there.wins, there.ties)
    assert back.interval.low == pytest.approx(-there.interval.high)
    assert back.mde == pytest.approx(there.mde)
    assert (back.missing, back.more) == (there.missing, there.more)


@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_examples_changes_nothing(
    table: list[tuple[list[float], list[float]]], random: object
) -> None:
    shuffled = list(table)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (
        compare(np.array([row[0] for row in rows]), np.array([row[1] for row in rows]))
        for rows in (table, shuffled)
    )

    assert second.difference == pytest.approx(first.difference)
    assert (second.p_better, second.p_worse) == (first.p_better, first.p_worse)
    assert second.interval.low == pytest.approx(first.interval.low)


@given(tables)
def test_an_example_without_a_score_changes_only_what_is_missing(
    table: list[tuple[list[float], list[float]]],
) -> None:
    base, candidate = np.array([row[0] for row in table]), np.array([row[1] for row in table])
    nothing = np.full((1, base.shape[1]), NAN)
    one = np.ones((1, base.shape[1]))
    first = compare(base, candidate)
    second = compare(np.vstack((base, nothing)), np.vstack((candidate, one)))

    assert second.missing == first.missing + 1
    assert (second.n, second.difference, second.p_better) == (
        first.n,
        first.difference,
        first.p_better,
    )


def test_noise_of_the_model_asks_for_trials() -> None:
    base = [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]] * 20
    candidate = [[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]] * 20

    assert compare(base, candidate).more is More.TRIALS


def test_differences_between_examples_ask_for_examples() -> None:
    base = [[1.0] * 3, [0.0] * 3] * 20
    candidate = [[0.0] * 3, [1.0] * 3] * 20

    assert compare(base, candidate).more is More.EXAMPLES


def test_one_trial_cannot_say_what_to_ask_for() -> None:
    assert compare([1.0, 0.0], [0.0, 1.0]).more is None


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, -0.1])
def test_an_unusable_alpha_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha must be between 0 and"):
        compare([1.0], [1.0], alpha=alpha)


def test_a_tenth_of_the_examples_may_be_missing() -> None:
    assert trouble([NAN] * 5 + [1.0] * 45, [1.0] * 50) is None


def test_more_than_a_tenth_missing_is_trouble() -> None:
    said = trouble([NAN] * 3 + [1.0] * 47, [1.0] * 47 + [NAN] * 3)

    assert said is not None
    assert said.startswith("6 of 50 examples have no score for one prompt or both")


def test_failures_on_one_side_are_trouble_below_a_tenth() -> None:
    said = trouble([1.0] * 100, [1.0] * 91 + [NAN] * 9)

    assert said is not None
    assert "0 of 100 trials of the baseline but 9 of 100 of the candidate" in said


def test_nothing_to_compare_is_trouble() -> None:
    assert trouble([NAN, 1.0], [1.0, NAN]) == (
        "No example has a score for both prompts, so there is nothing to compare."
    )
