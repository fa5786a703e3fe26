from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gepa_ci.core.verdict import RegressionDecision, Verdict
from gepa_ci.gate import auto_margin, regression

NAN = float("nan")
Floats = NDArray[np.float64]


def counts(wins: int, losses: int, ties: int, **options: float) -> RegressionDecision:
    base = [0.0] * wins + [1.0] * losses + [1.0] * ties
    candidate = [1.0] * wins + [0.0] * losses + [1.0] * ties
    return regression(base, candidate, **options)  # type: ignore[arg-type]


def test_a_clear_gain_is_improved() -> None:
    decision = counts(31, 4, 65)

    assert decision.verdict is Verdict.IMPROVED
    assert decision.comparison.p_value == decision.comparison.p_better
    assert decision.reasons[0] == (
        "The candidate is better: the mean score went from 0.69 to 0.96 (+0.27) over 100 "
        "examples, 31 better, 4 worse and 65 equal. If it were not, a gain like this would come "
        "up in fewer than 0.1% of runs (p < 0.001)."
    )


def test_a_gain_that_may_be_luck_is_a_pass() -> None:
    decision = counts(4, 2, 194)

    assert decision.verdict is Verdict.PASS
    assert "With 95% confidence any loss is below" in decision.reasons[0]


def test_a_gain_by_the_mid_p_value_alone_is_not_improved() -> None:
    # 4 wins of 4: exact 0.0625, mid-p 0.03125.
    assert counts(4, 0, 96).verdict is Verdict.PASS


def test_a_clear_loss_is_a_regression() -> None:
    decision = counts(4, 16, 80)

    assert decision.verdict is Verdict.REGRESSION
    assert decision.comparison.p_value == decision.comparison.p_worse
    assert decision.reasons[0].startswith("The candidate is worse: the mean score went from 0.96")


def test_a_loss_is_blocked_by_the_mid_p_value() -> None:
    # 4 losses of 4: exact 0.0625, mid-p 0.03125.
    assert counts(0, 4, 26).verdict is Verdict.REGRESSION


def test_a_small_sure_loss_within_the_margin_passes_with_a_note() -> None:
    decision = counts(0, 5, 995)

    assert decision.verdict is Verdict.PASS
    assert decision.reasons[1] == "There probably is a small loss, but the margin tolerates it."


def test_a_gain_that_is_sure_to_be_above_zero_passes_without_any_loss() -> None:
    decision = regression(np.zeros(4000), np.repeat([1.0, 0.0], [9, 3991]), alpha=0.001)

    assert decision.verdict is Verdict.PASS
    assert "99.9% confidence" in decision.reasons[0]


def test_a_bound_above_zero_says_that_there_is_no_loss() -> None:
    # 12 wins, 4 losses: exact 0.038, above alpha; the bound of 5000 examples is above 0.
    decision = counts(12, 4, 4984, alpha=0.035)

    assert decision.verdict is Verdict.PASS
    assert "there is no loss" in decision.reasons[0]


def test_noise_is_inconclusive_and_says_what_would_decide() -> None:
    decision = counts(8, 11, 81)

    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.comparison.n_needed == 1407
    assert decision.reasons[0].startswith("The data decide neither way: ")
    assert decision.reasons[1].startswith("About 1407 held-out examples would probably decide")
    assert "3 trials of each example" in decision.reasons[1]
    assert decision.reasons[2].endswith("more than twice the margin of 0.05.")


@pytest.mark.parametrize(
    ("trials", "advice"),
    [
        (([1.0, 0.0], [0.0, 1.0], [1.0, 0.0]), "more trials of the same examples help too"),
        (([1.0, 1.0], [0.0, 0.0], [0.0, 0.0]), "would help little"),
    ],
)
def test_inconclusive_says_whether_trials_help(
    trials: tuple[list[float], ...], advice: str
) -> None:
    first, second, third = trials
    decision = regression([first, second, third] * 10, [second, first, third] * 10)

    assert decision.verdict is Verdict.INCONCLUSIVE
    assert advice in decision.reasons[1]


def test_no_number_of_examples_proves_a_pass_at_margin_zero_without_a_gain() -> None:
    decision = counts(5, 5, 40, margin=0.0)

    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.comparison.n_needed is None
    assert len(decision.reasons) == 1


@pytest.mark.parametrize(
    ("n", "verdict"), [(20, Verdict.INCONCLUSIVE), (45, Verdict.PASS), (100, Verdict.PASS)]
)
def test_all_ties_pass_only_when_there_are_enough(n: int, verdict: Verdict) -> None:
    assert counts(0, 0, n).verdict is verdict


def test_fewer_than_twenty_examples_are_inconclusive() -> None:
    decision = counts(12, 0, 7)

    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.reasons[0].startswith("19 examples are too few for a verdict, which needs 20")


def test_fewer_than_twenty_examples_still_show_a_regression_by_the_exact_test() -> None:
    decision = counts(0, 5, 5)

    assert decision.verdict is Verdict.REGRESSION
    assert decision.comparison.p_value == pytest.approx(1 / 32)


def test_fewer_than_twenty_examples_do_not_block_by_the_mid_p_value() -> None:
    assert counts(0, 4, 6).verdict is Verdict.INCONCLUSIVE


def test_missing_scores_never_block() -> None:
    decision = regression([1.0] * 100, [0.0] * 80 + [NAN] * 20)

    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.reasons[0].startswith("No verdict. 20 of 100 examples have no score")
    assert decision.comparison.n_needed is None


def test_no_scores_are_inconclusive() -> None:
    decision = regression([NAN, NAN], [1.0, 1.0])

    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.comparison.interval.low == -1.0


def test_failures_of_the_candidate_alone_never_block_nor_pass() -> None:
    assert regression([1.0] * 200, [1.0] * 188 + [NAN] * 12).verdict is Verdict.INCONCLUSIVE


def test_a_group_counts_once() -> None:
    groups = [index // 5 for index in range(100)]
    base, candidate = [1.0] * 100, [0.0] * 5 + [1.0] * 95

    # Five losses block; five losses of one group are one loss.
    assert regression(base, candidate).verdict is Verdict.REGRESSION
    grouped = regression(base, candidate, groups=groups)
    assert grouped.verdict is Verdict.INCONCLUSIVE
    assert grouped.comparison.units == 20
    assert grouped.comparison.n_needed is not None
    assert grouped.comparison.n_needed % 5 == 0
    assert "over 100 examples in 20 groups" in grouped.reasons[0]


def test_weights_can_turn_the_verdict() -> None:
    base = [1.0] * 10 + [0.0] * 10 + [1.0] * 80
    candidate = [0.0] * 10 + [1.0] * 10 + [1.0] * 80

    assert regression(base, candidate, weights=[3.0] * 10 + [1.0] * 90).verdict is (
        Verdict.REGRESSION
    )


def test_unequal_trials_are_accepted() -> None:
    assert regression(np.ones((100, 3)), np.ones(100)).verdict is Verdict.PASS


def test_few_examples_come_with_a_warning() -> None:
    said = counts(0, 0, 48).reasons[-1]

    assert said == "With 48 examples only an effect of 0.07 or more is likely to be seen."


@pytest.mark.parametrize("margin", [-0.01, 1.0])
def test_an_unusable_margin_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin must be at least 0 and below 1"):
        counts(1, 1, 1, margin=margin)


@pytest.mark.parametrize(("mde", "margin"), [(0.05, 0.05), (0.075, 0.05), (0.08, 0.10)])
def test_the_automatic_margin_follows_the_mde(mde: float, margin: float) -> None:
    assert auto_margin(mde) == margin


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.4, 1.0]), st.sampled_from([0.0, 0.4, 1.0]))),
    st.sampled_from([0.0, 0.05, 0.1]),
)
def test_every_verdict_keeps_its_promise(scores: list[tuple[float, float]], margin: float) -> None:
    base, candidate = [row[0] for row in scores], [row[1] for row in scores]
    decision = regression(base, candidate, margin=margin)

    low = decision.comparison.interval.low
    match decision.verdict:
        case Verdict.IMPROVED:
            assert decision.comparison.difference > 0
            assert decision.comparison.p_value <= 0.05
            assert low > -margin
        case Verdict.PASS:
            assert low > -margin
        case Verdict.REGRESSION:
            assert decision.comparison.difference < 0
            assert decision.comparison.p_value <= 0.05
        case Verdict.INCONCLUSIVE:
            assert len(scores) < 20 or low <= -margin
    assert all(reason.endswith(".") for reason in decision.reasons)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=20))
def test_a_prompt_and_its_mirror_are_never_both_better(scores: list[tuple[float, float]]) -> None:
    base, candidate = [row[0] for row in scores], [row[1] for row in scores]
    verdicts = {regression(base, candidate).verdict, regression(candidate, base).verdict}

    assert verdicts != {Verdict.IMPROVED}
    assert verdicts != {Verdict.REGRESSION}


def noisy(trials: int, seed: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    base = (rng.random((40, trials)) < 0.5).astype(float)
    candidate = (rng.random((40, trials)) < 0.5).astype(float)
    return base, candidate


def test_the_trials_that_would_decide_are_named_where_luck_is_most_of_the_noise() -> None:
    decision = regression(*noisy(3, seed=3), margin=0.1)

    assert decision.verdict is Verdict.INCONCLUSIVE
    needed = decision.comparison.trials_needed
    assert needed is not None
    assert 3 < needed <= 32
    assert f"about {needed} of each" in " ".join(decision.reasons)


def test_more_trials_than_advised_make_the_bound_as_narrow_as_promised() -> None:
    needed = regression(*noisy(3, seed=3), margin=0.1).comparison.trials_needed
    assert needed is not None

    decided = [
        regression(*noisy(needed, seed=seed), margin=0.1).verdict is not Verdict.INCONCLUSIVE
        for seed in range(100)
    ]

    assert sum(decided) >= 70


def test_trials_are_not_advised_where_the_examples_differ_and_not_their_trials() -> None:
    base = np.repeat([[1.0], [0.0]], [20, 20], axis=0).repeat(3, axis=1)
    candidate = base.copy()
    candidate[:2], candidate[20:21] = 0.0, 1.0

    decision = regression(base, candidate, margin=0.05)

    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.comparison.trials_needed is None


@pytest.mark.parametrize(
    ("base", "candidate", "cause"),
    [
        ([[1.0], [0.0]] * 20, [[0.0], [1.0]] * 20, None),
        ([[1.0], [0.0]] * 4, [[0.0], [1.0]] * 4, "too_few"),
        ([[1.0]] * 40, [[1.0]] * 30 + [[float("nan")]] * 10, "calls_failed"),
        ([[1.0]] * 40, [[float("nan")]] * 40, "nothing_compared"),
        ([[1.0]] * 400, [[1.0]] * 400, None),
    ],
)
def test_what_is_not_decided_names_its_cause(
    base: list[list[float]], candidate: list[list[float]], cause: str | None
) -> None:
    assert regression(base, candidate).cause == cause
