"""Tests of every optimizer of DSPy's, end to end on a small world with rules to find."""

from __future__ import annotations

import inspect
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fakes import is_expected, prompt
from optimizer_world import World, answers_by_rule, demos_of, states_rules, wavers

from gepa_ci.config.optimizer_keys import DECIDED, options_record
from gepa_ci.core.call import Purpose
from gepa_ci.core.config import SpendCaps
from gepa_ci.core.optimization import Origin
from gepa_ci.core.score import Score
from gepa_ci.errors import AccountError, InfraError, MetricError
from gepa_ci.lm.failures import Refused, Transient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gepa_ci.core.call import Call
    from gepa_ci.core.optimization import Optimization
    from gepa_ci.core.suite import Example

WORLDS: dict[str, Callable[[], World]] = {
    "dspy_gepa": lambda: World("dspy_gepa"),
    "copro": lambda: World("copro", options={"breadth": 3, "depth": 3}),
    "miprov2": lambda: World("miprov2"),
    "simba": lambda: World(
        "simba", options={"bsize": 6, "num_candidates": 3, "max_steps": 3}, task=wavers
    ),
    "infer_rules": lambda: World("infer_rules", options={"num_candidates": 2}),
    "bootstrap_few_shot": lambda: World(
        "bootstrap_few_shot", components=("demos",), reflection=None
    ),
    "bootstrap_random_search": lambda: World(
        "bootstrap_random_search",
        components=("demos",),
        reflection=None,
        options={"num_candidate_programs": 2},
    ),
    "labeled_few_shot": lambda: World("labeled_few_shot", components=("demos",), reflection=None),
}
EACH = pytest.mark.parametrize("name", sorted(WORLDS))


def essence(result: Optimization) -> object:
    """Return all of a result but its cost."""
    return (
        result.candidate,
        result.best,
        result.candidates,
        result.rejections,
        result.metric_calls,
        result.proposals,
        result.stop_reason,
    )


@EACH
def test_a_better_candidate_is_found_and_is_what_was_scored(name: str) -> None:
    world = WORLDS[name]()

    result = world.run()

    best = result.candidates[result.best]
    assert result.changed
    assert (best.val_mean or 0.0) > (result.candidates[0].val_mean or 0.0)
    assert result.candidate.texts | dict(best.texts) == result.candidate.texts
    sent = {tuple(m.content for m in c.messages[:-1]) for c in world.asked(Purpose.TASK)}
    turns = [turn["content"] for turn in json.loads(result.candidate.component("demos").text)]
    assert (result.candidate.component("system").text, *turns) in sent


@EACH
def test_each_example_is_run_once_for_each_candidate_and_counted_once(name: str) -> None:
    world = WORLDS[name]()

    result = world.run()

    asked = [call.digest for call in world.asked(Purpose.TASK)]
    assert result.metric_calls == len(asked) == len(set(asked))


@pytest.mark.parametrize("budget", [5, 11, 25])
@EACH
def test_a_budget_is_never_passed(name: str, budget: int) -> None:
    world = WORLDS[name]()
    world.budget = budget

    result = world.run()

    assert result.metric_calls == len(world.asked(Purpose.TASK)) <= budget
    assert len(result.candidates) >= (budget >= world.val)


@EACH
def test_a_search_that_is_run_again_over_its_journal_makes_no_call(
    name: str, tmp_path: Path
) -> None:
    first, again = WORLDS[name](), WORLDS[name]()
    first.journal = again.journal = tmp_path / "journal.jsonl"

    before, after = first.run(), again.run()

    assert again.engines.calls == []
    assert essence(before) == essence(after)


@pytest.mark.parametrize("name", ["dspy_gepa", "simba"])
def test_threads_do_not_change_what_is_found(name: str) -> None:
    one, many = WORLDS[name](), WORLDS[name]()
    one.workers, many.workers = 1, 16

    assert essence(one.run()) == essence(many.run())


def failing(answer: Callable[[Call], str], *, after: int, error: Exception) -> Callable[..., str]:
    left = iter(range(after))

    def answers(call: Call) -> str:
        if next(left, None) is None:
            raise error
        return answer(call)

    return answers


@pytest.mark.parametrize("after", [3, 8])
@EACH
def test_a_task_call_without_an_answer_ends_the_run(name: str, after: int) -> None:
    world = WORLDS[name]()
    world.task = failing(world.task, after=after, error=Transient("503"))

    with pytest.raises(InfraError, match="503"):
        world.run()


@pytest.mark.parametrize("name", ["dspy_gepa", "copro", "miprov2", "simba", "infer_rules"])
def test_a_refused_key_of_the_reflection_lm_ends_the_run(name: str) -> None:
    world = WORLDS[name]()
    world.reflection = failing(states_rules, after=0, error=Refused("401", "check it"))

    with pytest.raises(AccountError, match="401"):
        world.run()


def test_a_metric_that_fails_ends_the_run() -> None:
    def broken(example: Example, output: str) -> Score:
        raise MetricError("metric broke")

    with pytest.raises(MetricError, match="metric broke"):
        World("copro", score=broken).run()


@pytest.mark.parametrize("name", ["dspy_gepa", "copro", "simba"])
def test_a_spend_cap_ends_the_run_and_keeps_the_best(name: str) -> None:
    world = WORLDS[name]()
    world.caps = SpendCaps(calls=20)

    result = world.run()

    assert len(world.engines.calls) == 20
    assert result.stop_reason.endswith("costs was kept back.")
    assert result.candidates[0].val_mean == 0.0


def test_rate_limits_do_not_change_what_dspy_gepa_finds() -> None:
    lock, count = threading.Lock(), iter(range(10**6))

    def limited(answer: Callable[[Call], str]) -> Callable[[Call], str]:
        def answers(call: Call) -> str:
            with lock:
                number = next(count)
            if number % 4 == 3:
                raise Transient("429", rate_limited=True, retry_after=0.0)
            return answer(call)

        return answers

    calm = World("dspy_gepa", retries=8).run()
    stormy = World("dspy_gepa", retries=8, task=limited(answers_by_rule)).run()

    assert essence(calm) == essence(stormy)
    assert stormy.usage.failed_calls > 5


@pytest.mark.parametrize("name", ["dspy_gepa", "copro", "miprov2", "infer_rules"])
def test_a_refused_candidate_costs_no_task_call(name: str) -> None:
    world = WORLDS[name]()
    world.reflection = lambda call: states_rules(call).replace("Name", "Name {{secret}}")

    result = world.run()

    assert not result.changed
    assert "placeholders" in result.rejections[0].reason
    systems = {call.messages[0].content for call in world.asked(Purpose.TASK)}
    assert systems == {"Name the kind."}


@pytest.mark.parametrize("name", ["copro", "miprov2", "infer_rules", "dspy_gepa"])
def test_an_answer_that_cannot_be_read_ends_no_run_with_an_error(name: str) -> None:
    world = WORLDS[name]()
    world.budget, world.reflection = 60, lambda call: "I would rather not."

    result = world.run()

    assert not result.changed
    assert result.candidates[0].val_mean == 0.0


def test_nothing_is_printed_and_nothing_is_left_in_the_folder(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dspy

    monkeypatch.chdir(tmp_path)
    before = dict(dspy.settings.config)

    for make in WORLDS.values():
        make().run()

    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    assert list(tmp_path.iterdir()) == []
    assert dict(dspy.settings.config) == before


def test_a_baseline_that_is_perfect_costs_only_its_val_run() -> None:
    world = World("copro", prompt=prompt("Rule 0. Rule 1. Rule 2."))

    result = world.run()

    assert result.stop_reason == "The baseline has a perfect score on val."
    assert result.metric_calls == 6
    assert world.asked(Purpose.REFLECTION) == []


def test_a_score_to_stop_at_stops_copro() -> None:
    result = World("copro", policy={"stop_at_score": 0.3}).run()

    assert result.stop_reason == "The best val score reached 0.333, the score to stop at."


def test_copro_stops_when_nothing_gets_better() -> None:
    world = World("copro", policy={"stop_without_improvement": 2})
    world.reflection = lambda call: states_rules(call).replace("Rule", f"Try {call.trial}")

    assert world.run().stop_reason == "No better candidate was found in 2 rounds."


# dspy.GEPA


def test_dspy_gepa_tells_parents_and_the_examples_that_led_to_a_candidate() -> None:
    result = World("dspy_gepa").run()

    assert [c.parents for c in result.candidates] == [(), (0,), (1,), (2,)]
    assert [c.origin for c in result.candidates[1:]] == [Origin.REFLECTION] * 3
    assert len(result.candidates[1].examples) == 3
    assert set(result.candidates[1].examples) <= {f"t{number}" for number in range(12)}


def test_every_parameter_of_dspy_gepa_is_an_option_or_decided() -> None:
    from dspy.teleprompt import GEPA

    parameters = set(inspect.signature(GEPA.__init__).parameters) - {"self"}
    options = {key.name for key in options_record("dspy_gepa").keys}

    assert options.isdisjoint(DECIDED["dspy_gepa"])
    assert options | DECIDED["dspy_gepa"].keys() == parameters


@pytest.mark.parametrize("name", ["miprov2", "copro", "simba", "infer_rules"])
def test_every_option_is_a_parameter_of_dspys(name: str) -> None:
    import dspy.teleprompt as library

    found: Any = {"miprov2": "MIPROv2", "copro": "COPRO", "simba": "SIMBA"}.get(name, "InferRules")
    optimizer = getattr(library, found)
    known = {
        *inspect.signature(optimizer.__init__).parameters,
        *inspect.signature(optimizer.compile).parameters,
        *inspect.signature(library.BootstrapFewShot.__init__).parameters,
    }

    assert {key.name for key in options_record(name).keys} <= known


def test_dspy_gepa_takes_its_parameters_from_the_options() -> None:
    options: dict[str, object] = {
        "reflection_minibatch_size": 2,
        "candidate_selection_strategy": "current_best",
        "skip_perfect_score": False,
        "add_format_failure_as_feedback": True,
        "instruction_proposer": {"additional_instructions": "Be brief.", "adapter": "chat"},
        "component_selector": "all",
        "use_merge": True,
        "max_merge_invocations": 1,
        "failure_score": 0.0,
        "perfect_score": 1.0,
        "track_best_outputs": True,
        "warn_on_score_mismatch": False,
        "gepa_kwargs": {
            "frontier_type": "hybrid",
            "acceptance_criterion": "improvement_or_equal",
            "sampling_strategy": "gepa.strategies.proposal_sampling:SingleMutationSampling",
        },
    }
    world = World("dspy_gepa", options=options)

    result = world.run()

    assert result.candidates[result.best].val_mean == 1.0
    assert len(result.candidates[1].examples) == 2
    assert "Be brief." in world.engines.texts[-20] or any(
        "Be brief." in text for text in world.engines.texts
    )


def test_dspy_gepa_takes_a_sampler_of_an_installed_package() -> None:
    sampler = "dspy_samplers:firsts"
    world = World("dspy_gepa", options={"gepa_kwargs": {"batch_sampler": sampler}})

    result = world.run()

    assert result.candidates[1].examples == ("t0", "t1")


def test_dspy_gepa_ends_when_proposals_bring_nothing() -> None:
    world = World("dspy_gepa")
    world.reflection = lambda call: json.dumps({"new_instruction": "Name the kind."})

    assert world.run().stop_reason == "20 rounds in a row brought no proposal to try."


# Demos


def test_labelled_demos_are_train_examples_with_their_answers() -> None:
    world = WORLDS["labeled_few_shot"]()
    world.options = {"k": 2}

    result = world.run()

    (texts,) = [c.text for c in result.candidate.components if c.name == "demos"]
    assert len(demos_of(result)) == 2
    assert all("letter t" in turn["content"] for turn in json.loads(texts)[::2])
    assert result.candidates[1].origin is Origin.EXAMPLES


def test_bootstrapped_demos_are_answers_that_had_full_marks() -> None:
    def follows_any_turn(call: Call) -> str:
        kind = call.messages[-1].content[-1]
        return f"kind {kind}" if len(call.messages) > 2 else answers_by_rule(call)

    world = World(
        "bootstrap_few_shot",
        task=follows_any_turn,
        prompt=prompt("Rule 1. Name the kind."),
        components=("demos",),
        reflection=None,
        options={"max_labeled_demos": 0, "max_bootstrapped_demos": 2},
    )

    assert demos_of(world.run()) == ["kind 1", "kind 1"]


def test_an_example_whose_label_is_no_right_answer_is_no_demo() -> None:
    def likes_no_zero(example: Example, output: str) -> Score:
        if output == "kind 0":
            return Score(value=0.0, feedback="no")
        return is_expected(example, output)

    world = WORLDS["labeled_few_shot"]()
    world.score, world.options = likes_no_zero, {"k": 12}

    result = world.run()

    assert set(demos_of(result)) <= {"kind 1", "kind 2", "kind 0"}
    assert result.changed


# SIMBA


def test_simba_makes_no_more_steps_than_the_budget_can_carry() -> None:
    world = WORLDS["simba"]()
    # Both val runs and the last run on train, and one step of 6 * 7 at most.
    world.budget = 2 * 6 + 4 * 12 + 6 * 7

    result = world.run()

    assert result.metric_calls <= world.budget
    assert result.stop_reason in (
        "SIMBA has come to its end.",
        "A candidate has a perfect score on val.",
    )


def test_miprov2_takes_its_own_counts_in_place_of_auto() -> None:
    options: dict[str, object] = {"num_candidates": 3, "num_trials": 2, "view_data_batch_size": 4}
    world = World("miprov2", options=options)
    world.task = lambda call: "no idea"

    result = world.run()

    assert result.stop_reason == "MIPROv2 has come to its end."
    assert len(result.candidates) <= 3


def test_a_proposer_of_an_installed_package_may_be_a_class() -> None:
    options: dict[str, object] = {"instruction_proposer": "dspy_samplers:Rules"}

    result = World("dspy_gepa", options=options).run()

    assert result.candidates[1].texts["system"] == "Rule 0. Rule 1. Rule 2."


def test_a_better_candidate_lets_copro_go_on() -> None:
    said = ["Try 0.", "Rule 0.", "Try 2.", "Try 3.", "Try 4."]

    def in_turn(call: Call) -> str:
        fields = {
            "proposed_instruction": said[call.trial],
            "proposed_prefix_for_output_field": "Kind:",
            "completed": "",
        }
        return "\n\n".join(f"[[ ## {name} ## ]]\n{text}" for name, text in fields.items())

    options: dict[str, object] = {"breadth": 6, "depth": 1}
    policy: dict[str, object] = {"stop_without_improvement": 2}
    world = World("copro", options=options, policy=policy, reflection=in_turn)

    texts = [candidate.texts["system"] for candidate in world.run().candidates]

    assert texts == ["Name the kind.", *said[:4]]
