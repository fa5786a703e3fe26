"""Tests of gepa_ci.optimizers.gepa_search, on a small world with rules to find."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import SPEC, ScriptedEngines, ScriptedMetric, client, examples, is_expected, prompt

from gepa_ci.core.call import Purpose
from gepa_ci.core.config import ModelSpec, OptimizePolicy, Proposer, SpendCaps
from gepa_ci.core.optimization import Optimization, Origin
from gepa_ci.core.prompt import DEMOS
from gepa_ci.core.suite import Example, HeldOutSet, Suite, TuningSet
from gepa_ci.errors import AccountError, InfraError, MetricError
from gepa_ci.evaluate import Evaluator
from gepa_ci.formats import read_prompt
from gepa_ci.lm.failures import Refused, Transient
from gepa_ci.optimizers import optimize, plan_budget
from gepa_ci.optimizers.admission import admission
from gepa_ci.optimizers.journal import Journal
from gepa_ci.optimizers.proposers import (
    ExampleProposer,
    ReflectionProposer,
    example_turns,
    preflight_call,
)
from gepa_ci.optimizers.search import Search
from gepa_ci.programs import ChatProgram

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.core.call import Call, Reply
    from gepa_ci.core.optimization import CandidateRecord
    from gepa_ci.core.prompt import Prompt
    from gepa_ci.core.score import Score
    from gepa_ci.core.spend import Price
    from gepa_ci.optimizers.budget import MetricCalls
    from gepa_ci.optimizers.proposers import Ask
    from gepa_ci.optimizers.proposers import Proposer as Proposing

REFLECTION = ModelSpec(model="test/reflection", api_base="http://localhost:1", retries=0)
TEMPLATE = read_prompt(
    "reflection.md", (Path(__file__).parents[2] / "prompts" / "reflection.md").read_bytes()
)
HELD_OUT = tuple(
    Example(
        id=f"h{number}",
        inputs={"text": f"secret letter {number} that nobody but the proof may ever see about 1"},
    )
    for number in range(6)
)


def follows_rules(call: Call) -> str:
    """Answer a letter about a kind only when a message or a turn says what to do about it."""
    *before, question = call.messages
    kind = question.content[-1]
    told = any(f"Rule {kind}." in message.content for message in call.messages)
    shown = any(message.content == f"kind {kind}" for message in before)
    return f"kind {kind}" if told or shown else "no idea"


def adds_a_rule(call: Call) -> str:
    """Add the first rule that the feedback on a failure names and the text lacks."""
    (message,) = call.messages
    found = re.search(r"<current_text>\n(.*)\n</current_text>", message.content, re.DOTALL)
    assert found is not None
    text = found[1]
    failed = re.findall(r"### Score\n0\n### Feedback\nexpected kind (\d)", message.content)
    rules = [f"Rule {kind}. " for kind in failed if f"Rule {kind}." not in text]
    return f"Diagnosis\n```text\n{''.join(rules[:1])}{text}\n```"


@dataclass
class World:
    """Models, examples and settings; `run` searches in it."""

    task: Callable[[Call], str | Reply] = follows_rules
    reflection: Callable[[Call], str] = adds_a_rule
    score: Callable[[Example, str], Score] = is_expected
    prompt: Prompt = field(default_factory=prompt)
    train: int = 12
    val: int = 6
    kinds: int = 3
    workers: int = 8
    caps: SpendCaps | None = None
    journal: Path | None = None
    components: tuple[str, ...] = ("system",)
    seen: list[tuple[int, int]] | None = None
    """Number of each candidate and metric calls when it was handed on, where somebody wants it."""
    on_candidate: Callable[[CandidateRecord, MetricCalls], None] | None = None
    """Called after each candidate, where somebody wants it."""
    patience: float | None = None
    """Seconds that Ctrl-C leaves to calls in flight, where it keeps the best."""
    code: Callable[[Ask, Callable[[str], list[str]]], Proposing] | None = None
    """Builds a proposer of the user's own."""
    price: Price | None = None
    program: type[ChatProgram] = ChatProgram
    metric: type[ScriptedMetric] = ScriptedMetric
    greets: bool = False
    """Whether the reflection LM is reached once before the search; its first call goes alone."""
    policy: OptimizePolicy = field(
        default_factory=lambda: OptimizePolicy(auto=None, max_metric_calls=400, proposals=2)
    )

    def run(self, **policy: object) -> Optimization:
        rules = replace(self.policy, **policy)  # type: ignore[arg-type]
        tuning = TuningSet(
            train=examples(self.train, name="t", kinds=self.kinds),
            val=examples(self.val, name="v", kinds=self.kinds),
        )
        suite = Suite(tuning=tuning, held_out=HeldOutSet(examples=HELD_OUT))
        self.engines = ScriptedEngines(
            lambda call: (self.task if call.purpose is Purpose.TASK else self.reflection)(call)
        )
        lm = client(self.engines, caps=self.caps, in_flight=self.workers)
        journal = Journal(self.journal)
        turns = example_turns(
            self.prompt, suite.tuning.train, lambda e, answer: answer == e.expected
        )
        checks = admission(self.prompt, suite.tuning, turns=turns.values())

        def ask(call: Call) -> str:
            known = journal.text(call.digest)
            if known is None:
                known = lm.complete(call).text
                journal.add_text(call.digest, known)
            return known

        reflects = rules.proposer is not Proposer.EXAMPLES
        if self.greets:
            ask(preflight_call(REFLECTION))
        try:
            return optimize(
                Search(
                    prompt=self.prompt,
                    tuning=suite.tuning,
                    policy=rules,
                    budget=plan_budget(
                        rules, train=self.train, val=self.val, components=len(self.components)
                    ),
                    evaluator=Evaluator(
                        program=self.program(client=lm, model=replace(SPEC, price=self.price)),
                        metric=self.metric(self.score),
                        concurrency=self.workers,
                    ),
                    proposer=self.code(ask, checks.rules)
                    if self.code is not None
                    else ReflectionProposer(
                        template=TEMPLATE, spec=REFLECTION, ask=ask, rules=checks.rules
                    )
                    if reflects
                    else ExampleProposer(turns=turns, max_demos=rules.max_demos),
                    admission=checks,
                    journal=journal,
                    reflection=REFLECTION if reflects else None,
                    ask=ask,
                    components=self.components if reflects else (DEMOS,),
                    spent=lambda: lm.meter.total,
                    patience=self.patience,
                    on_candidate=self.on_candidate if self.seen is None else self._see,
                )
            )
        finally:
            journal.close()

    def _see(self, record: CandidateRecord, calls: MetricCalls) -> None:
        assert self.seen is not None
        self.seen.append((record.number, calls.used))

    def asked(self, purpose: Purpose) -> list[Call]:
        return [call for call in self.engines.calls if call.purpose is purpose]


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


# The search


def test_a_better_candidate_is_found() -> None:
    world = World()

    result = world.run()

    system = result.candidate.component("system").text
    assert all(f"Rule {kind}." in system for kind in range(3))
    assert system.endswith("Name the kind.")
    assert result.changed
    assert result.stop_reason == "A candidate has a perfect score on val."
    assert result.candidates[result.best].val_mean == 1.0
    assert result.candidates[0].val_mean == 0.0
    assert result.usage.calls == len(world.engines.calls)


def test_each_candidate_is_handed_on_after_its_val_run() -> None:
    world = World(seen=[])

    result = world.run(proposals=1)

    assert world.seen is not None
    assert [number for number, _ in world.seen] == [c.number for c in result.candidates]
    assert world.seen[:2] == [(0, 6), (1, 18)]


def test_each_candidate_says_where_it_comes_from() -> None:
    result = World().run(proposals=1)
    baseline, first = result.candidates[:2]

    assert (baseline.number, baseline.origin, baseline.parents) == (0, Origin.BASELINE, ())
    assert set(baseline.val_scores) == {f"v{number}" for number in range(6)}
    assert (first.number, first.origin, first.parents) == (1, Origin.REFLECTION, (0,))
    assert first.texts["system"].startswith("Rule ")
    assert len(first.examples) == 3
    assert set(first.examples) <= {f"t{number}" for number in range(12)}


def test_proposals_of_one_round_build_on_each_other() -> None:
    alone = World().run(proposals=1).candidates[1]
    together = World().run(proposals=4).candidates[1]

    assert together.origin is Origin.COMBINATION
    assert together.parents == alone.parents == (0,)
    assert len(together.examples) > len(alone.examples)
    assert (together.val_mean or 0.0) > (alone.val_mean or 0.0)


def test_a_combination_of_examples_holds_at_most_max_demos() -> None:
    result = World().run(proposals=4, proposer=Proposer.EXAMPLES, max_demos=3)

    assert all(text.count("assistant") <= 3 for c in result.candidates for text in c.texts.values())


def test_every_train_example_is_drawn_before_any_comes_again() -> None:
    world = World(reflection=lambda call: "```text\nNo better.\n```")

    world.run(proposals=4, max_metric_calls=6 + 4 * 6 + 6)

    drawn = [call.messages[-1].content for call in world.asked(Purpose.REFLECTION)]
    assert len(drawn) == len(set(drawn)) == 4


def test_example_accumulation_finds_a_better_candidate_without_a_reflection_lm() -> None:
    world = World()

    result = world.run(proposer=Proposer.EXAMPLES, max_demos=3)

    assert result.candidates[result.best].val_mean == 1.0
    assert result.candidates[1].origin is Origin.EXAMPLES
    assert result.proposer == "example accumulation"
    assert world.asked(Purpose.REFLECTION) == []
    assert 2 <= result.candidate.files[0].source.count(b"assistant") <= 3


def test_the_best_on_val_wins_and_the_baseline_wins_ties() -> None:
    result = World(reflection=lambda call: "```text\nNo better.\n```").run(
        acceptance="improvement_or_equal", max_metric_calls=60
    )

    assert len(result.candidates) > 1
    assert not result.changed
    assert result.candidate == prompt()


@pytest.mark.parametrize("limit", [1, 5, 6, 11, 12, 17, 18, 19, 24, 31, 50, 77, 100, 150])
@pytest.mark.parametrize("proposals", [1, 8])
def test_no_budget_is_ever_passed(limit: int, proposals: int) -> None:
    world = World(kinds=9, train=18, val=6)

    result = world.run(max_metric_calls=limit, proposals=proposals)

    assert result.metric_calls <= limit
    assert len(world.asked(Purpose.TASK)) <= result.metric_calls
    assert result.budget == limit


def test_metric_calls_are_the_evaluations_that_were_asked_for() -> None:
    world = World(train=24, val=4, kinds=4)

    # Baseline on val, 8 proposals on a minibatch of one with parent and child, one on val.
    result = world.run(max_metric_calls=24, proposals=8, reflection_minibatch_size=1)

    assert result.metric_calls == 24
    assert len(world.asked(Purpose.TASK)) == 24
    assert result.proposals == 8


def test_the_smallest_useful_budget_carries_one_proposal_whatever_the_size_of_a_round() -> None:
    world = World()

    result = world.run(max_metric_calls=18, proposals=8)

    assert len(result.candidates) == 2
    assert result.changed
    assert result.metric_calls == 18
    assert result.stop_reason == (
        "The budget is used: 18 of 18 metric calls, and the next step would not fit."
    )


def test_the_proposals_that_gained_most_go_on_to_val_when_not_all_can() -> None:
    def two_at_once(call: Call) -> str:
        text = adds_a_rule(call)
        kinds = re.findall(r"expected kind (\d)", call.messages[0].content)
        return text.replace("Name", "Rule 1. Name") if "0" in kinds else text

    # Room for two proposals, of which one can go on to val.
    result = World(reflection=two_at_once, train=4, val=4, kinds=2).run(
        max_metric_calls=16, proposals=8, reflection_minibatch_size=2
    )

    assert len(result.candidates) == 2
    assert result.candidates[1].val_mean == 1.0


def test_the_proposals_of_a_round_are_made_at_once() -> None:
    meeting = threading.Barrier(8, timeout=10)
    world = World(train=24, val=4, greets=True)

    def meets(call: Call) -> str:
        if call.messages == preflight_call(REFLECTION).messages:
            return "ready"
        meeting.wait()
        return adds_a_rule(call)

    world.reflection = meets
    result = world.run(max_metric_calls=24, proposals=8, reflection_minibatch_size=1)

    assert result.proposals == 8
    assert not meeting.broken


@pytest.mark.parametrize("proposals", [1, 4])
def test_one_seed_gives_one_result_with_any_number_of_workers(proposals: int) -> None:
    one, other = World(workers=1, kinds=5), World(workers=8, kinds=5)

    first, second = one.run(proposals=proposals), other.run(proposals=proposals)

    assert essence(first) == essence(second)
    assert Counter(c.digest for c in one.engines.calls) == Counter(
        c.digest for c in other.engines.calls
    )


# Why it stops


def test_a_used_budget_is_the_reason() -> None:
    result = World(kinds=9).run(max_metric_calls=60)

    assert re.fullmatch(
        r"The budget is used: \d\d of 60 metric calls, and the next step would not fit\.",
        result.stop_reason,
    )


@pytest.mark.parametrize(("limit", "candidates"), [(5, 0), (6, 1), (17, 1)])
def test_a_budget_too_small_to_try_anything_is_the_reason(limit: int, candidates: int) -> None:
    world = World()

    result = world.run(max_metric_calls=limit)

    assert result.stop_reason == (
        f"The budget of {limit} metric calls is too small to try anything: one proposal needs 18."
    )
    assert len(result.candidates) == candidates
    assert world.asked(Purpose.REFLECTION) == []
    assert result.candidate == world.prompt
    assert not result.changed


def test_a_perfect_baseline_is_the_reason() -> None:
    result = World(prompt=prompt("Rule 0. Rule 1. Rule 2.")).run()

    assert result.stop_reason == "The baseline has a perfect score on val."
    assert result.metric_calls == 6


def test_a_score_to_stop_at_is_the_reason() -> None:
    result = World().run(stop_at_score=0.5, proposals=1)

    assert result.stop_reason == "The best val score reached 0.667, the score to stop at."


def test_rounds_without_improvement_are_the_reason() -> None:
    result = World(reflection=lambda call: "```text\nNo better.\n```").run(
        stop_without_improvement=2, proposals=1
    )

    assert result.stop_reason == "No better candidate was found in 2 rounds."
    assert result.proposals == 2


def test_rounds_without_a_proposal_are_the_reason() -> None:
    result = World(reflection=lambda call: "I cannot help.").run(proposals=1)

    assert result.stop_reason == "20 rounds in a row brought no proposal to try."
    assert result.proposals == 20
    assert len(result.candidates) == 1


def test_rounds_whose_minibatches_are_all_perfect_end_the_search_too() -> None:
    def knows_train(call: Call) -> str:
        text = call.messages[-1].content
        return f"kind {text[-1]}" if "letter t" in text else "no idea"

    world = World(task=knows_train)

    result = world.run(max_metric_calls=100_000, proposals=1)

    assert result.proposals == 0
    assert result.stop_reason == "20 rounds in a row brought no proposal to try."


def test_a_spend_cap_ends_the_search_and_keeps_the_best_so_far() -> None:
    world = World(workers=1, caps=SpendCaps(calls=40), kinds=5)

    result = world.run(proposals=1)

    assert result.stop_reason == (
        "The spend cap 'calls: 40' is reached after 40 calls; what the proof on held-out "
        "examples costs was kept back."
    )
    assert result.changed
    assert len(world.engines.calls) == 40


def test_a_spend_cap_before_the_first_score_leaves_the_baseline() -> None:
    result = World(caps=SpendCaps(calls=2)).run()

    assert result.candidate == prompt()
    assert result.candidates == ()
    assert result.stop_reason.startswith("The spend cap 'calls: 2' is reached")


# Failures


def failing(answer: Callable[[Call], str], *, after: int, error: Exception) -> Callable[..., str]:
    left = iter(range(after))

    def answers(call: Call) -> str:
        if next(left, None) is None:
            raise error
        return answer(call)

    return answers


@pytest.mark.parametrize("after", [0, 9, 15])
def test_a_task_call_without_an_answer_ends_the_run(after: int) -> None:
    task = failing(follows_rules, after=after, error=Transient("503"))

    with pytest.raises(InfraError, match="503"):
        World(task=task).run()


@pytest.mark.parametrize("after", [0, 1])
def test_a_reflection_call_without_an_answer_ends_the_run(after: int) -> None:
    reflection = failing(adds_a_rule, after=after, error=Transient("overloaded"))

    with pytest.raises(InfraError, match="'test/reflection' did not answer"):
        World(reflection=reflection).run()


def test_a_refused_key_of_the_reflection_lm_ends_the_run() -> None:
    reflection = failing(adds_a_rule, after=0, error=Refused("401", "check it"))

    with pytest.raises(AccountError, match="401"):
        World(reflection=reflection).run()


def test_a_metric_that_fails_ends_the_run() -> None:
    def breaks(example: Example, output: str) -> Score:
        if example.id.startswith("t"):
            raise MetricError("broken metric")
        return is_expected(example, output)

    with pytest.raises(MetricError, match="broken metric"):
        World(score=breaks).run()


# Admission


def test_a_refused_text_is_asked_for_once_more_with_the_reason_and_never_run() -> None:
    def careless(call: Call) -> str:
        if "Your last text was refused. " in call.messages[0].content:
            return adds_a_rule(call)
        return "```text\nSee http://evil.example\n```"

    world = World(reflection=careless)
    result = world.run()

    assert result.changed
    assert {r.text for r in result.rejections} == {"See http://evil.example"}
    assert all(r.component == "system" and "web address" in r.reason for r in result.rejections)
    assert len(world.asked(Purpose.REFLECTION)) == 2 * result.proposals
    assert not any("evil" in m.content for c in world.asked(Purpose.TASK) for m in c.messages)


def test_a_text_that_is_refused_twice_is_given_up() -> None:
    world = World(reflection=lambda call: "```text\n{{more}}\n```")

    result = world.run(proposals=1)

    assert result.stop_reason == "20 rounds in a row brought no proposal to try."
    assert len(world.asked(Purpose.REFLECTION)) == 40
    assert len(result.rejections) == 1
    assert not result.changed


def test_nothing_of_a_held_out_example_reaches_the_reflection_lm_or_the_checkpoint(
    tmp_path: Path,
) -> None:
    world = World(journal=tmp_path / "j.jsonl")

    world.run()

    written = (tmp_path / "j.jsonl").read_text(encoding="utf-8")
    assert world.asked(Purpose.REFLECTION)
    for text in [*world.engines.texts, written]:
        assert "nobody but the proof" not in text


# Resuming


@pytest.mark.parametrize("seed", range(6))
def test_a_run_that_was_killed_anywhere_goes_on_and_asks_nothing_twice(
    tmp_path: Path, seed: int
) -> None:
    whole = World(workers=1, kinds=5, journal=tmp_path / "whole.jsonl")
    expected = whole.run()
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == len(whole.engines.calls)
    kept = random.Random(seed).randrange(len(lines))
    torn = lines[kept][: seed * 20]
    (tmp_path / "cut.jsonl").write_bytes(b"".join(lines[:kept]) + torn)

    resumed = World(workers=1, kinds=5, journal=tmp_path / "cut.jsonl")
    result = resumed.run()

    assert essence(result) == essence(expected)
    assert [c.digest for c in resumed.engines.calls] == [
        c.digest for c in whole.engines.calls[kept:]
    ]


def test_a_finished_run_is_repeated_without_a_call(tmp_path: Path) -> None:
    first = World(journal=tmp_path / "j.jsonl").run()
    world = World(journal=tmp_path / "j.jsonl")

    assert essence(world.run()) == essence(first)
    assert world.engines.calls == []


# Components and merge


def two_parts(**settings: object) -> World:
    return World(
        prompt=prompt("Name the kind.", "Letter. {{text}}"),
        components=("system", "user"),
        kinds=4,
        train=16,
        val=8,
        **settings,  # type: ignore[arg-type]
    )


def named(call: Call) -> str:
    found = re.search(r"The component is named `(\w+)`", call.messages[0].content)
    assert found is not None
    return found[1]


def test_components_take_turns() -> None:
    world = two_parts(workers=1)

    result = world.run(proposals=1, candidate_selection_strategy="current_best")

    names = [named(call) for call in world.asked(Purpose.REFLECTION)]
    assert names[:2] == ["system", "user"]
    assert "Rule" in result.candidate.component("system").text
    assert "Rule" in result.candidate.component("user").text


def test_all_components_can_change_in_one_proposal() -> None:
    world = two_parts(workers=1)

    result = world.run(proposals=1, component_selector="all")

    assert [named(call) for call in world.asked(Purpose.REFLECTION)[:2]] == ["system", "user"]
    assert all("Rule" in text for text in result.candidates[1].texts.values())


def test_a_component_that_is_not_chosen_never_changes() -> None:
    world = two_parts()
    world.components = ("user",)

    result = world.run()

    assert {named(call) for call in world.asked(Purpose.REFLECTION)} == {"user"}
    assert result.candidate.component("system").text == "Name the kind."
    assert result.changed


def merged() -> Optimization:
    return two_parts().run(
        use_merge=True,
        proposals=4,
        stop_at_score=None,
        selection_strategy="all_improvements",
    )


def test_merge_combines_two_candidates() -> None:
    result = merged()

    (record, *_) = [c for c in result.candidates if c.origin is Origin.MERGE]
    assert len(record.parents) == 2
    assert result.metric_calls <= result.budget


def test_a_search_with_merge_is_the_same_in_every_process() -> None:
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    code = "import test_gepa_search as t; print(repr(t.essence(t.merged())))"

    seen = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([*folders, *sys.path]),
                "PYTHONHASHSEED": seed,
            },
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(seen) == 1


@pytest.mark.parametrize("choice", ["current_best", "epsilon_greedy", "top_k_pareto"])
@pytest.mark.parametrize("frontier", ["objective", "hybrid", "cartesian"])
def test_all_ways_of_selection_find_the_rules(choice: str, frontier: str) -> None:
    result = World().run(
        candidate_selection_strategy=choice,
        frontier_type=frontier,
        selection_strategy="best_improvement",
    )

    assert result.candidates[result.best].val_mean == 1.0
