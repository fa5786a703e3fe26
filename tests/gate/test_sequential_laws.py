from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gepa_ci.core.verdict import Verdict
from gepa_ci.gate import SequentialPromotion, SequentialRegression, promotion, regression

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NAN = float("nan")


@st.composite
def suites(draw: st.DrawFn) -> tuple[Floats, Floats, dict[str, Any]]:
    """Scores of both arms, with failed calls, groups and weights in some."""
    n, trials = draw(st.integers(1, 45)), draw(st.integers(1, 3))
    score = st.sampled_from([0.0, 1.0, 1.0, 1 / 3, NAN])
    base, candidate = (draw(arrays(np.float64, (n, trials), elements=score)) for _ in range(2))
    options: dict[str, Any] = {}
    if draw(st.booleans()):
        options["groups"] = draw(st.lists(st.integers(0, 30), min_size=n, max_size=n))
    if draw(st.booleans()):
        weight = st.sampled_from([1.0, 2.0, 2.5])
        options["weights"] = draw(st.lists(weight, min_size=n, max_size=n))
    return base, candidate, options


@settings(max_examples=80, deadline=None)
@given(suites(), st.integers(0, 5))
def test_one_look_is_the_fixed_regression_gate(
    suite: tuple[Floats, Floats, dict[str, Any]], seed: int
) -> None:
    base, candidate, options = suite
    gate = SequentialRegression(len(base), looks=1, seed=seed, margin=0.1, **options)
    verdicts = [gate.update(base[i], candidate[i]) for i in gate.order]
    fixed = regression(base, candidate, margin=0.1, **options)

    assert gate.decision() == fixed
    assert verdicts == [None] * (len(base) - 1) + [fixed.verdict]


@settings(max_examples=80, deadline=None)
@given(suites(), st.integers(0, 5))
def test_one_look_is_the_fixed_promotion_gate(
    suite: tuple[Floats, Floats, dict[str, Any]], seed: int
) -> None:
    base, candidate, options = suite
    gate = SequentialPromotion(len(base), looks=1, seed=seed, min_gain=0.02, **options)
    verdicts = [gate.update(base[i], candidate[i]) for i in gate.order]
    fixed = promotion(base, candidate, min_gain=0.02, **options)

    assert gate.decision() == fixed
    assert verdicts == [None] * (len(base) - 1) + [fixed.verdict]


def random_arms(seed: int, n: int, trials: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    shift = rng.uniform(-0.2, 0.2)
    chance = rng.beta(0.4, 0.1, (n, 1))
    base = rng.random((n, trials)) < chance
    candidate = rng.random((n, trials)) < chance + shift
    return base.astype(float), candidate.astype(float)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(30, 120), st.integers(1, 3))
def test_swapping_the_arms_mirrors_figures_and_claims(seed: int, n: int, trials: int) -> None:
    base, candidate = random_arms(seed, n, trials)
    one, other = (SequentialRegression(n, margin=0.0, seed=seed) for _ in range(2))
    for example in one.order:
        ours = one.update(base[example], candidate[example])
        theirs = other.update(candidate[example], base[example])
        if ours is not None and theirs is not None and one.decision().planned:
            break
    first, second = one.decision(), other.decision()
    if first.comparison.n == second.comparison.n:
        assert first.comparison.difference == -second.comparison.difference
        assert first.comparison.interval.low == pytest.approx(-second.comparison.interval.high)
        assert first.comparison.wins == second.comparison.losses
    if first.verdict is Verdict.IMPROVED:
        assert second.verdict is Verdict.REGRESSION
    assert not first.verdict is second.verdict is Verdict.REGRESSION


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 40))
def test_the_order_of_the_examples_does_not_matter_to_one_look(seed: int, n: int) -> None:
    base, candidate = random_arms(seed, n, 3)
    shuffled = np.random.default_rng(seed).permutation(n)
    found = []
    for examples in (np.arange(n), shuffled):
        gate = SequentialRegression(n, looks=1)
        for example in gate.order:
            gate.update(base[examples][example], candidate[examples][example])
        found.append(gate.decision())

    assert found[0].verdict is found[1].verdict
    assert found[0].comparison.p_worse == found[1].comparison.p_worse
    assert found[0].comparison.p_better == found[1].comparison.p_better


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(30, 150), st.sampled_from([0.0, 0.05, 0.1]))
def test_a_verdict_is_final_and_rests_on_what_was_run(seed: int, n: int, margin: float) -> None:
    base, candidate = random_arms(seed, n, 1)
    gate = SequentialRegression(n, margin=margin, seed=seed)
    verdicts = [gate.update(base[i], candidate[i]) for i in gate.order]
    given_at = next(k for k, verdict in enumerate(verdicts, 1) if verdict is not None)
    decision = gate.decision()

    assert set(verdicts[given_at - 1 :]) == {decision.verdict}
    assert given_at in gate.looks
    assert decision.comparison.n == given_at
    examples = sorted(gate.order[:given_at])
    fixed = regression(base[examples], candidate[examples], margin=margin)
    assert decision.comparison.p_worse == fixed.comparison.p_worse
    if decision.verdict in (Verdict.PASS, Verdict.IMPROVED):
        assert decision.comparison.interval.low > -margin
        assert fixed.verdict in (Verdict.PASS, Verdict.IMPROVED)
    if decision.verdict is Verdict.REGRESSION:
        assert decision.comparison.p_worse <= 0.05
    if decision.verdict is Verdict.IMPROVED:
        assert decision.comparison.p_better <= 0.05


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(30, 100))
def test_equal_weights_and_groups_of_one_change_nothing(seed: int, n: int) -> None:
    base, candidate = random_arms(seed, n, 2)
    plain = SequentialRegression(n, seed=seed)
    other = SequentialRegression(n, seed=seed, groups=list(range(n)), weights=[3.0] * n)
    for example in plain.order:
        assert plain.update(base[example], candidate[example]) is other.update(
            base[example], candidate[example]
        )

    assert plain.order == other.order
    assert plain.decision() == other.decision()
