"""Tests of gepa_ci.evaluate.measures, and of how the evaluator takes them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from fakes import (
    SPEC,
    ScriptedEngines,
    ScriptedMetric,
    client,
    examples,
    is_expected,
    prompt,
)

from gepa_ci.core.call import Reply
from gepa_ci.core.config import Measure, ModelSpec
from gepa_ci.core.score import ModelFailure, Output, Score
from gepa_ci.core.spend import Price
from gepa_ci.core.suite import Example, HeldOutSet, Part
from gepa_ci.errors import MetricError
from gepa_ci.evaluate import Evaluator
from gepa_ci.evaluate.measures import guard_values
from gepa_ci.programs import ChatProgram

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gepa_ci.core.call import Call
    from gepa_ci.lm.client import LMClient
    from gepa_ci.metrics import Metric

EXAMPLE = examples(1)[0]
ALL = {measure.value: measure for measure in Measure}
PRICED = ModelSpec(
    model="test/priced", api_base="http://localhost:1", price=Price(input=1.0, output=2.0)
)


def values(
    output: Output,
    guards: Mapping[str, Metric | Measure] = ALL,
    *,
    seconds: float | None = None,
    price: Price | None = None,
) -> dict[str, float]:
    return guard_values(guards, EXAMPLE, output, seconds=seconds, price=price)


def evaluator(
    lm: LMClient,
    guards: Mapping[str, Metric | Measure] = ALL,
    *,
    model: ModelSpec | None = SPEC,
) -> Evaluator:
    return Evaluator(
        program=ChatProgram(client=lm, model=model),
        metric=ScriptedMetric(is_expected),
        concurrency=2,
        guards=guards,
    )


def answer(call: Call) -> Reply:
    return Reply(text="abc", model=call.spec.model, input_tokens=10, output_tokens=5)


def held_out(count: int = 2) -> HeldOutSet:
    return HeldOutSet(examples=examples(count))


def first(run: Evaluator, *, trials: range = range(1), **options: Any) -> Mapping[str, float]:
    part = options.pop("part", Part.HELD_OUT)
    return run.evaluate(prompt(), held_out(), part=part, trials=trials).trials[0][0].guards


# -- one value


def test_lengths_are_counted_in_characters() -> None:
    found = values(Output(text="häßlich", prompt_length=12))

    assert (found["output_length"], found["prompt_length"]) == (7.0, 12.0)


def test_cost_is_dollars_where_the_price_is_known_and_tokens_where_it_is_not() -> None:
    output = Output(text="", input_tokens=1000, output_tokens=500)

    assert values(output)["cost"] == 1500.0
    assert values(output, price=Price(input=1.0, output=2.0))["cost"] == pytest.approx(0.002)


def test_a_call_whose_tokens_nobody_counted_has_no_cost() -> None:
    assert "cost" not in values(Output(text="x"), price=Price(input=1.0, output=2.0))


def test_a_call_that_was_not_timed_has_no_latency() -> None:
    assert "latency" not in values(Output(text="x"))
    assert values(Output(text="x"), seconds=0.25)["latency"] == 0.25


def test_a_metric_gives_its_score_and_a_model_that_failed_none() -> None:
    guards = {"brief": ScriptedMetric(lambda _, output: Score(value=1 / len(output)))}

    assert values(Output(text="four"), guards) == {"brief": 0.25}
    assert values(Output(text="", failure=ModelFailure.REFUSAL), guards) == {"brief": 0.0}


# -- the evaluator


def test_each_held_out_trial_carries_what_the_guards_measured() -> None:
    found = first(evaluator(client(answer)))

    assert set(found) == set(ALL)
    assert found["cost"] == 15.0
    assert found["output_length"] == 3.0
    assert found["prompt_length"] == len("Name the kind." + "letter e0 about 0")
    assert found["latency"] > 0


@pytest.mark.parametrize("part", [Part.TRAIN, Part.VAL])
def test_nothing_is_measured_on_examples_that_decide_nothing(part: Part) -> None:
    def never(example: Example, output: str) -> Score:
        raise AssertionError

    run = evaluator(client(answer), {"never": ScriptedMetric(never)})

    assert first(run, part=part) == {}


def test_without_guards_nothing_is_kept() -> None:
    run = evaluator(client(answer), {})

    assert first(run) == {}
    assert run.seconds == {}


def test_a_model_with_a_price_costs_dollars() -> None:
    run = evaluator(client(answer), {"cost": Measure.COST}, model=PRICED)

    assert first(run) == {"cost": pytest.approx(20e-6)}


def test_an_answer_from_the_cache_has_its_cost_but_no_latency(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        lm = client(answer, cache=tmp_path / "cache.sqlite")
        found.append(first(evaluator(lm)))
        lm.close()

    assert [values["cost"] for values in found] == [15.0, 15.0]
    assert ["latency" in values for values in found] == [True, False]


def test_an_answer_that_this_run_paid_for_keeps_its_latency(tmp_path: Path) -> None:
    def slow(call: Call) -> Reply:
        time.sleep(0.02)
        return answer(call)

    lm = client(slow, cache=tmp_path / "cache.sqlite")
    run = evaluator(lm)
    run.evaluate(prompt(), held_out().examples, part=Part.VAL, trials=range(1))

    assert first(run)["latency"] >= 0.02
    lm.close()


def test_dollars_of_one_prompt_are_not_held_against_tokens_of_another() -> None:
    engines = ScriptedEngines(answer)
    # The file names the model: one that a price table knows, and one that none does.
    priced, unpriced = prompt(model="openai/gpt-4o-mini"), prompt(model="test/task")
    run = evaluator(client(engines), model=None)

    arms = run.evaluate_arms((priced, unpriced), held_out(), part=Part.HELD_OUT, trials=range(1))
    alone = run.evaluate(priced, held_out(), part=Part.HELD_OUT, trials=range(1))

    assert all("cost" not in row[0].guards for arm in arms for row in arm.trials)
    assert all("latency" in row[0].guards for arm in arms for row in arm.trials)
    assert 0 < alone.trials[0][0].guards["cost"] < 0.01


def test_the_first_call_of_a_run_tries_the_guards_too() -> None:
    def broken(example: Example, output: str) -> Score:
        raise MetricError("m.py:f raised")

    engines = ScriptedEngines(answer)
    run = evaluator(client(engines), {"m.py:f": ScriptedMetric(broken)})

    with pytest.raises(MetricError, match=r"m\.py:f raised"):
        run.preflight(prompt(), held_out(9))
    assert len(engines.calls) == 1


def test_the_trial_of_the_first_call_keeps_its_guards() -> None:
    engines = ScriptedEngines(answer)
    run = evaluator(client(engines))
    run.preflight(prompt(), held_out())

    assert set(first(run)) == set(ALL)
    assert len(engines.calls) == 2
