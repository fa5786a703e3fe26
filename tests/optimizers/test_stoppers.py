"""Tests of gepa_ci.optimizers.stoppers, and of what else ends or steers a search by GEPA."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from fakes import is_expected, prompt
from test_gepa_search import World, adds_a_rule, essence, two_parts

from gepa_ci.core.call import Purpose, Reply
from gepa_ci.core.config import Proposer
from gepa_ci.core.score import Score
from gepa_ci.core.spend import Price
from gepa_ci.optimizers.stoppers import SecondInterrupt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gepa_ci.core.call import Call
    from gepa_ci.core.optimization import CandidateRecord
    from gepa_ci.core.suite import Example
    from gepa_ci.optimizers.budget import MetricCalls


@pytest.mark.parametrize(("limit", "proposals"), [(1, 8), (3, 2), (4, 2)])
def test_no_more_proposals_are_made_than_the_search_may(limit: int, proposals: int) -> None:
    world = World(reflection=lambda call: "```text\nNo better.\n```")

    result = world.run(stop_after_proposals=limit, proposals=proposals)

    assert result.proposals == limit
    assert len(world.asked(Purpose.REFLECTION)) == limit
    assert result.stop_reason == f"The search has made {limit} proposals, after which it stops."


def test_a_number_of_candidates_on_val_is_the_reason() -> None:
    result = World(kinds=6).run(stop_after_candidates=1, proposals=1)

    assert len(result.candidates) == 2
    assert result.stop_reason == "So many candidates have reached val: 1, at which it stops."


def test_a_spend_is_the_reason_and_nothing_is_asked_after_it() -> None:
    def dear(call: Call) -> Reply:
        return Reply(text="no idea", model="test/task", input_tokens=100_000)

    world = World(task=dear, price=Price(input=1.0, output=0.0))

    # Ten cents a call: six for the baseline on val, and what is begun is brought to its end.
    result = world.run(stop_at_usd=0.65, proposer=Proposer.EXAMPLES, proposals=1)

    assert result.stop_reason == "The search has spent $0.65, at which it stops."
    assert len(world.engines.calls) == 6 + 3
    assert result.usage.usd == pytest.approx(0.9)


def test_a_spend_that_nobody_can_count_ends_the_search() -> None:
    # The task LM has a price, and the reflection LM has none.
    world = World(price=Price(input=1.0, output=0.0))

    result = world.run(stop_at_usd=100.0, proposals=1)

    assert result.stop_reason == (
        "A model without a known price was called, so `stop_at_usd` stops the search."
    )
    assert len(world.asked(Purpose.REFLECTION)) == 1


def test_a_search_without_time_does_nothing() -> None:
    spent = World(task=lambda call: "no idea", reflection=lambda call: "I cannot help.")
    ended = spent.run(stop_after_minutes=1e-9)

    assert ended.stop_reason == "The search has taken 1e-09 minutes, after which it stops."
    assert spent.engines.calls == []
    assert ended.candidates == ()


def test_time_ends_a_search_before_its_next_batch() -> None:
    def slow_once(record: CandidateRecord, calls: MetricCalls) -> None:
        time.sleep(0.25)

    world = World(on_candidate=slow_once)

    result = world.run(stop_after_minutes=0.2 / 60)

    assert result.stop_reason == "The search has taken 0.00333333 minutes, after which it stops."
    assert len(result.candidates) == 1
    assert len(world.engines.calls) == 6


# Ctrl-C


@pytest.fixture(autouse=True)
def _usual_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_between_calls_keeps_the_best_so_far(tmp_path: Path) -> None:
    def press(record: CandidateRecord, calls: MetricCalls) -> None:
        if record.number == 1:
            signal.raise_signal(signal.SIGINT)

    world = World(on_candidate=press, patience=1.0, kinds=5, journal=tmp_path / "j.jsonl")
    calm = World(kinds=5)

    result = world.run(proposals=1)
    again = World(kinds=5, journal=tmp_path / "j.jsonl")

    assert result.interrupted
    assert result.stop_reason == "Stopped by hand."
    assert (result.best, len(result.candidates)) == (1, 2)
    assert result.candidate.component("system").text.startswith("Rule ")
    assert essence(again.run(proposals=1)) == essence(calm.run(proposals=1))
    assert len(again.engines.calls) == len(calm.engines.calls) - len(world.engines.calls)


def test_ctrl_c_lets_calls_in_flight_end_and_keeps_their_answers(tmp_path: Path) -> None:
    at_work = threading.Event()

    def press(call: Call) -> str:
        if not at_work.is_set():
            at_work.set()
            threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT)).start()
        time.sleep(0.4)
        return "no idea"

    main = threading.main_thread().ident
    world = World(task=press, workers=3, val=6, patience=5.0, journal=tmp_path / "j.jsonl")

    result = world.run()

    assert result.interrupted
    assert result.candidates == ()
    assert not result.changed
    assert len(world.engines.calls) == 3
    assert len((tmp_path / "j.jsonl").read_bytes().splitlines()) == 3


@pytest.mark.parametrize(("patience", "error"), [(None, KeyboardInterrupt), (1.0, SecondInterrupt)])
def test_ctrl_c_ends_a_run_that_keeps_nothing_and_a_second_one_any(
    patience: float | None, error: type[KeyboardInterrupt]
) -> None:
    def press(record: CandidateRecord, calls: MetricCalls) -> None:
        raise error

    with pytest.raises(error):
        World(on_candidate=press, patience=patience).run()


# What a search is steered by


def test_one_seed_gives_one_result_and_another_one_other_minibatches() -> None:
    worlds = [World(kinds=5) for _ in range(3)]

    first, same, other = (
        world.run(seed=seed, max_metric_calls=40, proposals=1)
        for world, seed in zip(worlds, (1, 1, 2), strict=True)
    )

    def shown(world: World) -> list[str]:
        return [call.digest for call in world.asked(Purpose.REFLECTION)]

    assert essence(first) == essence(same)
    assert shown(worlds[0]) == shown(worlds[1])
    assert shown(worlds[0]) != shown(worlds[2])
    assert (first.seed, other.seed) == (1, 2)


@pytest.mark.parametrize("choice", ["pareto", "current_best", "epsilon_greedy", "top_k_pareto"])
def test_every_way_of_choosing_parents_is_repeatable(choice: str) -> None:
    first, second = (
        World(kinds=5, workers=workers).run(
            candidate_selection_strategy=choice, proposals=2, max_metric_calls=120, seed=3
        )
        for workers in (1, 8)
    )

    assert essence(first) == essence(second)


def coupled(call: Call) -> str:
    """Answer rightly only when both messages have what goes together."""
    system, user = call.messages[0].content, call.messages[-1].content
    return f"kind {user[-1]}" if "Encode." in system and "Decode." in user else "no idea"


def adds_its_half(call: Call) -> str:
    """Add the half of a pair that belongs to the component."""
    half = "Encode." if "named `system`" in call.messages[0].content else "Decode."
    text = "Name the kind." if half == "Encode." else "Letter. {{text}}"
    return f"```text\n{half} {text}\n```"


@pytest.mark.parametrize(("selector", "best"), [("all", 1.0), ("round_robin", 0.0)])
def test_coupled_texts_are_improved_together_where_one_at_a_time_cannot(
    selector: str, best: float
) -> None:
    world = two_parts(task=coupled, reflection=adds_its_half)

    result = world.run(component_selector=selector, proposals=1, max_metric_calls=100)

    assert result.candidates[result.best].val_mean == best
    assert result.changed == (selector == "all")


def test_texts_that_are_proposed_again_and_again_end_the_search() -> None:
    # All there is to run has been run long before the budget is used.
    result = World(reflection=lambda call: "```text\nNo better.\n```").run(
        proposals=1, max_metric_calls=10_000
    )

    assert result.stop_reason == "20 rounds in a row brought no proposal to try."
    assert result.metric_calls < 40


def test_parts_of_the_metric_are_objectives_of_the_frontier() -> None:
    def two_sided(example: Example, output: str) -> Score:
        score = is_expected(example, output)
        return Score(value=score.value, feedback=score.feedback, parts={"exact": score.value})

    result = World(score=two_sided, prompt=prompt(), reflection=adds_a_rule).run(
        frontier_type="objective"
    )

    assert result.candidates[result.best].objectives == {"score": 1.0, "exact": 1.0}
