"""Tests of gepa_ci.optimizers.objectives: what the frontier is told, and which candidate wins."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakes import ScriptedMetric, client, is_expected, prompt
from test_gepa_search import World

from gepa_ci.core.config import Measure
from gepa_ci.core.optimization import CandidateRecord, Origin
from gepa_ci.core.score import ModelFailure, Score, Trial
from gepa_ci.core.spend import Price
from gepa_ci.errors import ConfigError
from gepa_ci.evaluate import Evaluator
from gepa_ci.optimizers.objectives import Objectives, best_of
from gepa_ci.programs import ChatProgram

if TYPE_CHECKING:
    from gepa_ci.core.call import Call
    from gepa_ci.core.suite import Example


def trial(score: float, *, failure: ModelFailure | None = None, **guards: float) -> Trial:
    return Trial(
        example_id="e",
        number=0,
        output="o",
        score=Score(value=score, parts={} if failure else {"tone": score / 2}),
        failure=failure,
        guards=guards,
    )


def record(number: int, scores: str, text: str = "text", **told: float) -> CandidateRecord:
    return CandidateRecord(
        number=number,
        origin=Origin.REFLECTION,
        texts={"system": text},
        val_scores={str(place): float(score) for place, score in enumerate(scores)},
        objectives=told,
    )


def test_without_names_the_score_and_all_of_its_parts_are_objectives() -> None:
    found = Objectives(())
    found.learn([trial(0.8)])

    assert found.of(trial(0.4)) == {"score": 0.4, "tone": 0.2}
    assert found.measures == ()


def test_a_measure_is_told_against_the_baselines_mean() -> None:
    found = Objectives(("score", "cost"))
    found.learn([trial(1.0, cost=100.0), trial(0.0, cost=300.0)])
    found.learn([trial(1.0, cost=7.0)])

    assert found.of(trial(1.0, cost=200.0)) == {"score": 1.0, "cost": 0.5}
    assert found.of(trial(1.0, cost=0.0))["cost"] == 1.0
    assert found.of(trial(1.0, cost=600.0))["cost"] == 0.25
    assert found.means([trial(1.0, cost=200.0), trial(0.0, cost=0.0)]) == {
        "score": 0.5,
        "cost": 0.75,
    }


def test_a_measure_that_is_always_0_is_the_same_as_the_baselines() -> None:
    found = Objectives(("output_length",))
    found.learn([trial(1.0, output_length=0.0)])

    assert found.of(trial(1.0, output_length=0.0)) == {"score": 1.0, "output_length": 0.5}
    assert found.of(trial(1.0, output_length=3.0))["output_length"] == 0.0


def test_a_measure_without_a_value_is_left_out_until_there_is_one() -> None:
    found = Objectives(("latency", "tone"))
    found.learn([trial(1.0)])

    assert found.of(trial(1.0)) == {"score": 1.0, "tone": 0.5}
    assert "latency" not in found.of(trial(1.0, latency=2.0))
    found.learn([trial(1.0, latency=2.0)])
    assert found.of(trial(1.0, latency=2.0))["latency"] == 0.5


def test_a_failure_is_worth_nothing_in_every_respect() -> None:
    found = Objectives(("cost", "tone"))
    found.learn([trial(1.0, cost=5.0)])

    lost = trial(0.0, failure=ModelFailure.REFUSAL, cost=0.0)

    assert found.of(lost) == {"score": 0.0, "cost": 0.0, "tone": 0.0}


def test_an_unknown_objective_is_an_error_that_names_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="objective 'tune' is neither") as caught:
        Objectives(("score", "tune")).learn([trial(1.0)])

    assert caught.value.problems[0].hint == (
        "measures: cost, latency, output_length, prompt_length; parts of the metric: tone"
    )
    with pytest.raises(ConfigError, match="objective 'tune'"):
        World().run(objectives=("tune",))


def test_measures_are_measured_beside_the_guards_of_the_task() -> None:
    program = ChatProgram(client=client(lambda call: "x"))
    metric = ScriptedMetric(is_expected)
    guards = {"own": Measure.COST}
    evaluator = Evaluator(program=program, metric=metric, concurrency=1, guards=guards)

    assert Objectives(()).measuring(evaluator) is evaluator
    assert Objectives(("score", "latency")).measuring(evaluator).guards == {
        "own": Measure.COST,
        "latency": Measure.LATENCY,
    }


def test_of_equal_candidates_the_baseline_wins_and_then_the_shortest_text() -> None:
    short, long = record(2, "11", "short"), record(1, "11", "much longer")

    assert best_of([]) is None
    assert best_of([record(0, "10"), long, short]) is short
    assert best_of([record(0, "11", "the longest of all"), long, short]) == record(
        0, "11", "the longest of all"
    )
    assert Objectives(()).choice([record(0, "10"), long, short]) is short


@pytest.mark.parametrize(
    ("scores", "wins"),
    [("1111111101", True), ("1111111001", False), ("1111111111", True)],
    ids=["within noise", "worse", "equal"],
)
def test_a_cheaper_candidate_wins_when_it_is_not_worse_beyond_noise(
    scores: str, *, wins: bool
) -> None:
    best = record(1, "1111111111", cost=0.2)
    cheaper = record(2, scores, "a longer text", cost=0.6)

    chosen = Objectives(("cost",)).choice([record(0, "0000000000", cost=0.9), best, cheaper])

    assert chosen is (cheaper if wins else best)


def test_the_baseline_is_no_cheaper_alternative_but_wins_when_it_is_best() -> None:
    baseline, better = record(0, "11111111", cost=0.9), record(1, "11111111", cost=0.2)

    assert Objectives(("cost",)).choice([record(0, "11111110", cost=0.9), better]) is better
    assert Objectives(("cost",)).choice([baseline, better]) is baseline
    assert Objectives(("cost",)).choice([]) is None


def test_one_example_is_a_tie_only_when_it_is_equal() -> None:
    found = Objectives(("cost",))

    assert found.choice([record(0, "0"), record(1, "1", cost=0.1), record(2, "1", cost=0.3)]) == (
        record(2, "1", cost=0.3)
    )
    assert found.choice([record(0, "0"), record(1, "1"), record(2, "0", cost=0.3)]) == record(
        1, "1"
    )


def wordy(call: Call) -> str:
    """Answer rightly, and at length unless the prompt asks for few words."""
    system, question = call.messages[0].content, call.messages[-1].content
    answer = f"kind {question[-1]}"
    return answer if "Brief." in system else f"{answer} {'indeed ' * 20}".strip()


def starts_right(example: Example, output: str) -> Score:
    right = output.startswith(str(example.expected))
    return Score(value=0.9 * right, feedback=f"{len(output)} characters")


@pytest.mark.parametrize("frontier", ["instance", "objective", "hybrid", "cartesian"])
def test_a_search_with_objectives_keeps_the_shorter_answers(frontier: str) -> None:
    def asks_for_brevity(call: Call) -> str:
        return "```text\nBrief. Name the kind.\n```"

    world = World(
        task=wordy, score=starts_right, reflection=asks_for_brevity, price=Price(input=1, output=2)
    )

    result = world.run(
        objectives=("score", "output_length", "cost", "prompt_length"),
        frontier_type=frontier,
        acceptance="improvement_or_equal",
        max_metric_calls=40,
    )

    brief = next(c for c in result.candidates if c.number)
    assert result.candidates[0].objectives["output_length"] == pytest.approx(0.5)
    assert brief.objectives["output_length"] > 0.9
    assert brief.objectives["prompt_length"] < 0.5
    # Equal val scores, but the baseline is what has to be beaten.
    assert result.best == 0


def test_objectives_survive_a_restart(tmp_path: Any) -> None:
    wanted = {"objectives": ("output_length", "latency"), "max_metric_calls": 40}
    first = World(journal=tmp_path / "j.jsonl").run(**wanted)
    world = World(journal=tmp_path / "j.jsonl")

    again = world.run(**wanted)

    assert world.engines.calls == []
    assert [c.objectives for c in again.candidates] == [c.objectives for c in first.candidates]
    assert all("latency" in c.objectives for c in first.candidates)
    assert replace(again, usage=first.usage, seconds=first.seconds) == first
    assert prompt() == first.candidate or first.changed
