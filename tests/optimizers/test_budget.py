"""Tests of gepa_ci.optimizers.budget."""

from __future__ import annotations

import threading

import pytest

from gepa_ci.core.config import Budget, OptimizePolicy
from gepa_ci.optimizers.budget import BudgetReached, MetricCalls, plan_budget

NAMED = {
    (Budget.LIGHT, 1): (460, 580, 780, 1180),
    (Budget.MEDIUM, 1): (790, 940, 1190, 1690),
    (Budget.HEAVY, 1): (1175, 1385, 1735, 2435),
    (Budget.LIGHT, 2): (850, 1030, 1330, 1930),
    (Budget.MEDIUM, 2): (1180, 1390, 1740, 2440),
    (Budget.HEAVY, 2): (1405, 1645, 2045, 2845),
}


@pytest.mark.parametrize(
    ("name", "components", "val", "calls"),
    [
        (name, components, val, calls)
        for (name, components), row in NAMED.items()
        for val, calls in zip((20, 50, 100, 200), row, strict=True)
    ],
)
def test_a_named_budget_is_as_large_as_that_of_dspy(
    name: Budget, components: int, val: int, calls: int
) -> None:
    plan = plan_budget(OptimizePolicy(auto=name), train=50, val=val, components=components)

    assert plan.metric_calls == calls
    assert plan.warning is None


def test_a_number_of_metric_calls_is_taken_as_it_is() -> None:
    policy = OptimizePolicy(auto=None, max_metric_calls=123)

    assert plan_budget(policy, train=9, val=9, components=1).metric_calls == 123


def test_full_evaluations_are_of_train_and_val() -> None:
    policy = OptimizePolicy(auto=None, max_full_evals=4)

    assert plan_budget(policy, train=20, val=10, components=1).metric_calls == 120


def test_no_budget_at_all_means_light() -> None:
    assert plan_budget(OptimizePolicy(auto=None), train=9, val=20, components=1).metric_calls == 460


def test_a_budget_that_cannot_carry_one_proposal_warns() -> None:
    policy = OptimizePolicy(auto=None, max_metric_calls=45)
    plan = plan_budget(policy, train=40, val=20, components=1)

    assert plan.warning == (
        "The budget of 45 metric calls is too small to try anything: one proposal needs 46."
    )


def test_a_budget_that_carries_exactly_one_proposal_does_not_warn() -> None:
    policy = OptimizePolicy(auto=None, max_metric_calls=46)

    assert plan_budget(policy, train=40, val=20, components=1).warning is None


def test_a_train_part_smaller_than_the_minibatch_needs_less() -> None:
    policy = OptimizePolicy(auto=None, max_metric_calls=42)

    assert plan_budget(policy, train=1, val=20, components=1).warning is None


def test_a_batch_that_does_not_fit_whole_is_refused_whole() -> None:
    calls = MetricCalls(10)
    calls.take(8)

    with pytest.raises(BudgetReached):
        calls.take(3)

    assert calls.used == 8
    calls.take(2)
    assert calls.used == 10


def test_many_threads_never_take_more_than_the_limit() -> None:
    calls = MetricCalls(100)
    refused = []

    def work() -> None:
        for _ in range(50):
            try:
                calls.take(1)
            except BudgetReached:
                refused.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert calls.used == 100
    assert len(refused) == 300
