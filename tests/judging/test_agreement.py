from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa

from gepa_ci.judging.agreement import (
    confusion,
    kappa_interval,
    quadratic_kappa,
    reliability,
    repeat_agreement,
    spearman,
)

RNG = np.random.default_rng(7)
HUMAN = RNG.integers(1, 6, 300).astype(float)
JUDGE = np.clip(HUMAN + RNG.integers(-1, 2, 300), 1, 5).astype(float)
STEPS = (1.0, 2.0, 3.0, 4.0, 5.0)
UNITS = [str(number) for number in range(300)]


def test_kappa_is_that_of_the_textbook() -> None:
    table = np.array(confusion(JUDGE, HUMAN, STEPS))
    theirs = cohens_kappa(table, wt="quadratic")

    ours = quadratic_kappa(JUDGE, HUMAN)

    assert ours == pytest.approx(theirs.kappa, abs=1e-12)
    assert table.sum() == 300
    assert table[2].sum() == (HUMAN == 3).sum()


def test_kappa_of_two_steps_is_the_unweighted_one() -> None:
    human, judge = (HUMAN > 3).astype(float), (JUDGE > 3).astype(float)
    theirs = cohens_kappa(np.array(confusion(judge, human, (0.0, 1.0))))

    assert quadratic_kappa(judge, human) == pytest.approx(theirs.kappa, abs=1e-12)


def test_the_interval_agrees_with_the_asymptotic_one() -> None:
    theirs = cohens_kappa(np.array(confusion(JUDGE, HUMAN, STEPS)), wt="quadratic")

    ours = kappa_interval(JUDGE, HUMAN, UNITS)

    assert ours.low == pytest.approx(theirs.kappa_low, abs=0.01)
    assert ours.high == pytest.approx(theirs.kappa_upp, abs=0.01)


def test_outputs_of_one_input_count_together() -> None:
    alone = kappa_interval(np.tile(JUDGE[:30], 10), np.tile(HUMAN[:30], 10), UNITS)
    grouped = kappa_interval(
        np.tile(JUDGE[:30], 10), np.tile(HUMAN[:30], 10), [str(n % 30) for n in range(300)]
    )

    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_equal_scores_have_no_kappa_and_an_interval_that_covers_none() -> None:
    same = np.full(20, 3.0)

    assert np.isnan(quadratic_kappa(same, same))
    assert kappa_interval(same, same, UNITS[:20]).low == 0.0
    assert quadratic_kappa(same, HUMAN[:20]) == pytest.approx(0.0)


def test_rank_correlation_is_that_of_scipy_and_none_without_ranks() -> None:
    from scipy.stats import spearmanr

    assert spearman(JUDGE, HUMAN) == pytest.approx(spearmanr(JUDGE, HUMAN).statistic)
    assert spearman(np.ones(300), HUMAN) is None


def test_a_judge_agrees_with_itself_as_often_as_pairs_of_answers_do() -> None:
    samples = np.array([[1.0, 1.0, 2.0], [3.0, 3.0, 3.0]])

    assert repeat_agreement(samples) == pytest.approx((1 / 3 + 1) / 2)


@pytest.mark.parametrize(("noise", "expected"), [(0.0, 1.0), (1.0, 0.5), (100.0, 0.0)])
def test_reliability_is_the_share_of_variance_between_outputs(
    noise: float, expected: float
) -> None:
    rng = np.random.default_rng(1)
    samples = rng.normal(size=(2000, 1)) + noise * rng.normal(size=(2000, 3))

    assert reliability(samples, 1) == pytest.approx(expected, abs=0.03)
    assert reliability(samples, 3) >= reliability(samples, 1)


def test_reliability_of_equal_answers_is_nothing() -> None:
    assert reliability(np.full((5, 3), 2.0), 1) == 0.0
