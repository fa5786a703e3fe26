"""Tests of gepa_ci.optimizers.better_together and its chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from optimizer_world import World, demos_of, states_rules

from gepa_ci.core.call import Purpose
from gepa_ci.core.config import OptimizePolicy
from gepa_ci.core.optimization import Origin
from gepa_ci.optimizers.chain import steps_of

if TYPE_CHECKING:
    from pathlib import Path

    from gepa_ci.core.call import Call


def needs_both(call: Call) -> str:
    """Be right about kind 0 by its rule, and about all others when a turn shows any."""
    kind = call.messages[-1].content[-1]
    ruled = "Rule 0." in call.messages[0].content
    is_right = ruled if kind == "0" else len(call.messages) > 2
    return f"kind {kind}" if is_right else "no idea"


def chain(strategy: str, *, budget: int = 200, **options: object) -> World:
    return World(
        "better_together",
        options={"strategy": strategy, **options},
        components=("system", "demos"),
        task=needs_both,
        budget=budget,
    )


@pytest.mark.parametrize("strategy", ["copro -> labeled_few_shot", "labeled_few_shot -> gepa"])
def test_each_step_starts_from_the_best_so_far(strategy: str) -> None:
    world = chain(strategy, copro={"breadth": 3}, labeled_few_shot={"k": 1})

    result = world.run()

    assert "Rule 0." in result.candidate.component("system").text
    assert len(demos_of(result)) == 1
    assert result.candidates[result.best].val_mean == 1.0
    assert {c.origin for c in result.candidates[1:]} == {Origin.REFLECTION, Origin.EXAMPLES}
    assert all(set(c.texts) == {"system", "demos"} for c in result.candidates)
    assert result.optimizer == "better_together"


def test_the_steps_share_the_budget_and_the_journal(tmp_path: Path) -> None:
    first = chain("gepa -> labeled_few_shot", budget=60)
    again = chain("gepa -> labeled_few_shot", budget=60)
    first.journal = again.journal = tmp_path / "journal.jsonl"

    result, repeated = first.run(), again.run()

    assert result.metric_calls == len(first.asked(Purpose.TASK)) <= result.budget == 60
    assert again.engines.calls == []
    assert repeated.candidates == result.candidates
    # GEPA would use all of the budget, and leaves what is the other step's.
    assert result.candidates[-1].origin is Origin.EXAMPLES


def test_every_step_says_why_it_ended() -> None:
    world = chain("copro -> labeled_few_shot", copro={"breadth": 2, "depth": 1})
    world.task = lambda call: "no idea"

    assert world.run().stop_reason == (
        "copro: COPRO has come to its end. labeled_few_shot: LabeledFewShot has come to its end."
    )


def test_a_budget_that_is_used_ends_a_step_and_not_the_chain() -> None:
    world = chain("copro -> labeled_few_shot", budget=20, copro={"breadth": 9})
    world.task = lambda call: "no idea"

    result = world.run()

    assert result.stop_reason.startswith("copro: The budget is used: 12 of 13 metric calls")
    assert [c.origin for c in result.candidates] == [
        Origin.BASELINE,
        Origin.REFLECTION,
        Origin.EXAMPLES,
    ]
    assert result.budget == 20


def test_a_strategy_gives_each_step_its_options() -> None:
    options = {"strategy": " copro->gepa ", "copro": {"depth": 2}, "simba": {"bsize": 3}}
    policy = OptimizePolicy(optimizer="better_together", options=options)  # type: ignore[arg-type]

    copro, gepa = steps_of(policy)

    assert (copro.optimizer, copro.options) == ("copro", {"depth": 2})
    assert (gepa.optimizer, gepa.options) == ("gepa", {})


def test_a_policy_without_a_strategy_has_no_steps() -> None:
    assert steps_of(OptimizePolicy(optimizer="better_together")) == ()


def test_proposals_of_all_steps_are_counted() -> None:
    world = chain("copro -> copro", copro={"breadth": 3, "depth": 1})
    world.task = lambda call: "no idea"
    world.reflection = lambda call: states_rules(call).replace("Rule", f"Rule {call.trial}")

    result = world.run()

    # The second step proposes the same two again, which costs nothing.
    assert result.proposals == 4
    assert len(result.candidates) == 3
    assert result.metric_calls == 3 * 6
