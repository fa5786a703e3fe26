from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gepa_ci.core.verdict import Promotion, PromotionDecision, RegressionDecision, Verdict
from gepa_ci.gate import SequentialPromotion, SequentialRegression, promotion, regression

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NAN = float("nan")


def feed(
    gate: SequentialRegression | SequentialPromotion, base: Floats, candidate: Floats
) -> tuple[Verdict | Promotion | None, int]:
    """Feed examples until there is a verdict; return it and how many it took."""
    for run, example in enumerate(gate.order, 1):
        verdict = gate.update(base[example], candidate[example])
        if verdict is not None:
            return verdict, run
    return None, len(gate.order)


def arms(n: int, *, wins: float = 0.0, losses: float = 0.0) -> tuple[Floats, Floats]:
    """0/1 scores of which such shares are won and lost, spread evenly over any order."""
    draws = np.random.default_rng(1).permutation(n) / n
    base = np.where(draws < losses, 1.0, np.where(draws > 1 - wins, 0.0, 1.0))
    candidate = np.where(draws < losses, 0.0, 1.0)
    return base[:, np.newaxis], candidate[:, np.newaxis]


def run(n: int, wins: float, losses: float, **options: Any) -> tuple[RegressionDecision, int]:
    gate = SequentialRegression(n, **options)
    verdict, count = feed(gate, *arms(n, wins=wins, losses=losses))
    decision = gate.decision()
    assert decision.verdict is verdict
    return decision, count


def promote(n: int, wins: float, losses: float, **options: Any) -> tuple[PromotionDecision, int]:
    gate = SequentialPromotion(n, **options)
    verdict, count = feed(gate, *arms(n, wins=wins, losses=losses))
    decision = gate.decision()
    assert decision.verdict is verdict
    return decision, count


def test_no_change_passes_before_all_examples_are_run() -> None:
    decision, count = run(200, 0.03, 0.03, margin=0.10)

    assert decision.verdict is Verdict.PASS
    assert count == decision.comparison.n < 200
    assert decision.planned == 200
    assert decision.reasons[-1] == (
        f"It was decided after {count} of 200 examples; the other {200 - count} were not run."
    )


def test_a_large_loss_is_blocked_early() -> None:
    decision, count = run(200, 0.0, 0.3, margin=0.05)

    assert decision.verdict is Verdict.REGRESSION
    assert count <= 60
    # Before the last look the exact test decides, in which n losses of n have 1 in 2 to the n.
    assert decision.comparison.p_value == pytest.approx(0.5**decision.comparison.losses)
    assert decision.comparison.p_worse == pytest.approx(decision.comparison.p_value / 2)


def test_a_gain_is_called_a_gain_though_it_passes_sooner() -> None:
    decision, count = run(200, 0.20, 0.02, margin=0.10)

    assert decision.verdict is Verdict.IMPROVED
    assert decision.comparison.p_value == decision.comparison.p_better
    assert count < 200


def test_what_can_hardly_be_decided_is_given_up() -> None:
    decision, count = run(100, 0.11, 0.11, margin=0.02)

    assert decision.verdict is Verdict.INCONCLUSIVE
    assert count < 100
    assert decision.reasons[-1] == (
        f"It was stopped after {count} of 100 examples: the other {100 - count} would hardly have "
        f"decided it."
    )
    assert decision.comparison.n_needed is not None
    assert decision.comparison.n_needed > 100


def test_a_loss_that_shows_early_waits_while_a_pass_is_likelier() -> None:
    base, candidate = np.ones((300, 1)), np.ones((300, 1))
    gate = SequentialRegression(300, margin=0.15, seed=2)
    candidate[list(gate.order[:9])] = 0.0

    verdict, count = feed(gate, base, candidate)
    assert verdict is Verdict.PASS
    assert count > 30


def test_only_the_last_look_counts_half_of_its_limit() -> None:
    base, early, late = np.ones((40, 1)), np.ones((40, 1)), np.ones((40, 1))
    gates = [SequentialRegression(40, margin=0.0, looks=2) for _ in range(2)]
    # 6 losses of 6 in full 0.0156, by half 0.0078; 0.0125 may be spent halfway.
    early[list(gates[0].order[:6])] = 0.0
    # 4 losses of 4 in full 0.0625, by half 0.031.
    late[list(gates[0].order[-4:])] = 0.0

    assert feed(gates[0], base, early) == (Verdict.REGRESSION, 40)
    assert feed(gates[1], base, late) == (Verdict.REGRESSION, 40)


def test_the_bounds_of_an_early_decision_are_wider_but_keep_their_name() -> None:
    decision, count = run(200, 0.03, 0.03, margin=0.10)
    base, candidate = arms(200, wins=0.03, losses=0.03)
    gate = SequentialRegression(200, margin=0.10)
    examples = list(gate.order[:count])
    fixed = regression(base[examples], candidate[examples], margin=0.10).comparison

    assert decision.comparison.interval.level == pytest.approx(0.9)
    assert decision.comparison.interval.low < fixed.interval.low
    assert decision.comparison.interval.high > fixed.interval.high
    assert decision.comparison.interval.low > -0.10
    assert decision.comparison.p_worse == fixed.p_worse


def test_the_method_names_test_level_looks_and_units() -> None:
    decision, _ = run(200, 0.03, 0.03, margin=0.10)

    assert decision.method == (
        "exact one-sided sign-flip test, alpha 0.05; look 5 of 10 (alpha t^2 spent), mid-p at the "
        "last; pass: plus-two lower bound above -0.1 at z 2.4; given up at conditional power "
        "below 0.2 (pass 0.1); 100 examples, 1 trial each"
    )


def test_the_fixed_tests_name_their_methods_too() -> None:
    base, candidate = np.ones((40, 3)), np.ones((40, 1))
    groups = [index // 2 for index in range(40)]

    assert regression(base, candidate, groups=groups, margin=0.0).method == (
        "exact one-sided sign-flip test, alpha 0.05; mid-p for a loss; "
        "pass: plus-two lower bound above 0 at z 1.64; 40 examples in 20 groups (signs flip by "
        "group), 3 and 1 trials each"
    )
    assert promotion(base, base, min_gain=0.02).method == (
        "exact one-sided sign-flip test, alpha 0.05; mean difference at least 0.02; 40 examples, "
        "3 trials each"
    )


def test_looks_are_at_every_tenth_from_ten_units_on() -> None:
    assert SequentialRegression(200).looks == tuple(range(20, 201, 20))
    assert SequentialRegression(45).looks == (14, 18, 23, 27, 32, 36, 41, 45)
    assert SequentialRegression(100, looks=4).looks == (25, 50, 75, 100)


def test_few_units_are_looked_at_once() -> None:
    assert SequentialRegression(29).looks == (29,)
    assert SequentialPromotion(200, groups=[i // 7 for i in range(200)]).looks == (200,)


def test_groups_stay_together_and_looks_fall_between_them() -> None:
    groups = [index % 40 if index % 3 else None for index in range(150)]
    gate = SequentialRegression(150, groups=groups, seed="s")
    named = [(groups[i],) if groups[i] is not None else ("own", i) for i in gate.order]
    starts = [k for k in range(150) if k == 0 or named[k] != named[k - 1]]

    assert sorted(gate.order) == list(range(150))
    assert len(starts) == len(set(named))
    assert set(gate.looks) - {150} <= set(starts)


def test_the_order_is_that_of_the_seed() -> None:
    assert SequentialRegression(50, seed="a").order == SequentialPromotion(50, seed="a").order
    assert SequentialRegression(50, seed="a").order != SequentialRegression(50, seed="b").order
    assert SequentialRegression(50).order != tuple(range(50))


def test_nothing_changes_a_verdict_once_given() -> None:
    base, candidate = arms(200, losses=0.4)
    gate = SequentialRegression(200)
    verdict, _ = feed(gate, base, candidate)
    decision = gate.decision()

    for _ in range(300):
        assert gate.update([0.0], [1.0]) is verdict
    assert gate.decision() == decision


def test_before_there_is_a_verdict_the_decision_says_so() -> None:
    gate = SequentialRegression(100)
    assert gate.decision().reasons[0].startswith("No verdict. No example has a score")
    for _ in range(25):
        assert gate.update([1.0, 0.0], [0.0, 1.0]) is None

    decision = gate.decision()
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.comparison.n == 25
    assert decision.comparison.n_needed is None
    assert decision.reasons[-1] == (
        "Only 25 of 100 examples have been run so far, which is not enough to stop."
    )


def test_a_proof_that_is_not_complete_holds() -> None:
    gate = SequentialPromotion(100)
    for _ in range(40):
        assert gate.update([0.0], [1.0]) is None

    decision = gate.decision()
    assert decision.verdict is Promotion.HOLD
    assert decision.reasons[0].startswith("Held: the proof is not complete: the mean score")
    assert decision.reasons[1].startswith("Only 40 of 100 examples")


def test_no_verdict_is_given_early_while_calls_fail_on_one_side() -> None:
    base, candidate = np.ones((200, 3)), np.ones((200, 3))
    gate = SequentialRegression(200, margin=0.20)
    candidate[list(gate.order[:40]), 0] = NAN

    verdict, count = feed(gate, base, candidate)
    assert verdict is Verdict.INCONCLUSIVE
    assert count == 200
    assert "more than chance explains" in gate.decision().reasons[0]


def test_a_verdict_waits_until_failures_are_no_trouble_any_more() -> None:
    base, candidate = np.ones((200, 1)), np.ones((200, 1))
    gate = SequentialRegression(200, margin=0.10)
    base[list(gate.order[:8])] = candidate[list(gate.order[:8])] = NAN

    verdict, count = feed(gate, base, candidate)
    assert verdict is Verdict.PASS
    assert count == 80
    assert gate.decision().comparison.missing == 8


@pytest.mark.parametrize("kind", [SequentialRegression, SequentialPromotion])
def test_too_many_failures_end_the_run(
    kind: type[SequentialRegression | SequentialPromotion],
) -> None:
    gate = kind(200)
    verdict, count = feed(gate, np.full((200, 1), NAN), np.ones((200, 1)))

    assert verdict in (Verdict.INCONCLUSIVE, Promotion.HOLD)
    assert count == 40
    assert "nothing to compare" in gate.decision().reasons[0]
    assert "after 40 of 200" in gate.decision().reasons[1]


def test_an_example_without_scores_is_no_evidence_either_way() -> None:
    # Alternately a loss and no score, then ties: as the losses with ties between them.
    base, candidate = np.ones((100, 1)), np.ones((100, 1))
    plain, gappy = SequentialRegression(100), SequentialRegression(100)
    losses = list(plain.order[1:40:2])
    candidate[losses] = 0.0
    gaps = base.copy()
    gaps[list(plain.order[0:20:10])] = NAN

    assert feed(plain, base, candidate) == feed(gappy, gaps, candidate)
    assert gappy.decision().comparison.missing == 2


def test_a_share_of_alpha_blocks_later() -> None:
    base, candidate = arms(200, losses=0.3)
    whole, share = SequentialRegression(200), SequentialRegression(200, block_alpha=0.001)

    assert feed(whole, base, candidate)[1] < feed(share, base, candidate)[1]
    assert share.decision().verdict is Verdict.REGRESSION
    assert "alpha 0.05 (0.001 for a loss)" in share.decision().method


def test_a_share_of_alpha_holds_where_there_is_one_look_too() -> None:
    # 5 losses of 5: mid-p 0.016.
    base, candidate = np.ones((40, 1)), np.ones((40, 1))
    candidate[:5] = 0.0
    whole = SequentialRegression(40, margin=0.0, looks=1)
    share = SequentialRegression(40, margin=0.0, looks=1, block_alpha=0.01)

    assert feed(whole, base, candidate)[0] is Verdict.REGRESSION
    assert feed(share, base, candidate)[0] is Verdict.INCONCLUSIVE


def test_twenty_nine_units_are_tested_like_any_fixed_sample() -> None:
    base, candidate = arms(29, losses=0.4)
    gate = SequentialRegression(29)

    assert feed(gate, base, candidate) == (Verdict.REGRESSION, 29)
    assert gate.decision() == regression(base, candidate)


def test_a_candidate_that_falls_behind_is_held_early() -> None:
    decision, count = promote(200, 0.05, 0.10)

    assert decision.verdict is Promotion.HOLD
    assert count < 200
    assert decision.reasons[-1].startswith(f"It was stopped after {count} of 200 examples")
    assert "for futility only" in decision.method


def test_a_candidate_is_promoted_on_all_examples_only() -> None:
    base, candidate = arms(100, wins=0.3)
    gate = SequentialPromotion(100)

    assert feed(gate, base, candidate) == (Promotion.PROMOTE, 100)
    assert gate.decision().comparison == promotion(base, candidate).comparison
    assert gate.decision().reasons == promotion(base, candidate).reasons


def test_a_gain_that_cannot_reach_what_is_asked_for_is_held_early() -> None:
    decision, count = promote(200, 0.06, 0.0, min_gain=0.3)

    assert decision.verdict is Promotion.HOLD
    assert count < 200


def test_a_promotion_waits_while_calls_fail_on_one_side() -> None:
    base, candidate = np.ones((100, 3)), np.zeros((100, 3))
    gate = SequentialPromotion(100)
    candidate[list(gate.order[:20]), 0] = NAN

    assert feed(gate, base, candidate)[1] > 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n must be at least 1, not 0"),
        ({"n": 5, "looks": 0}, "looks must be between 1 and 100, not 0"),
        ({"n": 5, "looks": 101}, "looks must be between 1 and 100, not 101"),
        ({"n": 5, "trials": 0}, "trials must be at least 1, not 0"),
        ({"n": 5, "alpha": 0.5}, "alpha must be between 0 and 0.5, not 0.5"),
        ({"n": 5, "block_alpha": 0.0}, "alpha must be between 0 and 0.5, not 0.0"),
        ({"n": 5, "margin": 1.0}, "margin must be at least 0 and below 1, not 1.0"),
        ({"n": 5, "groups": [1]}, "groups must name 5 examples, not 1"),
        ({"n": 5, "weights": [1.0]}, "weights must be 5 numbers"),
    ],
)
def test_an_unusable_plan_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SequentialRegression(options.pop("n"), **options)


def test_an_unusable_row_is_refused_and_not_taken() -> None:
    gate = SequentialRegression(40)
    gate.update([1.0, NAN], [0.5, 0.5])
    example = gate.order[1]

    with pytest.raises(ValueError, match=rf"candidate has a score outside .* at example {example}"):
        gate.update([1.0, 1.0], [0.5, 1.5])
    with pytest.raises(ValueError, match="baseline must have the same number of trials"):
        gate.update([1.0], [0.5, 0.5])
    with pytest.raises(ValueError, match="candidate must have the same number of trials"):
        gate.update([1.0, 1.0], [])
    assert gate.decision().comparison.n == 1
