from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from provider import FakeProvider, Request
from workbench import answer, task_files

if TYPE_CHECKING:
    from workbench import Workbench


def steps(bench: Workbench) -> Any:
    """Return what `plan` says of the one task."""
    outcome = bench.run("plan", "--format", "json")
    assert (outcome.code, outcome.err) == (0, "")
    (task,) = outcome.document["tasks"]
    return task["steps"]


def learner(request: Request) -> str:
    """Answer rightly only after examples as turns."""
    if len(request.messages) > 1:
        return answer(request)
    return "no idea"


def test_the_text_form_is_a_line_for_each_command(bench: Workbench) -> None:
    bench.write(task_files(more="    optimize: {proposer: examples, max_metric_calls: 20}\n"))

    outcome = bench.run("plan")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == (
        "echo  (model openai/mock)\n"
        "  evaluate       4 calls, 0 of them cached; about 36 + 1024 tokens, price unknown\n"
        "  gate          24 calls, 0 of them cached; about 216 + 6144 tokens, price unknown\n"
        "  optimize      64 calls, 0 of them cached; about 576 + 16384 tokens, price unknown\n"
        "Calls are the most that a run makes, retries apart; tokens and dollars are estimates.\n"
    )


def test_plan_calls_no_model(bench: Workbench) -> None:
    with FakeProvider(answer=answer) as provider:
        bench.write(task_files(provider.url))
        bench.run("plan")

    assert provider.calls == 0


def test_evaluate_makes_exactly_the_planned_calls_and_then_all_are_cached(
    bench: Workbench,
) -> None:
    with FakeProvider(answer=answer) as provider:
        bench.write(task_files(provider.url))
        before = steps(bench)["evaluate"]
        assert bench.run("evaluate").code == 0
        after = steps(bench)["evaluate"]

    assert (before["calls"], before["cached_calls"]) == (provider.calls, 0)
    assert (after["calls"], after["cached_calls"]) == (provider.calls, provider.calls)
    assert after["input_tokens"] == 0


@pytest.mark.parametrize("cache", ["on", "off"])
@pytest.mark.parametrize("temperature", [0, 1])
def test_a_gate_makes_at_most_the_planned_calls(
    repo: Workbench, cache: str, temperature: int
) -> None:
    said: list[str] = []

    def moody(request: Request) -> str:
        said.append("")
        return f"answer {len(said)}"

    with FakeProvider(answer=moody) as provider:
        files = task_files(provider.url, count=40, extra=f"cache: {cache}\n")
        config = files["gepa-ci.yml"].replace(
            "retries: 0", f"retries: 0, temperature: {temperature}"
        )
        repo.write(files | {"gepa-ci.yml": config})
        base = repo.commit()
        repo.write({"p.md": "Say it: {{ text }}"})
        planned = steps(repo)["gate"]
        repo.run("gate", "--base", base)

    assert 0 < provider.calls <= planned["calls"]


@pytest.mark.parametrize("cache", ["on", "off"])
def test_example_accumulation_makes_at_most_the_planned_calls(bench: Workbench, cache: str) -> None:
    with FakeProvider(answer=learner) as provider:
        bench.write(
            task_files(
                provider.url,
                count=40,
                extra=f"cache: {cache}\n",
                more="    optimize: {proposer: examples, max_metric_calls: 60}\n",
            )
        )
        planned = steps(bench)["optimize"]
        assert bench.run("optimize").code == 0

    assert planned["reflection_calls"] == 0
    assert 0 < provider.calls <= planned["calls"]


def test_reflection_makes_at_most_the_planned_calls(bench: Workbench) -> None:
    with FakeProvider(answer=lambda _: "no idea") as provider:
        files = task_files(provider.url, count=40, more="    optimize: {max_metric_calls: 60}\n")
        reflection = f"  reflection: {{model: openai/thinker, api_base: {provider.url}}}\ntasks:"
        config = files["gepa-ci.yml"].replace("tasks:", reflection)
        bench.write(files | {"gepa-ci.yml": config})
        planned = steps(bench)["optimize"]
        assert bench.run("optimize").code == 0

    asked = [request.model for request in provider.requests]
    assert 0 < asked.count("thinker") <= planned["reflection_calls"]
    assert 0 < asked.count("mock") <= planned["calls"]


def test_a_cap_that_cannot_pay_is_named_at_each_command(bench: Workbench) -> None:
    more = "    optimize: {proposer: examples}\n"
    bench.write(task_files(extra="spend: {calls: 10}\n", more=more))

    found = steps(bench)

    assert found["evaluate"]["refusal"] is None
    assert found["gate"]["refusal"] == (
        "the spend cap 'calls: 10' cannot pay for the evaluation: it needs 24 calls"
    )
    assert found["optimize"]["refusal"] == (
        "the spend cap 'calls: 10' cannot pay for the proof on held-out examples: it needs 44 calls"
    )
    assert bench.run("plan").out.count("would be refused: the spend cap 'calls: 10' cannot") == 2


def test_a_dollar_cap_without_a_price_is_named(bench: Workbench) -> None:
    bench.write(task_files(extra="spend: {usd: 1}\n"))

    assert "price" in steps(bench)["evaluate"]["refusal"]


def test_a_price_gives_dollars(bench: Workbench) -> None:
    files = task_files()
    config = files["gepa-ci.yml"].replace("retries: 0", "price: {input: 1, output: 2}")
    bench.write(files | {"gepa-ci.yml": config})

    evaluate = steps(bench)["evaluate"]

    assert evaluate["usd"] == pytest.approx(
        (evaluate["input_tokens"] + 2 * evaluate["output_tokens"]) / 1e6
    )
    assert "$0.0021" in bench.run("plan").out


def test_without_held_out_examples_there_is_nothing_to_plan(bench: Workbench) -> None:
    row = '{"inputs": {"text": "a"}, "expected": "a", "part": "train"}\n'
    bench.write(task_files() | {"s.jsonl": row})

    outcome = bench.run("plan")

    assert "  nothing can be run: there are no held-out examples\n" in outcome.out


def test_a_search_without_a_reflection_lm_is_named(bench: Workbench) -> None:
    bench.write(task_files())

    assert steps(bench)["optimize"]["refusal"] == (
        "`proposer: reflection` needs a reflection LM, and the config names none"
    )
