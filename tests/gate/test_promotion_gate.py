from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.core.verdict import Promotion, PromotionDecision, Screening, Stage
from gepa_ci.gate import held_out_screen, on_screen, promotion, val_screen

if TYPE_CHECKING:
    from collections.abc import Callable

NAN = float("nan")
Scores = tuple[list[float], list[float]]


def counts(wins: int, losses: int, ties: int) -> Scores:
    base = [0.0] * wins + [1.0] * losses + [1.0] * ties
    candidate = [1.0] * wins + [0.0] * losses + [1.0] * ties
    return base, candidate


def promote(wins: int, losses: int, ties: int, **options: float) -> PromotionDecision:
    return promotion(*counts(wins, losses, ties), **options)  # type: ignore[arg-type]


def test_a_proved_gain_is_promoted() -> None:
    decision = promote(5, 0, 95)

    assert decision.verdict is Promotion.PROMOTE
    assert decision.stage is Stage.CONFIRM
    assert decision.comparison.p_value == pytest.approx(1 / 32)
    assert decision.comparison.n_needed is None
    (reason,) = decision.reasons
    assert reason == (
        "The candidate is better on held-out examples: the mean score went from 0.95 to 1.00 "
        "(+0.05) over 100 examples, 5 better, 0 worse and 95 equal. A candidate that is no better "
        "would do as well in 3.12% of runs (p = 0.0312)."
    )


def test_the_mid_p_value_does_not_promote() -> None:
    # 4 wins of 4: exact 0.0625, mid-p 0.03125.
    decision = promote(4, 0, 96)

    assert decision.verdict is Promotion.HOLD
    assert decision.reasons[0].startswith("Held: the gain may be luck: ")
    assert decision.reasons[1] == (
        f"About {decision.comparison.n_needed} examples would show a gain of this size."
    )


def test_a_smaller_alpha_asks_for_more() -> None:
    assert promote(5, 0, 95, alpha=0.03).verdict is Promotion.HOLD


def test_no_gain_is_held() -> None:
    decision = promote(5, 5, 90)

    assert decision.verdict is Promotion.HOLD
    assert decision.reasons[0].startswith("Held: the candidate did not score higher: ")


def test_a_gain_below_the_least_gain_is_held() -> None:
    decision = promote(8, 0, 992, min_gain=0.01)

    assert decision.verdict is Promotion.HOLD
    assert decision.reasons[0].startswith(
        "Held: the gain is real but smaller than 0.01, which is asked for: "
    )


def test_a_gain_of_exactly_the_least_gain_is_promoted() -> None:
    assert promote(7, 0, 93, min_gain=0.07).verdict is Promotion.PROMOTE


def test_a_small_gain_that_may_be_luck_has_no_number_of_examples() -> None:
    decision = promote(2, 1, 997, min_gain=0.01)

    assert decision.comparison.n_needed is None
    assert len(decision.reasons) == 1


def test_a_gain_on_rounded_differences_alone_does_not_promote_a_loss() -> None:
    decision = promotion([0.5] * 30, [0.5] * 30)

    assert decision.verdict is Promotion.HOLD


def test_failed_calls_hold() -> None:
    decision = promotion([0.0] * 100, [1.0] * 80 + [NAN] * 20)

    assert decision.verdict is Promotion.HOLD
    assert decision.reasons[0].startswith("Held: there is no verdict. 20 of 100 examples")
    assert decision.comparison.n_needed is None


def test_a_promotion_on_few_groups_comes_with_a_warning() -> None:
    base, candidate = counts(30, 0, 70)
    decision = promotion(base, candidate, groups=[index // 5 for index in range(100)])

    assert decision.verdict is Promotion.PROMOTE
    assert decision.reasons[1].startswith("Only 20 independent groups stand behind")


def test_a_group_counts_once() -> None:
    base, candidate = counts(5, 0, 95)
    grouped = promotion(base, candidate, groups=[index // 5 for index in range(100)])

    assert grouped.verdict is Promotion.HOLD


def test_a_deterministic_model_is_confirmed_on_the_screen_at_the_confirm_level() -> None:
    base, candidate = counts(4, 0, 96)
    held, promoted = on_screen(promotion(base, candidate)), on_screen(promotion(*counts(5, 0, 95)))

    assert held_out_screen(base, candidate).passed
    assert held.verdict is Promotion.HOLD
    assert promoted.verdict is Promotion.PROMOTE
    assert promoted.stage is Stage.HELD_OUT_SCREEN
    assert "it was not asked twice" in promoted.reasons[-1]


@pytest.mark.parametrize(
    ("screen", "stage", "where"),
    [
        (val_screen, Stage.VAL_SCREEN, "val"),
        (held_out_screen, Stage.HELD_OUT_SCREEN, "held-out"),
    ],
)
class TestScreens:
    def test_a_likely_gain_passes(
        self, screen: Callable[..., Screening], stage: Stage, where: str
    ) -> None:
        # 2 wins of 2: mid-p 0.125.
        result = screen(*counts(2, 0, 28))

        assert result.passed
        assert result.stage is stage
        assert result.comparison.p_value == pytest.approx(0.125)
        assert result.reasons[0].startswith(f"The {where} screen is passed: ")

    def test_a_doubtful_gain_does_not(
        self, screen: Callable[..., Screening], stage: Stage, where: str
    ) -> None:
        result = screen(*counts(3, 2, 25))

        assert not result.passed
        assert result.reasons[0].startswith(f"The {where} screen is not passed: ")
        assert result.reasons[0].endswith("the screen's limit is 20%.")

    def test_failed_calls_do_not(
        self, screen: Callable[..., Screening], stage: Stage, where: str
    ) -> None:
        result = screen([0.0] * 10, [1.0] * 8 + [NAN] * 2)

        assert not result.passed
        assert result.reasons[0].startswith(f"The {where} screen has no result. 2 of 10")

    def test_a_level_can_be_given(
        self, screen: Callable[..., Screening], stage: Stage, where: str
    ) -> None:
        assert not screen(*counts(2, 0, 28), level=0.1).passed


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.4, 1.0]), st.sampled_from([0.0, 0.4, 1.0]))))
def test_a_promotion_has_a_gain_and_an_exact_p_value(scores: list[tuple[float, float]]) -> None:
    base, candidate = np.array([row[0] for row in scores]), np.array([row[1] for row in scores])
    decision = promotion(base, candidate)

    if decision.verdict is Promotion.PROMOTE:
        assert decision.comparison.difference > 0
        assert decision.comparison.p_better <= 0.05
        assert promotion(candidate, base).verdict is Promotion.HOLD
    assert all(reason.endswith(".") for reason in decision.reasons)
