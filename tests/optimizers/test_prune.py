"""Tests of gepa_ci.optimizers.prune: what a candidate does not need goes, and nothing else."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from fakes import SPEC, ScriptedEngines, ScriptedMetric, client, examples, is_expected, prompt

from gepa_ci.core.config import OptimizePolicy, Proposer, Prune, SpendCaps
from gepa_ci.core.digests import digest
from gepa_ci.core.optimization import Origin
from gepa_ci.core.suite import HeldOutSet, Suite, TuningSet
from gepa_ci.errors import InfraError
from gepa_ci.evaluate import Evaluator
from gepa_ci.lm.failures import Transient
from gepa_ci.optimizers import plan_budget
from gepa_ci.optimizers.admission import admission
from gepa_ci.optimizers.journal import Journal
from gepa_ci.optimizers.proposers import ExampleProposer
from gepa_ci.optimizers.prune import prune
from gepa_ci.optimizers.search import Search
from gepa_ci.optimizers.workbench import Workbench
from gepa_ci.programs import ChatProgram

if TYPE_CHECKING:
    from pathlib import Path

    from gepa_ci.core.call import Call
    from gepa_ci.core.prompt import Prompt

KINDS = 6
OPENING = "Name the kind."
RULES = [f"Rule {kind}." for kind in range(KINDS)]


def padded(useless: int, *, seed: int) -> str:
    """Return the opening, and the rules among useless sentences."""
    fillers = [f"Take {word} care of everything." for word in range(useless)]
    sentences = [*RULES, *fillers]
    random.Random(seed).shuffle(sentences)
    return " ".join([OPENING, *sentences])


@dataclass
class World:
    """A task LM that follows rules, right with one probability and lucky with another."""

    right: float = 1.0
    lucky: float = 0.0
    before: str = OPENING
    user: str = "{{text}}"
    val: int = 48
    budget: int = 4000
    kinds: int = KINDS
    components: tuple[str, ...] = ("system",)
    caps: SpendCaps | None = None
    journal: Path | None = None
    broken_after: int | None = None
    calls: list[Call] = field(default_factory=list)

    def answer(self, call: Call) -> str:
        """Say the kind, where a rule says how."""
        if self.broken_after is not None and len(self.calls) >= self.broken_after:
            raise Transient("503")
        self.calls.append(call)
        question = call.messages[-1].content
        kind = question.rsplit(" ", 1)[-1]
        told = any(f"Rule {kind}." in message.content for message in call.messages)
        luck = random.Random(digest([[m.content for m in call.messages], call.trial])).random()
        return f"kind {kind}" if luck < (self.right if told else self.lucky) else "no idea"

    def truth(self, prompts: Prompt) -> float:
        """Return the score in the long run, on any examples."""
        text = "".join(prompts.texts.values())
        told = sum(f"Rule {kind}." in text for kind in range(self.kinds))
        return (told * self.right + (self.kinds - told) * self.lucky) / self.kinds

    def bench(self, **policy: object) -> Workbench:
        """Return a workbench with the baseline's record."""
        baseline = prompt(self.before, self.user)
        tuning = TuningSet(
            train=examples(12, name="t", kinds=self.kinds),
            val=examples(self.val, name="v", kinds=self.kinds),
        )
        Suite(tuning=tuning, held_out=HeldOutSet(examples=examples(6, name="h")))
        rules = replace(
            OptimizePolicy(auto=None, max_metric_calls=self.budget, proposer=Proposer.EXAMPLES),
            **policy,  # type: ignore[arg-type]
        )
        lm = client(ScriptedEngines(self.answer), caps=self.caps)
        bench = Workbench(
            Search(
                prompt=baseline,
                tuning=tuning,
                policy=rules,
                budget=plan_budget(rules, train=12, val=self.val, components=1),
                evaluator=Evaluator(
                    program=ChatProgram(client=lm, model=SPEC),
                    metric=ScriptedMetric(is_expected),
                    concurrency=8,
                ),
                proposer=ExampleProposer(turns={}, max_demos=1),
                reflection=None,
                ask=lambda call: "",
                admission=admission(baseline, tuning, max_chars=20_000),
                journal=Journal(self.journal),
                components=self.components,
                spent=lambda: lm.meter.total,
            )
        )
        bench.record(bench.baseline, origin=Origin.BASELINE)
        return bench

    def pruned(
        self,
        after: str | None = None,
        *,
        mode: Prune = Prune.ADDED,
        repeats: bool | None = True,
    ) -> str:
        """Return the system text that pruning a candidate leaves."""
        bench = self.bench()
        if after is not None:
            texts = {**bench.baseline, "system": after}
            bench.record(texts, origin=Origin.REFLECTION, parents=(0,))
        prune(bench, mode=mode, repeats=repeats)
        bench.search.journal.close()
        assert bench.chosen is not None
        return bench.chosen.texts["system"]


def count(text: str) -> int:
    """Return the number of sentences."""
    return text.count(".")


# What it is for


@pytest.mark.parametrize("mode", [Prune.ADDED, Prune.ALL])
def test_a_padded_candidate_keeps_what_is_needed_and_loses_nothing(mode: Prune) -> None:
    world = World()

    text = world.pruned(padded(30, seed=1), mode=mode)

    assert count(text) <= KINDS + 1
    assert world.truth(prompt(text)) == 1.0


def test_a_padded_baseline_is_shortened_when_all_of_it_may_go() -> None:
    world = World(before=padded(30, seed=2))

    text = world.pruned(mode=Prune.ALL)

    assert count(text) == KINDS
    assert world.truth(prompt(text)) == 1.0


def test_a_model_that_varies_loses_nothing_but_noise() -> None:
    world = World(right=0.9, lucky=0.1)

    text = world.pruned(padded(18, seed=1), repeats=None)

    assert count(text) < 1 + KINDS + 9
    assert world.truth(prompt(text)) == pytest.approx(0.9)


def test_a_model_that_varies_is_asked_several_times_and_the_whole_text_afresh() -> None:
    world = World(right=0.9, lucky=0.1)
    whole = padded(18, seed=1)
    bench = world.bench()
    bench.record({"system": whole}, origin=Origin.REFLECTION, parents=(0,))
    before = len(world.calls)

    record = prune(bench, mode=Prune.ADDED, repeats=False)

    def trials(text: str) -> set[int]:
        return {c.trial for c in world.calls[before:] if c.messages[0].content == text}

    assert record is not None
    assert min(trials(whole)) == 1
    assert trials(whole) >= {1, 2, 3}
    assert trials(record.texts["system"]) >= {0, 1, 2}


def test_the_result_is_the_pruned_candidate_and_says_where_it_comes_from() -> None:
    world = World()
    bench = world.bench(track_best_outputs=True)
    bench.record({"system": padded(30, seed=0)}, origin=Origin.REFLECTION, parents=(0,))
    before = bench.calls.used

    record = prune(bench, mode=Prune.ADDED, repeats=True)
    result = bench.result(optimizer="gepa", proposer="reflection", reason="The search ended.")

    assert record is not None
    assert (record.origin, record.parents, record.val_mean) == (Origin.PRUNED, (1,), 1.0)
    assert result.best == record.number == 2
    assert result.candidate.component("system").text == record.texts["system"]
    assert sum(len(edit.removed) for edit in record.edits) == 30
    assert {unit for edit in result.edits for unit in edit.added} == set(RULES)
    assert {edit.candidate for edit in result.edits} == {1}
    assert record.outputs["v1"] == "kind 1"
    assert bench.calls.used - before <= 6 * world.val


# What may go


def test_what_was_reworded_or_dropped_for_nothing_is_put_back() -> None:
    before = "Name the kind. Be kind to all. Say no more."

    text = World(before=before).pruned(f"Name a kind, please. {' '.join(RULES)} Say no more.")

    assert text == f"Name the kind. Be kind to all. {' '.join(RULES)} Say no more."


def test_the_shortest_text_gets_nothing_back() -> None:
    before = "Name the kind. Be kind to all. Say no more."

    text = World(before=before).pruned(f"Name a kind. {' '.join(RULES)}", mode=Prune.ALL)

    assert text == " ".join(RULES)


def test_a_reworded_sentence_that_is_needed_stays() -> None:
    before = "Say what the kind of the letter is."
    after = f"Say what the kind of the letter is after {' '.join(RULES)}"

    assert World(before=before).pruned(after) == after


def test_one_of_two_sentences_that_say_the_same_stays() -> None:
    world = World()

    text = world.pruned(f"{OPENING} {' '.join(RULES)} Again. {' '.join(RULES)}")

    assert count(text) == KINDS + 1
    assert world.truth(prompt(text)) == 1.0


def test_placeholders_and_frozen_parts_are_never_touched() -> None:
    frozen = "<!-- gepa-ci:freeze --> Be kind. <!-- gepa-ci:/freeze -->"
    user = f"{frozen}\nUseless.\nLetter: {{{{text}}}}"
    world = World(before=" ".join(RULES), user=user, components=("system", "user"))
    bench = world.bench()

    record = prune(bench, mode=Prune.ALL, repeats=True)

    assert record is not None
    assert record.texts["user"] == f"{frozen}\nLetter: {{{{text}}}}"
    assert bench.rejections == []


def test_nothing_goes_where_nothing_may() -> None:
    world = World()
    bench = world.bench()

    assert prune(bench, mode=Prune.ADDED, repeats=True) is None
    bench.record({"system": padded(3, seed=0)}, origin=Origin.REFLECTION, parents=(0,))
    assert prune(bench, mode=Prune.OFF) is None
    assert bench.chosen is bench.records[1]
    assert world.pruned(f"{OPENING} {' '.join(RULES)}") == f"{OPENING} {' '.join(RULES)}"


# Budget, failures and restarts


@pytest.mark.parametrize("extra", [0, 30, 47, 48, 60, 97, 110, 130, 150, 200])
@pytest.mark.parametrize("repeats", [True, False, None])
def test_no_budget_is_passed_and_what_is_left_is_as_good(extra: int, repeats: bool | None) -> None:
    world = World(budget=96 + extra)
    bench = world.bench()
    bench.record({"system": padded(12, seed=extra)}, origin=Origin.REFLECTION, parents=(0,))

    prune(bench, mode=Prune.ADDED, repeats=repeats)

    assert bench.calls.used <= world.budget
    assert bench.chosen is not None
    assert world.truth(prompt(bench.chosen.texts["system"])) == 1.0


def test_too_little_budget_for_a_model_that_varies_is_not_touched() -> None:
    bench = World(budget=300).bench()
    bench.record({"system": padded(30, seed=0)}, origin=Origin.REFLECTION, parents=(0,))

    assert prune(bench, mode=Prune.ADDED, repeats=False) is None
    assert bench.calls.used == 96


def test_a_spend_cap_ends_the_pass_and_keeps_the_candidate() -> None:
    bench = World(caps=SpendCaps(calls=110)).bench()
    bench.record({"system": padded(30, seed=0)}, origin=Origin.REFLECTION, parents=(0,))

    assert prune(bench, mode=Prune.ADDED, repeats=True) is None


def test_a_call_without_an_answer_ends_the_run() -> None:
    bench = World(broken_after=100).bench()
    bench.record({"system": padded(30, seed=0)}, origin=Origin.REFLECTION, parents=(0,))

    with pytest.raises(InfraError, match="503"):
        prune(bench, mode=Prune.ADDED, repeats=True)


def test_a_pass_that_was_killed_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    after = padded(12, seed=0)
    whole = World(journal=tmp_path / "whole.jsonl")
    expected = whole.pruned(after)
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_bytes(b"".join(lines[:120]))

    resumed = World(journal=tmp_path / "cut.jsonl")

    assert resumed.pruned(after) == expected
    assert len(resumed.calls) == len(whole.calls) - 120


def test_what_only_train_examples_speak_for_stays() -> None:
    world = World(kinds=KINDS, val=3)
    bench = world.bench()
    texts = {"system": " ".join([OPENING, *RULES, "Take care of everything."])}
    taught = [example.id for example in bench.search.tuning.train]
    bench.record(texts, origin=Origin.REFLECTION, parents=(0,), examples=taught)

    prune(bench, mode=Prune.ADDED, repeats=True)

    assert bench.chosen is not None
    # Val has examples of three kinds only, and would do without the other three rules.
    assert bench.chosen.texts["system"] == " ".join([OPENING, *RULES])


def test_a_sentence_that_its_own_examples_need_is_tried_on_them_alone() -> None:
    world = World()
    bench = world.bench()
    train = bench.search.tuning.train
    texts = {"system": " ".join([OPENING, *RULES, "Take care of everything."])}
    for kind, rule in enumerate(RULES):
        own = [e.id for e in train if e.expected == f"kind {kind}"]
        bench.lineage.proposed(bench.baseline, {"system": f"{OPENING} {rule}"}, own)
    bench.record(texts, origin=Origin.COMBINATION, parents=(0,), examples=[e.id for e in train])
    used = bench.calls.used

    prune(bench, mode=Prune.ADDED, repeats=True)

    assert bench.chosen is not None
    assert bench.chosen.texts["system"] == " ".join([OPENING, *RULES])
    # The whole text on train, each rule on its two examples, and what is left on all of them.
    assert bench.calls.used - used <= len(train) + 2 * KINDS + world.val + len(train) + 4
