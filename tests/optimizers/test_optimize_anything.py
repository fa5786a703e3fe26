"""Tests of gepa_ci.optimizers.optimize_anything."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from optimizer_world import World, states_rules

from gepa_ci.core.call import Purpose
from gepa_ci.core.score import Output, Step
from gepa_ci.errors import AccountError, InfraError
from gepa_ci.lm.failures import Refused, Transient
from gepa_ci.optimizers import optimize
from gepa_ci.programs import ChatProgram

if TYPE_CHECKING:
    from pathlib import Path

    from gepa_ci.core.call import Call
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.suite import Example

MODES = ("generalization", "multi_task", "single_task")


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_finds_the_rules_within_its_budget(mode: str, tmp_path: Path) -> None:
    first = World("optimize_anything", options={"mode": mode}, journal=tmp_path / "j.jsonl")
    again = World("optimize_anything", options={"mode": mode}, journal=tmp_path / "j.jsonl")

    result, repeated = first.run(), again.run()

    assert result.candidates[result.best].val_mean == 1.0
    assert "Rule 1." in result.candidate.component("system").text
    assert result.metric_calls == len(first.asked(Purpose.TASK)) <= result.budget
    assert again.engines.calls == []
    assert repeated.candidates == result.candidates


@pytest.mark.parametrize("budget", [5, 20, 33])
@pytest.mark.parametrize("mode", MODES)
def test_a_budget_is_never_passed(mode: str, budget: int) -> None:
    world = World("optimize_anything", options={"mode": mode}, budget=budget)

    result = world.run()

    assert result.metric_calls == len(world.asked(Purpose.TASK)) <= budget


def test_the_reflection_lm_sees_train_and_is_told_the_objective() -> None:
    options: dict[str, object] = {"objective": "Sort letters.", "background": "Letters have kinds."}
    world = World("optimize_anything", options=options)

    world.run()

    asked = [call.messages[0].content for call in world.asked(Purpose.REFLECTION)]
    assert all("Sort letters." in text and "Letters have kinds." in text for text in asked)
    assert all("letter t" in text and "letter v" not in text for text in asked)


def test_a_single_task_shows_the_worst_examples() -> None:
    world = World("optimize_anything", options={"mode": "single_task"})

    world.run()

    (first, *_) = world.asked(Purpose.REFLECTION)
    assert first.messages[0].content.count("letter t") == 10


def test_each_candidate_has_its_parents_and_examples() -> None:
    result = World("optimize_anything").run()

    assert [c.parents for c in result.candidates] == [(), (0,), (1,), (2,)]
    assert len(result.candidates[1].examples) == 3


def test_a_refiner_works_on_the_components_only() -> None:
    def refines(call: Call) -> str:
        if "You are refining" not in call.messages[-1].content:
            return states_rules(call)
        return json.dumps({"system": "Rule 0. Rule 1. Rule 2. Name the kind.", "other": "x"})

    world = World("optimize_anything", options={"max_refinements": 1}, reflection=refines)

    result = world.run()

    assert set(result.candidates[0].texts) == {"system"}
    assert result.metric_calls == len(world.asked(Purpose.TASK)) <= result.budget


def test_a_refused_candidate_costs_no_task_call() -> None:
    world = World("optimize_anything")
    world.reflection = lambda call: states_rules(call).replace("Name", "Name {{secret}}")

    result = world.run()

    assert not result.changed
    assert result.rejections
    assert result.stop_reason == "20 rounds in a row brought no proposal to try."


def test_errors_of_models_end_the_run() -> None:
    def fails(call: Call) -> str:
        raise Transient("503")

    def refuses(call: Call) -> str:
        raise Refused("401", "check it")

    with pytest.raises(InfraError):
        World("optimize_anything", task=fails).run()
    with pytest.raises(AccountError):
        World("optimize_anything", reflection=refuses).run()


def test_what_a_program_did_is_shown() -> None:
    world = World("optimize_anything")
    search = world.search()
    chat = search.evaluator.program

    class Thinking(ChatProgram):
        """The chat program, telling its way."""

        def run(self, prompt: Prompts, example: Example, trial: int) -> Output:
            step = Step(prompt="kind", inputs={"text": "t"}, output="I think")
            return replace(chat.run(prompt, example, trial), steps=(step,), trace="it took long")

    thinking = replace(search.evaluator, program=Thinking(client=None))
    optimize(replace(search, evaluator=thinking))

    (first, *_) = world.asked(Purpose.REFLECTION)
    assert "I think" in first.messages[0].content
    assert "it took long" in first.messages[0].content


def test_the_best_on_train_are_run_on_val_as_far_as_the_budget_goes() -> None:
    def guesses(call: Call) -> str:
        return f"```\nRule 0. Try {call.trial} {len(call.messages[0].content)}.\n```"

    options: dict[str, object] = {"mode": "multi_task"}
    world = World("optimize_anything", options=options, budget=30, reflection=guesses)

    result = world.run()

    assert len(result.candidates) == 2
    assert result.candidates[1].val_mean == pytest.approx(1 / 3)
