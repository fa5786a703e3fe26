"""Tests of gepa_ci.pipeline, with services that only take notes."""

from __future__ import annotations

import itertools
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from fakes import examples, prompt

from gepa_ci import pipeline
from gepa_ci.core.config import GatePolicy, MetricSpec, SuiteSpec, Task
from gepa_ci.core.evaluation import Evaluation
from gepa_ci.core.ledger import Entry, LedgerPolicy
from gepa_ci.core.optimization import Optimization
from gepa_ci.core.result import PromptChange
from gepa_ci.core.score import Score, Trial
from gepa_ci.core.spend import ModelSpend, Usage
from gepa_ci.core.suite import Example, HeldOutSet, Part, Suite, TuningSet
from gepa_ci.errors import CacheMissError, CapError, SpendError
from gepa_ci.pipeline import Recorded, Services, planned_proof_calls, planned_trials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.result import TaskResult

T = TypeVar("T")

BASE, HEAD = prompt("Old."), prompt("New.")
TASK = Task(
    name="kind",
    prompts=("kind.prompt.yml",),
    suite=SuiteSpec(file="letters.jsonl"),
    metrics=(MetricSpec(name="exact_match"),),
)


def suite(held_out: int = 40) -> Suite:
    return Suite(
        tuning=TuningSet(train=examples(10, name="t"), val=examples(20, name="v")),
        held_out=HeldOutSet(examples=examples(held_out, name="h")),
    )


def head_is_right(prompt: Prompts, example: Example, trial: int) -> float:
    return float(prompt == HEAD)


def base_is_right(prompt: Prompts, example: Example, trial: int) -> float:
    return float(prompt == BASE)


def both_are_right(prompt: Prompts, example: Example, trial: int) -> float:
    return 1.0


@dataclass
class Book:
    """A ledger in memory that writes down when it is written."""

    events: list[Any]
    entries: list[Entry] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def transact(self, decide: Callable[[Sequence[Entry]], tuple[T, Entry | None]]) -> T:
        result, entry = decide(self.entries)
        if entry is not None:
            self.entries.append(entry)
            self.events.append((entry.kind.value, entry.candidate))
        return result


@dataclass
class Notes:
    """Services that score by a function and write down what they were asked."""

    score: Callable[[Prompts, Example, int], float] = head_is_right
    repeats: bool = False
    known: bool = False
    found: Prompts = BASE
    unaffordable: bool = False
    recorded: Recorded = field(default_factory=Recorded)
    events: list[Any] = field(default_factory=list)
    past: list[Entry] = field(default_factory=list)
    keeps: bool = False

    @property
    def book(self) -> Book:
        return Book(self.events, self.past)

    def services(self) -> Services:
        ticks = itertools.count()
        return Services(
            preflight=lambda prompt, rows: self.events.append(("preflight", _part(rows))),
            known_to_repeat=lambda prompt: self.known,
            repeats=self._repeats,
            evaluate=self._evaluate,
            recall=self._recall,
            afford=self._afford,
            keep_for_proof=self._keep,
            optimize=self._optimize,
            book=self.book,
            exam=lambda prompt: "exam",
            run="run",
            now=lambda: "2026-11-21T00:00:00+00:00",
            recorded=lambda *_: self.recorded,
            write=self._write,
            spent=lambda: (
                ModelSpend(purpose="task", model="a/b", usage=Usage(calls=3, usd=0.5)),
                ModelSpend(purpose="reflection", model="a/c", usage=Usage(calls=2, usd=None)),
            ),
            clock=lambda: float(next(ticks)),
        )

    def _repeats(self, prompt: Prompts, rows: HeldOutSet | Sequence[Example]) -> bool:
        self.events.append(("repeats", _part(rows)))
        return self.repeats or self.known

    def _evaluate(
        self,
        prompts: Sequence[Prompts],
        rows: HeldOutSet | Sequence[Example],
        part: Part,
        trials: range,
        tolerated: int,
    ) -> list[Evaluation]:
        self.events.append(("evaluate", part.value, len(prompts), trials))
        assert _part(rows) == part.value
        rows = rows.examples if isinstance(rows, HeldOutSet) else tuple(rows)
        return [
            Evaluation(
                prompt_digest=prompt.digest,
                part=part,
                examples=rows,
                trials=tuple(
                    tuple(
                        Trial(
                            example_id=example.id,
                            number=number,
                            output="",
                            score=Score(value=self.score(prompt, example, number)),
                        )
                        for number in trials
                    )
                    for example in rows
                ),
                model="test/task",
            )
            for prompt in prompts
        ]

    def _recall(self, *asked: Any) -> list[Evaluation]:
        if not self.keeps:
            raise CacheMissError("it is gone")
        return self._evaluate(*asked)

    def _afford(
        self, prompts: Sequence[Prompts], rows: HeldOutSet | Sequence[Example], trials: range
    ) -> None:
        self.events.append(("afford", len(prompts), len(trials)))
        if self.unaffordable:
            raise CapError("the spend cap 'calls: 1' cannot pay")

    @contextmanager
    def _keep(self, prompt: Prompts, calls: int) -> Iterator[None]:
        self.events.append(("keep", calls))
        yield
        self.events.append(("release",))

    def _optimize(self, prompt: Prompts, tuning: TuningSet, repeats: bool) -> Optimization:
        self.events.append(("optimize",))
        return Optimization(
            optimizer="gepa",
            proposer="reflection",
            candidate=self.found,
            best=int(self.found != BASE),
            candidates=(),
            rejections=(),
            metric_calls=9,
            budget=10,
            proposals=1,
            stop_reason="The budget is used.",
            seed=0,
        )

    def _write(self, prompt: Prompts) -> tuple[str, ...]:
        self.events.append(("write",))
        return (prompt.files[0].path,)

    @property
    def evaluated(self) -> list[tuple[str, int, range]]:
        return [
            (part, arms, trials)
            for name, part, arms, trials in (e for e in self.events if len(e) == 4)
            if name == "evaluate"
        ]


def first_of(rows: HeldOutSet | Sequence[Example]) -> Example:
    return (rows.examples if isinstance(rows, HeldOutSet) else rows)[0]


def _part(rows: HeldOutSet | Sequence[Example]) -> str:
    return {"h": "held_out", "v": "val", "t": "train"}[first_of(rows).id[0]]


# Evaluate


@pytest.mark.parametrize("part", list(Part))
def test_evaluate_scores_one_prompt_on_one_part(part: Part) -> None:
    notes = Notes()

    result = pipeline.evaluate(TASK, HEAD, suite(), notes.services(), part=part, trials=2)

    assert notes.events == [
        ("afford", 1, 2),
        ("preflight", part.value),
        ("evaluate", part.value, 1, range(2)),
    ]
    assert (result.verdict, result.trials, result.model) == (None, 2, "test/task")
    assert result.candidate is not None
    assert result.baseline is None
    assert result.reasons == (f"The mean score on {part.value.replace('_', '-')} is 1.000.",)


def test_what_a_task_spent_is_the_sum_of_its_purposes() -> None:
    result = pipeline.evaluate(TASK, HEAD, suite(), Notes().services(), part=Part.VAL, trials=1)

    assert result.spend == Usage(calls=5, usd=None)
    assert [part.purpose for part in result.spend_by_model] == ["task", "reflection"]
    assert result.phases == {"preflight": 1.0, "evaluate": 1.0}


def test_nothing_is_asked_that_the_caps_cannot_pay() -> None:
    notes = Notes(unaffordable=True)

    with pytest.raises(CapError):
        pipeline.evaluate(TASK, HEAD, suite(), notes.services(), part=Part.VAL, trials=1)
    with pytest.raises(CapError):
        pipeline.gate(TASK, BASE, HEAD, suite(), notes.services())

    assert notes.events == [("afford", 1, 1), ("afford", 2, 3)]


# Gate


def gate(notes: Notes, *, held_out: int = 40, **policy: object) -> TaskResult:
    task = replace(TASK, gate=GatePolicy(**{"sequential": False, **policy}))  # type: ignore[arg-type]
    return pipeline.gate(task, BASE, HEAD, suite(held_out), notes.services())


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(head_is_right, "improved"), (base_is_right, "regression"), (both_are_right, "pass")],
)
def test_the_gate_compares_base_and_head_on_held_out(
    score: Callable[[Prompts, Example, int], float], verdict: str
) -> None:
    notes = Notes(score=score)

    result = gate(notes)

    assert result.verdict == verdict
    assert notes.events == [
        ("afford", 2, 3),
        ("preflight", "held_out"),
        ("repeats", "held_out"),
        ("evaluate", "held_out", 2, range(3)),
    ]
    assert result.baseline is not None
    assert result.baseline.prompt_digest == BASE.digest
    assert result.candidate is not None
    assert result.candidate.prompt_digest == HEAD.digest
    assert result.changes == (
        PromptChange(path=BASE.path, before=BASE.source.decode(), after=HEAD.source.decode()),
    )
    assert result.written == ()


def test_a_recorded_baseline_stands_in_for_a_fresh_one() -> None:
    fresh = Notes(score=head_is_right)
    (known,) = fresh.services().evaluate((BASE,), suite().held_out, Part.HELD_OUT, range(3), 0)
    notes = Notes(
        score=head_is_right, recorded=Recorded(evaluation=known, note="Base was recorded.")
    )

    result = gate(notes)

    assert notes.events[-1] == ("evaluate", "held_out", 1, range(3))
    assert result.baseline == known
    assert result.verdict == "improved"
    assert "Base was recorded." in result.notes


def test_few_examples_that_differ_are_inconclusive() -> None:
    result = gate(Notes(score=lambda p, e, t: float(p == BASE or e.id != "h0")), held_out=5)

    assert result.verdict == "inconclusive"


def test_an_unchanged_prompt_costs_nothing() -> None:
    notes = Notes()

    result = pipeline.gate(TASK, BASE, prompt("Old."), suite(), notes.services())

    assert notes.events == []
    assert result.verdict is None
    assert result.reasons == ("The prompt file is the same on base and head, so nothing was run.",)


def test_a_new_prompt_is_scored_and_compared_with_nothing() -> None:
    notes = Notes()

    result = pipeline.gate(TASK, None, HEAD, suite(), notes.services())

    assert notes.evaluated == [("held_out", 1, range(1))]
    assert result.verdict is None
    assert result.reasons == (
        "The prompt is new, so there is nothing to compare it with.",
        "The mean score on held-out is 1.000.",
    )


def test_a_model_that_repeats_itself_is_asked_once() -> None:
    notes = Notes(repeats=True)

    result = gate(notes)

    assert notes.evaluated == [("held_out", 2, range(1))]
    assert result.trials == 1
    assert result.notes[0].startswith("The model gives the same answer to the same request")


@pytest.mark.parametrize(
    ("held_out", "trials", "planned"), [(199, "auto", 3), (200, "auto", 1), (40, 5, 5), (40, 1, 1)]
)
def test_trials_are_planned_from_the_policy_and_the_number_of_examples(
    held_out: int, trials: int | str, planned: int
) -> None:
    task = replace(TASK, gate=GatePolicy(trials=trials))
    rows = suite(held_out).held_out

    assert planned_trials(task, rows) == planned
    assert planned_trials(task, rows, repeats=True) == 1


def test_one_trial_needs_no_test_of_repeating() -> None:
    notes = Notes()

    gate(notes, trials=1)

    assert ("repeats", "held_out") not in notes.events


@pytest.mark.parametrize("score", [head_is_right, base_is_right, both_are_right])
@pytest.mark.parametrize(("held_out", "margin"), [(20, "0.1"), (1500, "0.05")])
def test_the_margin_comes_from_the_number_of_examples_and_never_from_the_scores(
    score: Callable[[Prompts, Example, int], float], held_out: int, margin: str
) -> None:
    result = gate(Notes(score=score), held_out=held_out)

    assert result.notes[-1] == f"The tolerated loss (margin) is {margin}."


def test_the_margin_of_the_policy_is_taken_as_it_is() -> None:
    assert gate(Notes(), margin=0.03).notes[-1] == "The tolerated loss (margin) is 0.03."


def test_groups_and_weights_reach_the_statistics() -> None:
    rows = tuple(
        replace(e, group="one" if n < 38 else None, weight=2.0) for n, e in enumerate(examples(40))
    )
    grouped = replace(
        suite(), held_out=HeldOutSet(examples=tuple(replace(e, id=f"h{e.id}") for e in rows))
    )

    result = pipeline.gate(TASK, BASE, HEAD, grouped, Notes().services())

    assert result.comparison is not None
    assert (result.comparison.n, result.comparison.units) == (40, 3)
    assert result.verdict != "improved"


def test_a_gate_stops_once_the_verdict_is_decided() -> None:
    notes = Notes(score=base_is_right)

    result = gate(notes, held_out=200, sequential=True, trials=1)

    assert result.verdict == "regression"
    assert result.planned == 200
    assert result.baseline is not None
    assert result.candidate is not None
    ran = [example.id for example in result.baseline.examples]
    assert len(ran) == len(result.candidate.examples) < 100
    assert ran == sorted(ran, key=lambda name: int(name[1:]))
    assert ran != [f"h{n}" for n in range(len(ran))]


def test_a_comparison_tells_once_how_many_trials_it_may_run() -> None:
    told: list[int] = []
    notes = Notes(score=base_is_right)

    def planned(trials: int) -> AbstractContextManager[None]:
        told.append(trials)
        return nullcontext()

    task = replace(TASK, gate=GatePolicy(trials=1))
    pipeline.gate(task, BASE, HEAD, suite(200), replace(notes.services(), planned=planned))
    (known,) = notes.services().evaluate((BASE,), suite(200).held_out, Part.HELD_OUT, range(1), 0)
    recorded = Notes(score=base_is_right, recorded=Recorded(evaluation=known, note="Known."))
    pipeline.gate(task, BASE, HEAD, suite(200), replace(recorded.services(), planned=planned))

    assert told == [400, 200]


def test_the_first_example_asked_is_one_that_is_run() -> None:
    asked: list[str] = []
    notes = Notes(score=base_is_right)
    services = replace(
        notes.services(), preflight=lambda prompt, rows: asked.append(first_of(rows).id)
    )
    task = replace(TASK, gate=GatePolicy(trials=1))

    result = pipeline.gate(task, BASE, HEAD, suite(200), services)

    assert result.baseline is not None
    assert asked[0] in {example.id for example in result.baseline.examples}


def test_what_more_examples_would_cost_is_said() -> None:
    worse = ("h1", "h2", "h3")
    result = gate(Notes(score=lambda p, e, t: float(p == BASE or e.id not in worse)), margin=0.05)

    assert result.verdict == "inconclusive"
    assert result.comparison is not None
    needed = result.comparison.n_needed
    assert needed is not None
    assert f"on {needed} examples makes at most {2 * 3 * needed:,} calls" in result.reasons[-1]


# Optimize


def improve(notes: Notes, **policy: object) -> TaskResult:
    task = replace(TASK, gate=GatePolicy(**{"sequential": False, **policy}))  # type: ignore[arg-type]
    return pipeline.optimize(task, BASE, suite(), notes.services())


SEARCH = [
    ("preflight", "val"),
    ("repeats", "val"),
    ("release",),
    ("keep",),
    ("optimize",),
    ("release",),
]


def steps(notes: Notes) -> list[tuple[object, ...]]:
    """Return what was done after the first `keep`, without the amounts."""
    return [("keep",) if event[0] == "keep" else event for event in notes.events[1:]]


def test_once_the_model_is_found_to_repeat_itself_less_is_kept_back() -> None:
    notes = Notes(repeats=True)

    improve(notes)

    kept = [event[1] for event in notes.events if event[0] == "keep"]
    assert kept == [2 * (3 * 20 + 4 * 40), 2 * (20 + 40)]


def test_without_a_better_candidate_there_is_nothing_to_prove() -> None:
    notes = Notes()

    result = improve(notes)

    assert steps(notes) == SEARCH
    assert (result.verdict, result.written, result.changes) == ("hold", (), ())
    assert result.reasons[-1] == "The budget is used."
    assert result.comparison is None
    assert result.optimization is not None


def test_a_candidate_that_fails_the_val_screen_never_sees_held_out() -> None:
    notes = Notes(found=HEAD, score=base_is_right)

    result = improve(notes)

    assert notes.evaluated == [("val", 2, range(1, 4))]
    assert (result.verdict, result.written) == ("hold", ())
    assert result.notes == ("The held-out examples were not used.",)
    assert (result.baseline, result.candidate) == (None, None)
    assert result.changes
    assert "The budget is used." in result.reasons


def test_a_use_of_the_held_out_set_is_on_record_before_it_happens() -> None:
    notes = Notes(found=HEAD)

    result = improve(notes)

    names = [event[0] for event in notes.events]
    first = next(i for i, event in enumerate(notes.events) if event[:2] == ("evaluate", "held_out"))
    assert notes.events[first - 1] == ("opened", HEAD.digest)
    assert (names.count("opened"), names.count("closed")) == (1, 1)
    assert result.ledger is not None
    assert (result.ledger.uses, result.ledger.promotions) == (1, 1)


def test_a_candidate_that_was_asked_before_is_answered_from_the_ledger() -> None:
    notes = Notes(found=HEAD)
    before = improve(notes)

    again = Notes(found=HEAD, past=notes.past)
    result = improve(again)

    assert again.evaluated == [("val", 2, range(1, 4))]
    assert result.verdict == before.verdict == "promote"
    assert result.comparison == before.comparison
    assert "already" in result.reasons[0]


def test_an_answer_whose_calls_are_kept_is_shown_with_its_examples() -> None:
    notes = Notes(found=HEAD)
    before = improve(notes)

    result = improve(Notes(found=HEAD, past=notes.past, keeps=True))

    assert (result.reasons, result.baseline) == (before.reasons, before.baseline)
    assert result.ledger is not None
    assert result.ledger.uses == 1


def test_a_worn_out_held_out_set_is_not_searched_for() -> None:
    notes = Notes(found=HEAD)
    policy = LedgerPolicy(refresh_promotions=1)
    improve(notes, ledger=policy)

    again = Notes(found=HEAD, past=notes.past)
    result = improve(again, ledger=policy)

    assert again.events == []
    assert result.verdict == "hold"
    assert any("gepa-ci suite refresh" in reason for reason in result.reasons)


def test_a_killed_run_goes_on_with_its_question() -> None:
    def dies(prompt: Prompts, example: Example, trial: int) -> float:
        if example.id.startswith("h"):
            raise SpendError("the spend cap 'calls: 9' is reached")
        return head_is_right(prompt, example, trial)

    killed = Notes(found=HEAD, score=dies)
    with pytest.raises(SpendError):
        improve(killed)

    notes = Notes(found=HEAD, past=killed.past)
    result = improve(notes)

    assert [event[0] for event in notes.events].count("opened") == 0
    assert result.verdict == "promote"
    assert result.ledger is not None
    assert result.ledger.uses == 1


def test_a_candidate_that_fails_the_held_out_screen_is_not_confirmed() -> None:
    notes = Notes(found=HEAD, score=lambda p, e, t: float((p == HEAD) == e.id.startswith("v")))

    result = improve(notes)

    assert notes.evaluated == [("val", 2, range(1, 4)), ("held_out", 2, range(1))]
    assert (result.verdict, result.written, result.trials) == ("hold", (), 1)
    assert result.baseline is not None
    assert result.baseline.mean == 1.0


def test_a_candidate_that_is_not_confirmed_on_fresh_trials_is_not_written() -> None:
    notes = Notes(
        found=HEAD,
        score=lambda p, e, t: float(p == HEAD) if e.id.startswith("v") or t == 0 else 1.0,
    )

    result = improve(notes)

    assert notes.evaluated == [
        ("val", 2, range(1, 4)),
        ("held_out", 2, range(1)),
        ("held_out", 2, range(1, 4)),
    ]
    assert (result.verdict, result.written, result.trials) == ("hold", (), 3)
    assert ("write",) not in notes.events


def test_a_candidate_that_clears_all_hurdles_is_written() -> None:
    notes = Notes(found=HEAD)

    result = improve(notes)

    assert notes.evaluated == [
        ("val", 2, range(1, 4)),
        ("held_out", 2, range(1)),
        ("held_out", 2, range(1, 4)),
    ]
    assert notes.events[-1] == ("write",)
    assert (result.verdict, result.written, result.trials) == ("promote", (HEAD.path,), 3)
    assert result.comparison is not None
    assert result.comparison.difference == 1.0
    assert set(result.phases) == {"preflight", "optimize", "evaluate"}


@pytest.mark.parametrize("known", [True, False])
def test_a_model_that_repeats_itself_is_confirmed_on_the_screens_data(*, known: bool) -> None:
    notes = Notes(found=HEAD, known=known, repeats=True)

    result = improve(notes)

    assert notes.evaluated == [("val", 2, range(1)), ("held_out", 2, range(1))]
    assert (result.verdict, result.trials) == ("promote", 1)


def test_a_model_that_repeats_itself_can_fail_the_confirm_test() -> None:
    notes = Notes(
        found=HEAD,
        known=True,
        score=lambda p, e, t: float(p == HEAD) if e.id.startswith("v") else 1.0,
    )

    assert improve(notes).verdict == "hold"


def test_a_gain_below_the_smallest_worth_a_change_is_held() -> None:
    notes = Notes(
        found=HEAD,
        score=lambda p, e, t: (
            float(p == HEAD) if e.id.startswith("v") else (0.55 if p == HEAD else 0.5)
        ),
    )

    assert improve(notes, min_gain=0.1).verdict == "hold"


@pytest.mark.parametrize(("known", "kept"), [(True, 2 * (20 + 40)), (False, 2 * (3 * 20 + 4 * 40))])
def test_what_the_proof_costs_is_kept_back_before_anything_is_asked(
    *, known: bool, kept: int
) -> None:
    notes = Notes(known=known)

    improve(notes)

    assert notes.events[0] == ("keep", kept)
    assert planned_proof_calls(suite(), repeats=known) == kept


def test_the_proof_asks_no_more_than_was_kept_back() -> None:
    notes = Notes(found=HEAD)

    improve(notes)

    sizes = {"val": 20, "held_out": 40}
    asked = sum(arms * sizes[part] * len(trials) for part, arms, trials in notes.evaluated)
    assert asked == planned_proof_calls(suite(), repeats=False)


def test_a_proof_that_runs_out_of_spend_writes_nothing() -> None:
    def spends(prompt: Prompts, example: Example, trial: int) -> float:
        raise SpendError("the spend cap 'calls: 9' is reached")

    notes = Notes(found=HEAD, score=spends)

    with pytest.raises(SpendError):
        improve(notes)
    assert ("write",) not in notes.events
