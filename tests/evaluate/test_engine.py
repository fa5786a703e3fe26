"""Tests of gepa_ci.evaluate.engine."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from fakes import SPEC, ScriptedEngines, ScriptedMetric, client, examples, is_expected, prompt

from gepa_ci.core.call import Reply
from gepa_ci.core.score import ModelFailure, Score, Trial
from gepa_ci.core.suite import Example, HeldOutSet, Part
from gepa_ci.errors import InfraError, MetricError, ProgramError
from gepa_ci.evaluate import Evaluator, Job
from gepa_ci.lm.failures import Rejected, Transient
from gepa_ci.programs import ChatProgram

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.core.call import Call


def evaluator(
    answer: Callable[[Call], str | Reply] | ScriptedEngines,
    *,
    score: Callable[[Example, str], Score] = is_expected,
    concurrency: int = 4,
    on_trial: Callable[[Trial], None] | None = None,
) -> Evaluator:
    return Evaluator(
        program=ChatProgram(client=client(answer), model=SPEC),
        metric=ScriptedMetric(score),
        concurrency=concurrency,
        on_trial=on_trial,
    )


def question(call: Call) -> str:
    return call.messages[-1].content


def kind_of(call: Call) -> str:
    return f"kind {question(call)[-1]}"


def test_trials_come_back_in_the_order_of_the_jobs_whoever_is_first() -> None:
    def slow_first(call: Call) -> str:
        time.sleep(0.02 if " e0 " in question(call) or " e2 " in question(call) else 0)
        return question(call)

    jobs = [Job(prompt=prompt(), example=example) for example in examples(6)]
    trials = evaluator(slow_first).run(jobs)

    assert [trial.example_id for trial in trials] == [f"e{number}" for number in range(6)]
    assert [trial.output for trial in trials] == [
        f"letter e{number} about {number % 3}" for number in range(6)
    ]


def test_the_trials_of_an_example_are_numbered_and_are_calls_of_their_own() -> None:
    engines = ScriptedEngines(lambda call: f"answer {call.trial}")

    evaluation = evaluator(engines).evaluate(
        prompt(), examples(2), part=Part.VAL, trials=range(1, 4)
    )

    assert [[t.number for t in row] for row in evaluation.trials] == [[1, 2, 3]] * 2
    assert [[t.output for t in row] for row in evaluation.trials] == [
        ["answer 1", "answer 2", "answer 3"]
    ] * 2
    assert len({call.digest for call in engines.calls}) == 6


def test_an_evaluation_says_what_was_run() -> None:
    rows = examples(3)

    evaluation = evaluator(kind_of).evaluate(
        prompt(), HeldOutSet(examples=rows), part=Part.HELD_OUT, trials=range(1)
    )

    assert evaluation.prompt_digest == prompt().digest
    assert evaluation.examples == rows
    assert (evaluation.part, evaluation.model) == (Part.HELD_OUT, "test/task")
    assert evaluation.mean == 1.0
    assert evaluation.usage.calls == 3


def test_the_arms_are_interleaved_and_sorted_out_again() -> None:
    engines = ScriptedEngines(lambda call: call.messages[0].content)
    arms = [prompt("base"), prompt("head"), prompt("third")]

    evaluations = evaluator(engines, concurrency=1).evaluate_arms(
        arms, examples(2), part=Part.HELD_OUT, trials=range(2)
    )

    assert [call.messages[0].content for call in engines.calls] == ["base", "head", "third"] * 4
    assert [call.trial for call in engines.calls] == [0, 0, 0, 1, 1, 1] * 2
    for arm, evaluation in zip(arms, evaluations, strict=True):
        assert evaluation.prompt_digest == arm.digest
        assert [[t.output for t in row] for row in evaluation.trials] == [
            [arm.component("system").text] * 2
        ] * 2
        assert [[t.number for t in row] for row in evaluation.trials] == [[0, 1]] * 2


@pytest.mark.parametrize(
    ("reply", "feedback"),
    [
        (
            Reply(text="I won't", failure=ModelFailure.REFUSAL, detail="the model refused"),
            'refusal: the model refused: "I won\'t"',
        ),
        (
            Reply(text="", failure=ModelFailure.EMPTY, detail="nothing came"),
            "empty: nothing came",
        ),
        (
            Reply(text="x" * 500, failure=ModelFailure.TRUNCATED, detail="cut off"),
            f"truncated: cut off: '{'x' * 400}'",
        ),
    ],
)
def test_a_failure_of_the_model_scores_0_with_feedback(reply: Reply, feedback: str) -> None:
    def never(example: Example, output: str) -> Score:
        raise AssertionError("a failed output is not scored by the metric")

    (trial,) = evaluator(lambda call: reply, score=never).run(
        [Job(prompt=prompt(), example=examples(1)[0])]
    )

    assert trial.score == Score(value=0.0, feedback=feedback)
    assert (trial.failure, trial.output) == (reply.failure, reply.text)


def test_a_request_that_cannot_be_answered_scores_0() -> None:
    def rejects(call: Call) -> str:
        raise Rejected(ModelFailure.CONTENT_FILTER, "filtered")

    evaluation = evaluator(rejects).evaluate(prompt(), examples(2), part=Part.VAL, trials=range(1))

    assert evaluation.mean == 0.0
    assert evaluation.failures == 2


def test_a_metric_that_fails_stops_the_run() -> None:
    engines = ScriptedEngines(kind_of)

    def breaks(example: Example, output: str) -> Score:
        raise MetricError("broken metric")

    with pytest.raises(MetricError, match="broken metric"):
        evaluator(engines, score=breaks, concurrency=1).evaluate(
            prompt(), examples(50), part=Part.VAL, trials=range(1)
        )

    assert len(engines.calls) == 1


def test_a_provider_that_fails_stops_the_run() -> None:
    def down(call: Call) -> str:
        raise Transient("503")

    with pytest.raises(InfraError, match="503"):
        evaluator(down).evaluate(prompt(), examples(9), part=Part.VAL, trials=range(1))


def test_each_trial_is_handed_on_as_soon_as_it_is_there() -> None:
    progress: list[Trial] = []
    done: dict[str, Trial] = {}
    lock = threading.Lock()

    def on_trial(trial: Trial) -> None:
        with lock:
            progress.append(trial)

    jobs = [Job(prompt=prompt(), example=example) for example in examples(5)]
    trials = evaluator(kind_of, on_trial=on_trial).run(
        jobs, on_done=lambda job, trial: done.__setitem__(job.example.id, trial)
    )

    assert sorted(progress, key=lambda t: t.example_id) == trials
    assert done == {trial.example_id: trial for trial in trials}


def test_the_preflight_is_one_call_and_one_score() -> None:
    engines = ScriptedEngines(kind_of)
    scored = []

    def score(example: Example, output: str) -> Score:
        scored.append(example.id)
        return is_expected(example, output)

    evaluator(engines, score=score).preflight(prompt(), HeldOutSet(examples=examples(4)))

    assert len(engines.calls) == 1
    assert scored == ["e0"]


def test_the_preflight_is_part_of_the_evaluation_that_follows() -> None:
    engines = ScriptedEngines(kind_of)
    runs = evaluator(engines)

    runs.preflight(prompt(), examples(4))
    first = runs.evaluate(prompt(), examples(4), part=Part.VAL, trials=range(1))
    assert len(engines.calls) == 4
    second = runs.evaluate(prompt(), examples(4), part=Part.VAL, trials=range(1))

    assert len(engines.calls) == 8
    assert first.trials == second.trials


def test_an_evaluation_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="an example"):
        evaluator(kind_of).evaluate(prompt(), (), part=Part.VAL, trials=range(1))


def failing(call: Call) -> Reply:
    return Reply(text="?", failure=ModelFailure.PROGRAM, detail="KeyError: 'city'")


def test_a_program_that_fails_in_every_trial_of_both_prompts_gives_no_scores() -> None:
    both = prompt(), prompt("Say nothing.")

    with pytest.raises(ProgramError, match=r"failed in all 6 trials; .*KeyError: 'city'"):
        evaluator(failing).evaluate_arms(both, examples(3), part=Part.HELD_OUT, trials=range(1))


def test_a_prompt_whose_answers_the_program_cannot_use_scores_zero() -> None:
    def answer(call: Call) -> Reply | str:
        return failing(call) if "nothing" in call.messages[0].content else kind_of(call)

    arms = prompt(), prompt("Say nothing.")
    good, bad = evaluator(answer).evaluate_arms(
        arms, examples(3), part=Part.HELD_OUT, trials=range(1)
    )

    assert (good.mean, bad.mean) == (1.0, 0.0)
    assert bad.failures == 3
