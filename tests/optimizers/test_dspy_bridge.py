"""Tests of gepa_ci.optimizers.dspy_bridge and what it is made of."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from fakes import prompt
from optimizer_world import World

from gepa_ci.core.optimization import Origin
from gepa_ci.core.prompt import PromptSet
from gepa_ci.core.score import Output, Score, Step, Trial
from gepa_ci.core.suite import Example, TuningSet
from gepa_ci.errors import MetricError
from gepa_ci.formats import read_prompt
from gepa_ci.optimizers.admission import admission
from gepa_ci.optimizers.budget import BudgetReached
from gepa_ci.optimizers.dspy_bridge import Bridge
from gepa_ci.optimizers.dspy_lm import NoReflection, Reflection, language_model
from gepa_ci.optimizers.dspy_parts import Part
from gepa_ci.optimizers.dspy_search import explore
from gepa_ci.optimizers.dspy_text import Literals, literal_of, signed
from gepa_ci.optimizers.quiet import Quiet
from gepa_ci.optimizers.workbench import FailedSearch, Workbench

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.call import Call
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.score import Seen
    from gepa_ci.optimizers.search import Search


def bridge_of(search: Search, **more: Any) -> Bridge:
    bench = Workbench(search)
    bench.record(bench.baseline, origin=Origin.BASELINE)
    return Bridge(bench, origin=Origin.REFLECTION, **more)


# Literal text

LITERALS = {
    "plain": "Name the kind.",
    "trailing newline": "Name the kind.\n",
    "TABs": "Name\tthe kind.\n\tAnd more.",
    "outer indent": "    Name the kind.\n      More.\n    End.",
    "empty": "",
    "blank lines around": "\n\nName the kind.\n\n",
    "CRLF": "Name the kind.\r\nMore.\r\n",
}


@pytest.mark.parametrize("text", LITERALS.values(), ids=LITERALS.keys())
def test_a_text_keeps_its_bytes_in_a_signature_and_its_copies(text: str) -> None:
    import dspy

    signature = signed(dspy.Signature("question -> answer", "-"), text)

    assert literal_of(signature) == text
    assert literal_of(signed(signature)) == text
    assert signed(signature) is not signature


@pytest.mark.parametrize("text", LITERALS.values(), ids=LITERALS.keys())
def test_what_an_optimizer_puts_back_is_the_literal_text(text: str) -> None:
    import dspy

    literals = Literals()
    shown = signed(dspy.Signature("question -> answer", "-"), text).instructions

    assert literals.text(text, shown) == text


def test_what_is_added_to_a_text_leaves_its_bytes_alone() -> None:
    start = "Name\tthe kind.\n\tAnd more.\n"
    cleaned = "Name    the kind.\nAnd more."

    assert Literals().text(start, f"{cleaned}\n\nRule 1.") == f"{start}\nRule 1.\n"


def test_a_text_that_was_seen_is_found_again_by_its_cleaned_form() -> None:
    literals = Literals()
    literals.remember("One\n\ttwo\n")

    assert literals.text("Start\n", "One\ntwo") == "One\n\ttwo\n"


def test_a_new_text_ends_as_the_old_one_does() -> None:
    assert Literals().text("Old.\r\n", "New.\nMore.") == "New.\r\nMore.\r\n"


@pytest.mark.parametrize("text", [t for t in LITERALS.values() if t], ids=str.strip)
def test_an_unchanged_student_is_the_baseline(text: str) -> None:
    world = World("copro", prompt=prompt(text))
    bridge = bridge_of(world.search())

    student = bridge.student()

    assert bridge.texts(student) == {"system": text}
    assert bridge.texts(student.deepcopy()) == {"system": text}


def test_a_signature_that_is_changed_in_place_is_that_of_one_copy() -> None:
    bridge = bridge_of(World("copro").search())
    student = bridge.student()

    copied = student.deepcopy()
    copied.predictors()[0].signature.instructions = "Rule 0."

    assert bridge.texts(copied) == {"system": "Rule 0."}
    assert bridge.texts(student) == {"system": "Name the kind."}


# The module


def test_a_run_reads_the_score_that_there_is_already() -> None:
    world = World("copro")
    bridge = bridge_of(world.search())
    (row, *_) = bridge.rows(world.search().tuning.val)

    prediction = bridge.student()(**row.inputs())

    assert bridge.score(row, prediction) == 0.0
    assert bridge.judged(row, prediction).feedback == "expected kind 0"
    assert prediction.output == "no idea"
    assert bridge.bench.calls.used == 6


def test_of_two_examples_with_the_same_inputs_each_gets_its_own_score() -> None:
    world = World("copro", prompt=prompt("Rule 0."))
    search = world.search()
    first = replace(search.tuning.val[0], id="same", expected="kind 1")
    search = replace(
        search, tuning=TuningSet(train=search.tuning.train, val=(*search.tuning.val, first))
    )
    bridge = bridge_of(search)
    rows = bridge.rows([search.tuning.val[0], first])

    predictions = [bridge.student()(**row.inputs()) for row in rows]

    assert [bridge.score(*pair) for pair in zip(rows, predictions, strict=True)] == [1.0, 0.0]


def test_a_refused_candidate_scores_zero_and_says_why() -> None:
    world = World("copro")
    bridge = bridge_of(world.search())
    student = bridge.student()
    (predictor,) = student.predictors()
    predictor.signature = predictor.signature.with_instructions("Tell {{all}}.")
    (row, *_) = bridge.rows(world.search().tuning.train)

    prediction = student(**row.inputs())

    assert bridge.score(row, prediction) == 0.0
    assert "added {{all}}" in bridge.judged(row, prediction).feedback
    assert bridge.bench.calls.used == 6
    assert len(bridge.bench.rejections) == 1


def test_a_run_that_is_asked_for_twice_at_once_is_made_once() -> None:
    again = threading.Event()

    def waits_for_another(call: Call) -> str:
        if "t0" in call.messages[-1].content and len(world.engines.calls) > 7:
            again.set()
        elif "t0" in call.messages[-1].content:
            again.wait(0.2)
        return "no idea"

    world = World("copro", task=waits_for_another, workers=8)
    search = world.search()
    bridge = bridge_of(search)
    student = bridge.student()
    (row, *_) = bridge.rows(search.tuning.train)
    before = len(world.engines.calls)

    threads = [threading.Thread(target=lambda: student(**row.inputs())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(world.engines.calls) - before == 1


def test_an_end_in_a_thread_ends_all_that_follows() -> None:
    import dspy

    world = World("copro", budget=8)
    bridge = bridge_of(world.search())
    rows = bridge.rows(world.search().tuning.train)
    student = bridge.student()

    with pytest.raises(BudgetReached), bridge.quiet.kept():
        dspy.Evaluate(devset=rows, metric=bridge.score, num_threads=4)(student)

    assert isinstance(bridge.stopped, BudgetReached)
    assert bridge.bench.calls.used == 8
    with pytest.raises(BudgetReached):
        student(**rows[0].inputs())


def test_what_is_kept_back_is_not_spent() -> None:
    world = World("copro", budget=14)
    bridge = bridge_of(world.search(), reserve=6)
    rows = bridge.rows(world.search().tuning.train)
    student = bridge.student()

    student(**rows[0].inputs())
    student(**rows[1].inputs())

    with pytest.raises(BudgetReached):
        student(**rows[2].inputs())


def test_an_input_may_be_called_output() -> None:
    text = prompt(user="{{output}} {{json}} {{fields}}")
    example = Example(id="v", inputs={"output": "o", "json": "1", "fields": "2"}, expected="kind 1")
    tuning = TuningSet(train=(example,), val=(example,))
    search = replace(
        World("copro").search(), prompt=text, tuning=tuning, admission=admission(text, tuning)
    )
    bridge = bridge_of(search)
    (row,) = bridge.rows([example])

    with bridge.quiet.kept():
        student = bridge.student()
        prediction = student(**row.inputs())

    (predictor,) = student.predictors()
    assert list(predictor.signature.input_fields) == ["output", "json", "field_fields"]
    assert (row.answer, prediction.answer) == ("kind 1", "no idea")


# Demos


def test_the_turns_of_a_file_are_demos_and_come_back_as_they_were() -> None:
    world = World(
        "labeled_few_shot", prompt=prompt(turns=(("Q?", "kind 0"),)), components=("demos",)
    )
    bridge = bridge_of(world.search())
    student = bridge.student()

    (predictor,) = student.predictors()

    assert [demo.output for demo in predictor.demos] == ["kind 0"]
    assert bridge.texts(student) == bridge.bench.baseline


def test_demos_that_are_no_train_examples_are_left_out() -> None:
    import dspy

    world = World("labeled_few_shot", components=("demos",))
    bridge = bridge_of(world.search())
    student = bridge.student()
    (predictor,) = student.predictors()
    train, val = world.search().tuning.train, world.search().tuning.val
    good, wrong, other = bridge.rows([train[0], train[1], val[0]])
    predictor.demos = [
        good,
        good,
        dspy.Example(**wrong).copy(output="kind 9"),
        other,
        dspy.Example(text="made up", output="kind 0"),
        dspy.Example(text=train[2].inputs["text"]),
    ]

    found = json.loads(bridge.texts(student)["demos"])

    assert [turn["content"] for turn in found] == ["letter t0 about 0", "kind 0"]


# Programs of several prompts


class Scripted:
    """A program that asks no model."""

    digest = "scripted"

    def model(self, prompts: Prompts) -> None:
        return None

    def price(self, prompts: Prompts) -> None:
        return None

    def calls(self, prompts: Prompts, example: Example, trial: int) -> None:
        return None

    def check(self, prompts: Prompts, examples: Sequence[Example]) -> list[str]:
        return []

    def bound(self, client: object) -> Any:
        return self

    def close(self) -> None:
        return


class Pipeline(Scripted):
    """A program of two prompts: the first tells the kind, the second says it."""

    def run(self, prompts: Prompts, example: Example, trial: int) -> Output:
        kind = str(example.inputs["text"])[-1]
        texts = prompts.texts
        told = kind if f"Rule {kind}." in texts["tell.system"] else "?"
        said = f"kind {told}" if "Say kind." in texts["say.system"] else told
        return Output(
            text=said,
            fields={"label": said},
            steps=(
                Step(prompt="tell", inputs={"text": "t", "json": {"a": 1}}, output=told),
                Step(prompt="say", inputs={"told": told}, output=said, fields={"label": said}),
            ),
        )


@dataclass(frozen=True)
class Metric:
    name: str = "expected"
    digest: str = "expected"
    needs_expected: bool = True
    named_fields: tuple[str, ...] = ()

    def label_problem(self, example: Example) -> None:
        return None

    def __call__(self, example: Example, output: str, seen: Any = None) -> Score:
        return Score(
            value=float(output == example.expected),
            feedback=f"expected {example.expected}",
            parts={"long": 1.0},
        )


def pipeline(**more: Any) -> Search:
    files = [
        read_prompt(f"prompts/{name}.md", f"---\nrole: system\n---\n{text}\n".encode())
        for name, text in (("tell", "Tell the kind."), ("say", "Say kind."))
    ]
    prompts = PromptSet(files=tuple(files))
    search = World("dspy_gepa", prompt=files[0], **more).search()
    return replace(
        search,
        prompt=prompts,
        components=("tell.system", "say.system"),
        admission=admission(prompts, search.tuning),
        evaluator=replace(search.evaluator, program=Pipeline(), metric=Metric()),
    )


def test_each_prompt_of_a_program_is_a_predictor_with_its_own_steps() -> None:
    import dspy

    search = pipeline()
    bridge = bridge_of(search)
    with bridge.quiet.kept():
        student = bridge.student()
    (row, *_) = bridge.rows(search.tuning.train)

    with dspy.context(trace=[]):
        prediction = student(**row.inputs())
        trace = dspy.settings.trace

    assert [name for name, _ in student.named_predictors()] == ["tell.system", "say.system"]
    assert [(dict(given), dict(told)) for _, given, told in trace] == [
        ({"text": "t", "json": {"a": 1}}, {"output": "?"}),
        ({"told": "?"}, {"label": "kind ?"}),
    ]
    assert (prediction.label, prediction.output) == ("kind ?", "kind ?")
    assert [list(p.signature.fields) for p in student.predictors()] == [
        ["text", "json", "output"],
        ["told", "label"],
    ]
    assert bridge.judged(row, prediction).objective_scores == {"score": 0.0, "long": 1.0}


class Telling(Metric):
    """A metric that has something to say to each predictor."""

    def feedback_on(self, example: Example, output: str, seen: Seen, feedback: str) -> str:
        if seen.predictor == "say":
            raise MetricError("metric broke")
        return f"to {seen.predictor}: {feedback}"


def test_a_predictor_gets_the_feedback_that_the_metric_has_for_it() -> None:
    search = pipeline()
    search = replace(search, evaluator=replace(search.evaluator, metric=Telling()))
    bridge = bridge_of(search)
    (row, *_) = bridge.rows(search.tuning.train)
    with bridge.quiet.kept():
        prediction = bridge.student()(**row.inputs())

    told = bridge.judged(row, prediction, None, "tell.system", None)

    assert told.feedback == "to tell: expected kind 0"
    assert bridge.judged(row, prediction).feedback == "expected kind 0"
    with pytest.raises(FailedSearch, match="metric broke"):
        bridge.judged(row, prediction, None, "say.system", None)


def test_a_step_belongs_to_the_predictor_with_the_longest_name() -> None:
    part = Part(name="a", text="a.b", demos=None, kind=None)
    steps = [Step(prompt=name, inputs={}, output=name) for name in ("a", "a.b", "", "c")]
    trial = Trial(example_id="e", number=0, output="", score=Score(value=0.0), steps=tuple(steps))

    assert part.steps(trial) == [steps[1]]
    assert part.steps(replace(trial, steps=(steps[0],))) == [steps[0]]
    assert part.steps(replace(trial, steps=(steps[3],))) == []


def test_dspy_gepa_improves_a_program_of_several_prompts() -> None:
    from gepa_ci.optimizers import optimize

    result = optimize(pipeline(budget=200))

    assert result.candidates[result.best].val_mean == 1.0
    assert "Rule 0." in result.candidate.component("tell.system").text


DSPY_FILE: Mapping[str, object] = {
    "qa": {
        "traces": [],
        "train": [],
        "demos": [{"augmented": True, "text": "old", "answer": "kind 0"}],
        "signature": {"instructions": "Name the kind.", "fields": []},
        "lm": None,
    },
    "metadata": {"dependency_versions": {}},
}


class Module(Scripted):
    """A DSPy program of one predictor, whose demos help."""

    def run(self, prompts: Prompts, example: Example, trial: int) -> Output:
        kind = str(example.inputs["text"])[-1]
        demos = json.loads(prompts.texts["qa.demos"])
        right = f"Rule {kind}." in prompts.texts["qa"] or len(demos) > 1 or kind == "0"
        said = f"kind {kind}" if right else "no"
        step = Step(prompt="qa", inputs=dict(example.inputs), output=said, fields={"answer": said})
        return Output(text=said, steps=(step,), fields={"answer": said})


def module(optimizer: str, components: tuple[str, ...], **more: Any) -> Search:
    source = json.dumps(DSPY_FILE, indent=2).encode()
    program = read_prompt("program.json", source)
    search = World(optimizer, **more).search()
    return replace(
        search,
        prompt=program,
        components=components,
        admission=admission(program, search.tuning),
        evaluator=replace(search.evaluator, program=Module(), metric=Metric()),
    )


def test_the_demos_of_a_dspy_program_come_back_as_they_were() -> None:
    bridge = bridge_of(module("bootstrap_few_shot", ("qa", "qa.demos")))

    student = bridge.student()

    assert bridge.texts(student) == bridge.bench.baseline
    assert student.qa.demos[0].augmented is True


def test_the_demos_of_a_dspy_program_hold_json_only() -> None:
    import dspy

    bridge = bridge_of(module("bootstrap_few_shot", ("qa.demos",)))
    student = bridge.student()
    student.qa.demos = [dspy.Example(answer=1 + 2j, nested={"a": [1]}, dspy_row="t0")]

    assert json.loads(bridge.texts(student)["qa.demos"]) == [
        {"answer": "(1+2j)", "nested": {"a": [1]}}
    ]


def test_a_dspy_program_gets_labelled_demos() -> None:
    from gepa_ci.optimizers import optimize

    result = optimize(module("labeled_few_shot", ("qa.demos",), options={"k": 2}))

    demos = json.loads(result.candidate.component("qa.demos").text)
    assert [sorted(demo) for demo in demos] == [["answer", "text"]] * 2


def test_a_dspy_program_gets_bootstrapped_demos() -> None:
    from gepa_ci.optimizers import optimize

    options = {"max_labeled_demos": 0, "max_bootstrapped_demos": 2}
    result = optimize(module("bootstrap_few_shot", ("qa.demos",), options=options))

    demos = json.loads(result.candidate.component("qa.demos").text)
    assert result.candidates[result.best].val_mean == 1.0
    assert [demo["answer"] for demo in demos] == ["kind 0", "kind 0"]
    assert all(demo["augmented"] for demo in demos)


# What an optimizer does at its end


def test_an_error_that_an_optimizer_has_swallowed_is_raised_again() -> None:
    world = World("copro", budget=8)
    bench = Workbench(world.search())

    def deaf(bridge: Bridge) -> Any:
        student = bridge.student()
        for row in bridge.rows(bench.search.tuning.train):
            with suppress(BudgetReached):
                student(**row.inputs())
        return student

    assert explore(bench, deaf, name="Deaf") == bench.budget_reason
    assert bench.calls.used == 8


def test_an_error_after_the_end_is_no_error() -> None:
    world = World("copro", budget=8)
    bench = Workbench(world.search())

    def confused(bridge: Bridge) -> Any:
        try:
            for row in bridge.rows(bench.search.tuning.train):
                bridge.student()(**row.inputs())
        except BudgetReached:
            raise ValueError("division of nothing") from None

    assert explore(bench, confused, name="Confused") == bench.budget_reason


def test_a_bug_of_an_optimizer_is_a_bug() -> None:
    bench = Workbench(World("copro").search())

    def broken(bridge: Bridge) -> Any:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        explore(bench, broken, name="Broken")


# The reflection LM


def test_the_same_question_again_is_an_independent_call() -> None:
    world = World("copro")
    search = world.search()
    assert search.reflection is not None
    lm = language_model(Reflection(Workbench(search), search.reflection))

    lm("How?")
    lm.copy(temperature=0.3)("How?")

    assert [call.trial for call in world.engines.calls] == [0, 1]
    assert world.engines.calls[0].spec == search.reflection


def test_a_search_without_a_reflection_lm_asks_none() -> None:
    with pytest.raises(Exception, match="no reflection LM"):
        language_model(NoReflection())("How?")


# Silence


def test_only_what_a_library_prints_is_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = Quiet()

    with quiet.kept():
        sys.stdout.write("library\n")
        left_open = sys.stdout
        with quiet.lifted():
            sys.stdout.write("ours\n")
        thread = threading.Thread(target=lambda: sys.stdout.write("another thread\n"))
        thread.start()
        thread.join()
    left_open.write("too late")
    sys.stdout.write("after\n")

    assert capsys.readouterr().out == "ours\nanother thread\nafter\n"
