"""Tests of gepa_ci.gate.guards and what it is made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gepa_ci.core.verdict import GuardDecision, GuardedDecision, Verdict
from gepa_ci.gate import Guard, GuardedRegression, SequentialRegression, guards_hold, regression
from gepa_ci.gate.guard_record import GuardRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Rows = dict[str, list[list[float]]]
"""By name: n examples by K trials, the task's own score under the empty name."""

STYLE = Guard(name="style", margin=0.1, relative=False)
LATENCY = Guard(name="latency", margin=0.1, relative=True)
LENGTH = Guard(name="prompt_length", margin=0.1, relative=True)
NAN = math.nan


def plan(n: int, *guards: Guard, looks: int = 1, **options: Any) -> GuardedRegression:
    fixed = {"alpha": 0.05, "margin": 0.1, "trials": 1, "seed": "s", **options}
    return GuardedRegression(n, guards=guards, looks=looks, **fixed)


def play(run: GuardedRegression, base: Rows, candidate: Rows) -> tuple[int, GuardedDecision]:
    """Feed a run in its order until it has a verdict; return after how many examples."""
    for seen, place in enumerate(run.order, start=1):
        verdict = run.update(
            *({k: v[place] for k, v in rows.items()} for rows in (base, candidate))
        )
        if verdict is not None:
            decision = run.decision()
            assert decision.verdict is verdict
            return seen, decision
    raise AssertionError("a run that has seen everything has a verdict")


def ones(n: int, *, lost: int = 0) -> list[list[float]]:
    """Return 0/1 scores of one trial, of which some are lost, spread evenly."""
    step = n // lost if lost else n + 1
    return [[0.0 if i % step == 0 and i // step < lost else 1.0] for i in range(n)]


def values(n: int, level: float, *, spread: float = 0.1, seed: int = 0) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    return [[float(level * math.exp(spread * rng.standard_normal()))] for _ in range(n)]


def of(decision: GuardedDecision, name: str) -> GuardDecision:
    return next(guard for guard in decision.guards if guard.name == name)


# -- without guards


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), looks=st.sampled_from([1, 5, 10]))
def test_without_guards_it_is_the_sequential_gate(seed: int, looks: int) -> None:
    rng = np.random.default_rng(seed)
    base, candidate = (
        [[float(rng.random() < share)] for _ in range(80)] for share in (0.8, rng.uniform(0.4, 0.9))
    )
    run = plan(80, looks=looks)
    alone = SequentialRegression(80, alpha=0.05, margin=0.1, trials=1, seed="s", looks=looks)

    assert (run.order, run.looks) == (alone.order, alone.looks)
    for place in run.order:
        expected = alone.update(base[place], candidate[place])
        assert run.update({"": base[place]}, {"": candidate[place]}) is expected
        if expected is not None:
            break
    decision = run.decision()
    assert decision.primary == alone.decision()
    assert decision.verdict is alone.decision().verdict
    assert (decision.reasons, decision.method) == (
        decision.primary.reasons,
        decision.primary.method,
    )
    assert decision.guards == ()


# -- verdicts


def test_it_passes_when_the_score_and_all_guards_are_shown_to_hold() -> None:
    rows = {"": ones(200), "style": ones(200), "latency": values(200, 1.0)}
    _, decision = play(
        plan(200, STYLE, LATENCY), rows, {**rows, "latency": values(200, 1.0, seed=1)}
    )

    assert decision.verdict is Verdict.PASS
    assert [guard.passes for guard in decision.guards] == [True, True]
    assert "The guards 'style' and 'latency' hold." in decision.reasons


def test_a_guard_that_is_shown_to_be_worse_blocks_and_says_so_first() -> None:
    rows = {"": ones(200), "latency": values(200, 1.0)}
    _, decision = play(
        plan(200, LATENCY), rows, {"": ones(200), "latency": values(200, 1.3, seed=1)}
    )
    guard = of(decision, "latency")

    assert decision.verdict is Verdict.REGRESSION
    assert decision.primary.verdict is Verdict.PASS
    assert guard.verdict is Verdict.REGRESSION
    assert guard.change == pytest.approx(0.3, abs=0.05)
    assert decision.reasons[0].startswith("The guard 'latency' is worse: its mean went from 1")
    assert "adjusted for 2 tests" in decision.reasons[0]
    assert decision.reasons[0] == guard.decision.reasons[0]


def test_a_score_that_is_worse_blocks_though_all_guards_hold() -> None:
    rows = {"": ones(200), "style": ones(200)}
    _, decision = play(plan(200, STYLE), rows, {"": ones(200, lost=50), "style": ones(200)})

    assert decision.verdict is Verdict.REGRESSION
    assert decision.reasons[0].startswith("The candidate is worse")
    assert not any("guard" in reason for reason in decision.reasons)


def test_a_guard_that_is_not_shown_to_hold_keeps_a_better_candidate_from_passing() -> None:
    base = {"": ones(60, lost=40), "style": ones(60)}
    _, decision = play(plan(60, STYLE), base, {"": ones(60), "style": ones(60, lost=3)})

    assert decision.primary.verdict is Verdict.IMPROVED
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.reasons[0].startswith("The guard 'style' is undecided: the mean score went")
    assert "A larger loss than the tolerated 0.10 is not ruled out" in decision.reasons[0]
    assert "held-out examples would probably decide it" in decision.reasons[0]


def test_an_undecided_score_comes_before_an_undecided_guard() -> None:
    base = {"": ones(60), "style": ones(60)}
    _, decision = play(plan(60, STYLE), base, {"": ones(60, lost=3), "style": ones(60, lost=3)})

    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.reasons[0].startswith("The data decide neither way")
    assert any(reason.startswith("The guard 'style' is undecided") for reason in decision.reasons)


def test_improved_needs_all_guards_and_claims_gains_in_their_order() -> None:
    base = {
        "": ones(200, lost=80),
        "prompt_length": [[100.0]] * 200,
        "latency": values(200, 1.0),
        "style": ones(200),
    }
    candidate = {
        "": ones(200),
        "prompt_length": [[90.0]] * 200,
        "latency": values(200, 0.8, seed=1),
        "style": ones(200),
    }

    _, first = play(plan(200, LATENCY, STYLE, LENGTH), base, candidate)
    _, second = play(plan(200, STYLE, LATENCY), base, candidate)

    assert first.verdict is second.verdict is Verdict.IMPROVED
    assert "It is also better on 'latency'." in first.reasons
    # The style is the same, so the sequence ends there, and nothing is claimed of the latency.
    assert of(second, "latency").verdict is Verdict.IMPROVED
    assert not any("also better" in reason for reason in second.reasons)


def test_what_is_counted_takes_nothing_from_the_sequence_of_claims() -> None:
    base = {"": ones(200, lost=80), "prompt_length": [[100.0]] * 200, "latency": values(200, 1.0)}
    faster = values(200, 0.8, seed=1)

    said = []
    for length in (90.0, 100.0):
        candidate = {"": ones(200), "prompt_length": [[length]] * 200, "latency": faster}
        _, decision = play(plan(200, LENGTH, LATENCY), base, candidate)
        said += [reason for reason in decision.reasons if "also better" in reason]

    assert said == [
        "It is also better on 'prompt_length' and 'latency'.",
        "It is also better on 'latency'.",
    ]


# -- error rates


def test_each_block_test_is_made_at_alpha_divided_by_the_number_of_tests() -> None:
    # Six losses of six: p = 1/64, mid-p 1/128, between 0.05/6 and 0.05/7.
    base, candidate = {"": ones(60)}, {"": ones(60)}
    guards = [Guard(name=f"g{i}", margin=0.01, relative=False) for i in range(6)]
    for guard in guards:
        base[guard.name], candidate[guard.name] = ones(60), ones(60)
    candidate["g0"] = ones(60, lost=6)

    _, six = play(plan(60, *guards[:5]), base, candidate)
    _, seven = play(plan(60, *guards), base, candidate)

    assert of(six, "g0").verdict is Verdict.REGRESSION
    assert of(six, "g0").adjusted_p == pytest.approx(6 / 128)
    assert of(seven, "g0").verdict is Verdict.INCONCLUSIVE
    assert of(seven, "g0").adjusted_p == pytest.approx(7 / 128)


def test_a_guard_does_not_make_a_pass_harder_for_the_score() -> None:
    rows = {"": ones(100, lost=5), "style": ones(100)}
    candidate = {"": ones(100, lost=6), "style": ones(100)}
    _, alone = play(plan(100), rows, candidate)
    _, guarded = play(plan(100, STYLE), rows, candidate)

    assert guarded.primary.verdict is alone.verdict is Verdict.PASS
    assert guarded.primary.comparison.interval == alone.primary.comparison.interval


@pytest.mark.parametrize("looks", [1, 5])
def test_nothing_lost_blocks_in_at_most_one_of_twenty_runs_whatever_the_guards(looks: int) -> None:
    rng = np.random.default_rng(11)
    blocked, runs = 0, 150
    for seed in range(runs):
        draws = rng.random((2, 2, 60)) < rng.beta(4, 1, 60)
        times = np.exp(0.3 * rng.standard_normal((2, 60)))
        sides = [
            {
                "": draws[arm, 0, :, None].astype(float).tolist(),
                "style": draws[arm, 1, :, None].astype(float).tolist(),
                "latency": times[arm, :, None].tolist(),
            }
            for arm in (0, 1)
        ]
        run = plan(60, STYLE, LATENCY, looks=looks, seed=seed)
        blocked += play(run, *sides)[1].verdict is Verdict.REGRESSION

    assert blocked / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_a_loss_of_any_metric_is_found() -> None:
    rng = np.random.default_rng(12)
    found = 0
    for seed in range(50):
        base = {"": ones(100), "style": [[float(rng.random() < 0.9)] for _ in range(100)]}
        worse = {"": ones(100), "style": [[float(rng.random() < 0.6)] for _ in range(100)]}
        decision = play(plan(100, STYLE, seed=seed, looks=10), base, worse)[1]
        found += decision.verdict is Verdict.REGRESSION

    assert found >= 48


# -- early stops


def test_a_loss_of_a_guard_ends_the_run_early() -> None:
    rows = {"": ones(200), "latency": values(200, 1.0)}
    run = plan(200, LATENCY, looks=10)
    seen, decision = play(run, rows, {"": ones(200), "latency": values(200, 2.0, seed=1)})

    assert seen < 60
    assert decision.verdict is Verdict.REGRESSION
    assert decision.primary.verdict is Verdict.INCONCLUSIVE
    assert decision.reasons[1].startswith("The score itself was not decided by then: the mean")
    assert decision.reasons[-1] == (
        f"It was decided after {seen} of 200 examples; the other {200 - seen} were not run."
    )


def test_a_metric_that_has_passed_stays_passed_while_the_others_go_on() -> None:
    rng = np.random.default_rng(2)
    base = {"": ones(400), "style": [[float(rng.random() < 0.9)] for _ in range(400)]}
    candidate = {"": ones(400), "style": [[float(rng.random() < 0.9)] for _ in range(400)]}
    run = plan(400, Guard(name="style", margin=0.05, relative=False), looks=10)
    # All examples of the score that come later are lost, and nobody looks any more.
    for place in run.order[200:]:
        candidate[""][place] = [0.0]
    seen, decision = play(run, base, candidate)

    assert seen > 200
    assert decision.primary.verdict is Verdict.PASS
    assert decision.primary.comparison.n < 200
    assert not any("of 400 examples; the other" in r for r in decision.primary.reasons[:-1])


def test_the_figures_of_a_guard_are_of_the_examples_that_decided_it() -> None:
    rng = np.random.default_rng(3)
    noisy = [[[float(rng.random() < 0.8)] for _ in range(400)] for _ in range(2)]
    base = {"": noisy[0], "latency": [[1.0]] * 400}
    candidate = {"": noisy[1], "latency": [[1.0]] * 400}
    run = plan(400, LATENCY, looks=10, margin=0.05)
    for rows in (base, candidate):
        rows["latency"] = [[1.0] if run.order.index(i) < 200 else [9.0] for i in range(400)]
    seen, decision = play(run, base, candidate)
    guard = of(decision, "latency")

    assert guard.decision.comparison.n <= 200 < seen
    assert guard.baseline_mean == guard.candidate_mean == 1.0


def test_an_undecided_run_says_how_far_it_came() -> None:
    run = plan(100, STYLE, looks=10)
    for _ in range(5):
        assert run.update({"": [1.0], "style": [1.0]}, {"": [1.0], "style": [1.0]}) is None

    decision = run.decision()

    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.reasons[-1].startswith("Only 5 of 100 examples have been run so far")


def test_more_examples_than_planned_are_refused() -> None:
    run = plan(20)
    for _ in run.order:
        run.update({"": [1.0]}, {"": [1.0]})

    with pytest.raises(ValueError, match="all 20 examples have been seen"):
        run.update({"": [1.0]}, {"": [1.0]})


# -- measures


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_measure_is_compared_as_a_share_whatever_its_unit(scale: float) -> None:
    base = [[scale * row[0]] for row in values(100, 1.0)]
    worse = [[scale * row[0]] for row in values(100, 1.25, seed=1)]

    (guard,) = guards_hold({"latency": base}, {"latency": worse}, [LATENCY])

    assert guard.verdict is Verdict.REGRESSION
    assert guard.change == pytest.approx(0.25, abs=0.05)
    assert guard.baseline_mean == pytest.approx(scale, rel=0.05)


@given(st.floats(0.001, 5.0), st.floats(1e-6, 1e6))
def test_an_increase_of_exactly_the_margin_is_a_difference_of_the_margin(
    margin: float, level: float
) -> None:
    guard = Guard(name="cost", margin=margin, relative=True)
    record = GuardRecord(guard=guard)
    record.add([level], [level * (1 + margin)], 1.0)

    assert record.candidate[0][0] - record.base[0][0] == pytest.approx(-guard.score_margin)


@given(st.floats(0.0, 1e9), st.floats(0.0, 1e9))
def test_swapping_the_arms_swaps_the_scores(before: float, after: float) -> None:
    record, mirrored = GuardRecord(guard=LATENCY), GuardRecord(guard=LATENCY)
    record.add([before], [after], 1.0)
    mirrored.add([after], [before], 1.0)

    assert (record.base, record.candidate) == (mirrored.candidate, mirrored.base)
    assert 0.0 <= record.base[0][0] <= 1.0


def test_two_zeros_are_a_tie() -> None:
    rows = {"cost": [[0.0]] * 100}
    (guard,) = guards_hold(rows, rows, [Guard(name="cost", margin=0.1, relative=True)])

    assert guard.passes
    assert (guard.baseline_mean, guard.candidate_mean, guard.change) == (0.0, 0.0, 0.0)


def test_an_increase_from_nothing_has_no_share() -> None:
    cost = Guard(name="cost", margin=0.1, relative=True)
    (guard,) = guards_hold({"cost": [[0.0]] * 60}, {"cost": [[1.0]] * 60}, [cost])

    assert guard.verdict is Verdict.REGRESSION
    assert guard.change is None
    assert "(from nothing on a typical example)" in guard.decision.reasons[0]


def test_the_trials_of_a_measure_are_averaged_before_they_are_compared() -> None:
    base = {"": [[1.0, 1.0]] * 40, "latency": [[1.0, 3.0]] * 40}
    candidate = {"": [[1.0, 1.0]] * 40, "latency": [[2.0, NAN]] * 40}
    _, decision = play(plan(40, LATENCY, trials=2), base, candidate)

    assert of(decision, "latency").change == pytest.approx(0.0)
    assert of(decision, "latency").decision.comparison.missing == 0


def test_weights_count_in_the_means_as_measured() -> None:
    (guard,) = guards_hold(
        {"latency": [[1.0]] * 20 + [[5.0]] * 20},
        {"latency": [[1.0]] * 20 + [[5.0]] * 20},
        [LATENCY],
        weights=[3.0] * 20 + [1.0] * 20,
    )
    run = plan(4, LENGTH, weights=[3.0, 3.0, 1.0, 1.0])
    rows = {"": [[1.0]] * 4, "prompt_length": [[1.0], [1.0], [5.0], [5.0]]}

    assert guard.baseline_mean == pytest.approx(2.0)
    assert of(play(run, rows, rows)[1], "prompt_length").baseline_mean == pytest.approx(2.0)


# -- what is counted


@pytest.mark.parametrize(
    ("length", "verdict"),
    [(90.0, Verdict.PASS), (110.0, Verdict.PASS), (110.5, Verdict.REGRESSION)],
)
def test_the_length_of_a_prompt_is_decided_by_its_mean_without_a_test(
    length: float, verdict: Verdict
) -> None:
    base = {"": ones(100), "prompt_length": [[100.0]] * 100}
    _, decision = play(plan(100, LENGTH), base, {"": ones(100), "prompt_length": [[length]] * 100})
    guard = of(decision, "prompt_length")

    assert decision.verdict is guard.verdict is verdict
    assert guard.adjusted_p is None
    assert guard.change == pytest.approx(length / 100 - 1)
    assert decision.method.endswith("prompt_length by its mean alone")


def test_what_is_counted_costs_the_others_no_power() -> None:
    base = {"": ones(60), "prompt_length": [[100.0]] * 60}
    candidate = {"": ones(60, lost=5), "prompt_length": [[100.0]] * 60}
    _, guarded = play(plan(60, LENGTH, margin=0.01), base, candidate)
    _, alone = play(plan(60, margin=0.01), base, candidate)

    # Five of five: mid-p 1/64, above 0.05/4 but below 0.05.
    assert guarded.verdict is alone.verdict is Verdict.REGRESSION
    assert guarded.primary == alone.primary


def test_a_prompt_that_is_too_long_does_not_need_many_examples() -> None:
    rows = {"prompt_length": [[100.0]] * 5}
    (guard,) = guards_hold(rows, {"prompt_length": [[200.0]] * 5}, [LENGTH])

    assert guard.verdict is Verdict.REGRESSION
    assert guard.decision.reasons[0] == (
        "The guard 'prompt_length' is worse: its mean went from 100 to 200 (+100%), more than the "
        "tolerated 10%."
    )


def test_a_first_prompt_of_no_length_is_refused_a_share() -> None:
    (guard,) = guards_hold({"prompt_length": [[0.0]] * 5}, {"prompt_length": [[2.0]] * 5}, [LENGTH])

    assert guard.verdict is Verdict.REGRESSION
    assert guard.change is None


# -- missing values


def test_missing_values_make_a_guard_inconclusive_and_never_block() -> None:
    base = {"": ones(200), "latency": values(200, 1.0)}
    slow = [[NAN] if i % 4 == 0 else row for i, row in enumerate(values(200, 5.0, seed=1))]
    for looks in (1, 10):
        _, decision = play(plan(200, LATENCY, looks=looks), base, {"": ones(200), "latency": slow})

        assert decision.verdict is Verdict.INCONCLUSIVE
        assert decision.primary.verdict is Verdict.PASS
        assert of(decision, "latency").verdict is Verdict.INCONCLUSIVE
        assert decision.cause == "guards"
        assert decision.reasons[0].startswith("The guard 'latency' has no verdict: ")
        assert decision.reasons[0].endswith(
            "more than 10%. An answer from the response cache has no latency; with `cache: off` "
            "in the config every call is timed."
        )


def test_a_few_missing_values_are_left_out() -> None:
    base = {"": ones(200), "latency": values(200, 1.0)}
    some = [[NAN] if i < 10 else row for i, row in enumerate(values(200, 1.0, seed=1))]
    _, decision = play(plan(200, LATENCY), base, {"": ones(200), "latency": some})

    assert of(decision, "latency").passes
    assert of(decision, "latency").decision.comparison.missing == 10
    assert of(decision, "latency").baseline_mean == pytest.approx(
        np.mean([row[0] for row in base["latency"][10:]])
    )


@pytest.mark.parametrize(
    ("guard", "cure"),
    [
        (Guard(name="cost", margin=0.1, relative=True), "state it as `price` of the model"),
        (Guard(name="output_length", margin=0.1, relative=True), "Run it again"),
        (STYLE, "Run it again"),
        (LENGTH, "Run it again"),
    ],
    ids=lambda value: value.name if isinstance(value, Guard) else "",
)
def test_a_guard_without_any_value_says_what_to_do(guard: Guard, cure: str) -> None:
    (found,) = guards_hold({guard.name: [[NAN]] * 30}, {guard.name: [[1.0]] * 30}, [guard])

    assert found.verdict is Verdict.INCONCLUSIVE
    assert (found.baseline_mean, found.candidate_mean) == (0.0, 0.0)
    assert "30 of 30 examples have no value" in found.decision.reasons[0]
    assert cure in found.decision.reasons[0]


# -- promotion


def test_guards_of_a_promotion_pass_when_none_may_be_worse_than_its_margin() -> None:
    base = {"style": ones(200), "latency": values(200, 1.0), "prompt_length": [[100.0]] * 200}
    candidate = {
        "style": ones(200, lost=1),
        "latency": values(200, 1.0, seed=1),
        "prompt_length": [[105.0]] * 200,
    }
    found = guards_hold(base, candidate, [STYLE, LATENCY, LENGTH])

    assert [guard.passes for guard in found] == [True, True, True]
    assert [guard.name for guard in found] == ["style", "latency", "prompt_length"]


def test_a_guard_that_may_be_worse_holds_a_promotion_though_no_loss_is_shown() -> None:
    (found,) = guards_hold({"style": ones(40)}, {"style": ones(40, lost=2)}, [STYLE])

    assert not found.passes
    assert found.verdict is Verdict.INCONCLUSIVE


def test_a_guard_of_a_promotion_is_decided_as_a_gate_of_its_own() -> None:
    base, candidate = ones(100, lost=2), ones(100, lost=6)
    groups = [f"g{i // 2}" for i in range(100)]
    (found,) = guards_hold({"style": base}, {"style": candidate}, [STYLE], alpha=0.1, groups=groups)
    alone = regression(base, candidate, alpha=0.1, margin=0.1, groups=groups)

    assert found.verdict is alone.verdict
    assert found.decision.comparison == alone.comparison
    assert found.adjusted_p == alone.comparison.p_worse


def test_no_guards_hold_nothing() -> None:
    assert guards_hold({}, {}, []) == ()


# -- words


def test_the_sentence_of_a_guard_that_holds_says_what_is_ruled_out() -> None:
    style, latency = guards_hold(
        {"style": ones(200), "latency": values(200, 250.0)},
        {"style": ones(200), "latency": values(200, 245.0, seed=1)},
        [STYLE, LATENCY],
    )

    assert style.decision.reasons[0] == (
        "The guard 'style' holds: the mean score went from 1.00 to 1.00 (+0.00) over 200 examples, "
        "and a larger loss than the tolerated 0.10 is ruled out."
    )
    assert latency.decision.reasons[0].startswith("The guard 'latency' holds: its mean went from 2")
    assert " s over 200 examples (-" in latency.decision.reasons[0]
    assert latency.decision.reasons[0].endswith(
        "and a larger increase than the tolerated 10% is ruled out."
    )


def test_one_guard_holds_in_the_singular() -> None:
    rows: Mapping[str, Sequence[Sequence[float]]] = {"": ones(100), "style": ones(100)}
    _, decision = play(plan(100, STYLE), dict(rows), dict(rows))  # type: ignore[arg-type]

    assert "The guard 'style' holds." in decision.reasons


def test_too_few_examples_leave_a_guard_undecided_and_say_how_many_it_takes() -> None:
    (found,) = guards_hold({"style": ones(10)}, {"style": ones(10)}, [STYLE])

    assert found.verdict is Verdict.INCONCLUSIVE
    assert "held-out examples would probably decide it" in found.decision.reasons[0]


def test_the_method_says_how_several_metrics_are_judged() -> None:
    rows = {"": ones(100), "style": ones(100), "latency": values(100, 1.0)}
    _, decision = play(plan(100, STYLE, LATENCY), rows, rows)

    assert decision.method.startswith(decision.primary.method)
    assert "a loss of any at alpha/3 (Holm)" in decision.method
    assert "(b-c)/(b+c)" in decision.method
    assert "\n" not in decision.method


def test_a_score_that_was_decided_before_its_guards_says_on_how_many_examples() -> None:
    run = GuardedRegression(
        200,
        alpha=0.05,
        margin=0.1,
        trials=1,
        seed="s",
        guards=[Guard(name="g", margin=0.05, relative=False)],
    )
    fed = 0
    for place in run.order:
        fed += 1
        # Every eighth example tells the guard's two sides apart, once this way and once that.
        worse, better = float(place % 16 == 8), float(place % 16 == 0)
        if run.update({"": [1.0], "g": [worse]}, {"": [1.0], "g": [better]}) is not None:
            break

    decision = run.decision()
    used = decision.primary.comparison.n

    assert used < fed
    said = f"The score was decided after {used} examples, and its figures are of these."
    assert said in decision.reasons
