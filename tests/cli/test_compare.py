from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from report_samples import SAMPLES, base_task, gate_guards, gate_regression, promote, run

import gepa_ci.reports
from gepa_ci.core.evaluation import Evaluation
from gepa_ci.core.score import ModelFailure, Score, Trial
from gepa_ci.core.suite import Example, Part
from gepa_ci.reports import result_document, without_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench import Outcome, Workbench

    from gepa_ci.core.result import RunResult

SCHEMA = json.loads(
    (Path(gepa_ci.reports.__file__).parent / "result.schema.json").read_text(encoding="utf-8")
)
RIGHT = dict.fromkeys((f"e{number}" for number in range(40)), (1.0,))
"""40 examples, all of them right."""


def scored(
    scores: Mapping[str, Sequence[float]],
    *,
    name: str = "orders",
    model: str = "m1",
    prompt: str = "p1",
    trials: int = 1,
    part: Part = Part.HELD_OUT,
    other: Sequence[str] = (),
    weight: float = 1.0,
) -> Any:
    """Return what `evaluate` writes; the inputs of some examples are others than usually."""
    examples = tuple(
        Example(
            id=key,
            inputs={"text": f"{key}{'!' * (key in other)}"},
            expected=key,
            tags=("even",) if int(key[1:]) % 2 == 0 else (),
            weight=weight if key == "e0" else 1.0,
        )
        for key in scores
    )
    rows = tuple(
        tuple(
            Trial(
                example_id=key,
                number=number,
                output=f"{model} said {key}",
                score=Score(value=value, feedback="Right." if value else "Wrong."),
                failure=None if value else ModelFailure.REFUSAL,
            )
            for number, value in enumerate(row)
        )
        for key, row in scores.items()
    )
    evaluation = Evaluation(prompt_digest=prompt, part=part, examples=examples, trials=rows)
    task = replace(base_task(name), model=model, candidate=evaluation, trials=trials)
    return result_document(run("evaluate", task), texts=True)


def compare(bench: Workbench, first: Any, second: Any, *options: str) -> Outcome:
    bench.write({"a.json": json.dumps(first), "b.json": json.dumps(second)})
    return bench.run("compare", "a.json", "b.json", *options)


def compared(bench: Workbench, first: Any, second: Any, *options: str) -> Any:
    outcome = compare(bench, first, second, "--format", "json", *options)
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.document


def of(result: RunResult) -> Any:
    return result_document(result, texts=True)


def lost(*keys: str) -> Mapping[str, Sequence[float]]:
    return RIGHT | dict.fromkeys(keys, (0.0,))


NAMED = "The first file, the baseline, is 'a.json'; the second is 'b.json'."
TEN = tuple(f"e{number}" for number in range(0, 20, 2))


def test_the_difference_is_that_of_the_examples_one_by_one(bench: Workbench) -> None:
    # 40 examples: 10 from right to wrong, 1 from wrong to right; 39 / 40 and 30 / 40.
    (task,) = compared(bench, scored(lost("e39")), scored(lost(*TEN)))["tasks"]
    found = task["comparison"]

    assert (task["verdict"], task["margin"]) == ("regression", 0.05)
    assert (found["n"], found["wins"], found["losses"], found["ties"]) == (40, 1, 10, 29)
    assert (found["baseline_mean"], found["candidate_mean"]) == (0.975, 0.75)
    assert found["difference"] == pytest.approx(-0.225)
    assert found["interval"]["level"] == pytest.approx(0.9)
    # The one-sided mid-p of a sign test with 1 plus and 10 minus: (1 / 2 * 11 + 1) / 2**11.
    assert found["p_worse"] == pytest.approx(6.5 / 2**11)


def test_the_order_of_the_files_decides_the_sign(bench: Workbench) -> None:
    (there,) = compared(bench, scored(RIGHT), scored(lost(*TEN)))["tasks"]
    (back,) = compared(bench, scored(lost(*TEN)), scored(RIGHT))["tasks"]

    assert there["comparison"]["difference"] == -back["comparison"]["difference"] == -0.25
    assert (there["verdict"], back["verdict"]) == ("regression", "improved")
    assert there["notes"][0] == NAMED


@pytest.mark.parametrize("name", ["gate_regression", "promote", "evaluated", "gate_three_tasks"])
def test_a_file_compared_with_itself_differs_in_nothing(bench: Workbench, name: str) -> None:
    document = of(SAMPLES[name]())

    for task in compared(bench, document, document)["tasks"]:
        assert task["comparison"]["difference"] == 0
        assert task["verdict"] == "pass"
        assert "Both files measured the same prompt: what differs is chance." in task["notes"]


def test_few_equal_examples_decide_nothing(bench: Workbench) -> None:
    few = scored({f"e{number}": (1.0,) for number in range(5)})

    (task,) = compared(bench, few, few)["tasks"]

    assert (task["verdict"], task["comparison"]["difference"]) == ("inconclusive", 0)


def test_the_result_is_one_like_every_other(bench: Workbench) -> None:
    document = compared(bench, of(gate_regression()), of(promote()), "--output", "c.json")

    assert list(Draft202012Validator(SCHEMA).iter_errors(document)) == []
    assert json.loads((bench.root / "c.json").read_bytes()) == document
    assert (document["command"], document["spend"]["calls"]) == ("compare", 0)
    assert document["replay"] == "gepa-ci compare a.json b.json"
    assert set(document["versions"]) == {"gepa-ci", "numpy", "scipy"}
    shown = bench.run("report", "c.json")
    assert "improved. The second file scores higher" in shown.out
    again = bench.run("compare", "c.json", "c.json")
    assert (again.code, again.err) == (0, "")


@pytest.mark.parametrize("shown", ["text", "markdown", "html", "junit", "sarif", "jsonl"])
def test_every_format_shows_it(bench: Workbench, shown: str) -> None:
    outcome = compare(bench, scored(RIGHT), scored(lost(*TEN)), "--format", shown)

    assert (outcome.code, outcome.err) == (0, "")
    assert "regression" in outcome.out


def test_both_outputs_of_an_example_are_in_the_result(bench: Workbench) -> None:
    document = compared(bench, scored(RIGHT), scored(lost("e7"), model="m2"))
    row = document["tasks"][0]["examples"][7]

    assert row["outputs"] == {"baseline": ["m1 said e7"], "candidate": ["m2 said e7"]}
    assert row["feedback"] == {"baseline": ["Right."], "candidate": ["Wrong."]}
    assert row["failures"] == {"baseline": [None], "candidate": ["refusal"]}
    assert (row["inputs"], row["expected"], row["tags"]) == ({"text": "e7"}, "e7", [])


def test_the_examples_of_each_tag_are_compared(bench: Workbench) -> None:
    (task,) = compared(bench, scored(RIGHT), scored(lost(*TEN)))["tasks"]
    (item,) = task["slices"]

    assert (item["tag"], item["n"], item["difference"], item["flagged"]) == ("even", 20, -0.5, True)


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ([], "regression"),
        (["--margin", "0.4"], "pass"),
        (["--confidence", "0.999"], "inconclusive"),
    ],
)
def test_margin_and_confidence_are_those_of_the_gate(
    bench: Workbench, options: list[str], verdict: str
) -> None:
    (task,) = compared(bench, scored(RIGHT), scored(lost(*TEN[:6])), *options)["tasks"]

    assert task["verdict"] == verdict


@pytest.mark.parametrize(
    ("fails_on", "codes"),
    [("never", [0, 0, 0]), ("regression", [0, 0, 1]), ("inconclusive", [0, 1, 1])],
)
def test_the_exit_code_is_0_unless_asked_for(
    bench: Workbench, fails_on: str, codes: list[int]
) -> None:
    verdicts: list[Mapping[str, Sequence[float]]] = [RIGHT, lost("e0", "e1", "e2"), lost(*TEN)]

    found = [
        compare(bench, scored(RIGHT), scored(second), "--margin=0.1", "--fail-on", fails_on).code
        for second in verdicts
    ]

    assert found == codes


# What is paired


def test_examples_that_are_not_the_same_are_left_out_and_counted(bench: Workbench) -> None:
    first = {f"e{number}": (1.0,) for number in range(1, 41)}

    (task,) = compared(bench, scored(first), scored(lost("e5"), other=("e5", "e6")))["tasks"]

    assert task["comparison"]["n"] == 37
    assert task["comparison"]["losses"] == 0
    assert task["notes"][2:] == [
        (
            "2 examples have other inputs or another expected answer in the second file and are "
            "left out."
        ),
        "1 example is in the first file only and is left out.",
        "1 example is in the second file only and is left out.",
    ]


def test_an_example_that_has_another_label_is_left_out(bench: Workbench) -> None:
    second = scored(RIGHT)
    second["tasks"][0]["examples"][3]["expected"] = {"other": True}

    (task,) = compared(bench, scored(RIGHT), second)["tasks"]

    assert task["comparison"]["n"] == 39
    assert task["notes"][-1].startswith("1 example has other inputs or another expected answer")


def test_without_texts_examples_are_paired_by_id_and_nothing_is_made_up(bench: Workbench) -> None:
    document = compared(bench, without_texts(scored(RIGHT)), scored(lost("e5"), other=("e5",)))
    (task,) = document["tasks"]

    assert task["comparison"]["losses"] == 1
    assert (
        "A file without texts has ids only, so it cannot be checked that examples with the same "
        "id are the same."
    ) in task["notes"]
    assert "outputs" not in task["examples"][0]
    assert list(Draft202012Validator(SCHEMA).iter_errors(document)) == []


def test_trials_whose_calls_failed_are_missing_and_no_score(bench: Workbench) -> None:
    first = scored(dict.fromkeys(RIGHT, (1.0, 1.0)) | {"e0": (), "e1": (0.0,)}, trials=2)

    (task,) = compared(bench, first, scored(RIGHT))["tasks"]

    assert (task["comparison"]["n"], task["comparison"]["missing"]) == (39, 1)
    assert task["comparison"]["baseline_mean"] == pytest.approx(38 / 39)
    assert "Each example was run 2 times and once." in task["notes"]


def test_calls_that_failed_on_one_side_only_leave_it_open(bench: Workbench) -> None:
    (task,) = compared(bench, scored(RIGHT, trials=2), scored(lost(*TEN)))["tasks"]

    assert task["verdict"] == "inconclusive"
    assert "Calls failed for 40 of 80 trials of the baseline but 0" in task["reasons"][0]


def test_tasks_are_paired_by_name_and_the_others_are_named(bench: Workbench) -> None:
    first, second = scored(RIGHT, name="a"), scored(lost(*TEN), name="a")
    first["tasks"] += scored(RIGHT, name="b")["tasks"]
    second["tasks"] += scored(RIGHT, name="c")["tasks"]

    tasks = compared(bench, first, second)["tasks"]

    assert [(task["name"], task["verdict"]) for task in tasks] == [
        *(("a", "regression"), ("b", None), ("c", None))
    ]
    assert tasks[1]["reasons"] == [
        "Only the first file has scores of this task, so it is not compared."
    ]


def test_two_lone_tasks_are_paired_whatever_their_names(bench: Workbench) -> None:
    (task,) = compared(bench, scored(RIGHT, name="a"), scored(lost(*TEN), name="b"))["tasks"]

    assert (task["name"], task["verdict"]) == ("b", "regression")
    assert task["notes"][1] == (
        "The first file's only task is 'a' and the second's is 'b': they are compared all the same."
    )


def test_of_several_tasks_one_may_share_no_example(bench: Workbench) -> None:
    first, second = scored(RIGHT, name="a"), scored(RIGHT, name="a")
    first["tasks"] += scored({"e1": (1.0,)}, name="b")["tasks"]
    second["tasks"] += scored({"e2": (1.0,)}, name="b")["tasks"]

    tasks = compared(bench, first, second)["tasks"]

    assert [task["verdict"] for task in tasks] == ["inconclusive", None]
    assert tasks[1]["reasons"] == ["Not compared: the files share no example: no id is in both."]


# What is said of how the files differ


def test_what_else_differs_is_said(bench: Workbench) -> None:
    second = scored(RIGHT, model="m2", part=Part.VAL)
    second |= {"config_digest": "f" * 64, "versions": {}}

    (task,) = compared(bench, scored(RIGHT), second)["tasks"]

    assert task["notes"] == [
        NAMED,
        "The models differ: 'm1' and 'm2'.",
        "Both files measured the same prompt: what differs is chance, the model or the config.",
        "The examples were in another part of the suite in the first file.",
        "The files were made with different configs, so other things than the prompt differ.",
        "The files were made by different versions of gepa-ci: '0.1.0' and ''.",
    ]
    assert task["model"] == "m2"


def test_of_a_gate_the_newer_prompt_is_compared(bench: Workbench) -> None:
    first = of(gate_guards())
    first["tasks"][0]["comparison"]["units"] = 50

    (task,) = compared(bench, first, of(promote()))["tasks"]

    assert task["baseline"]["mean"] == pytest.approx(first["tasks"][0]["candidate"]["mean"])
    assert "Guards are not compared: a result does not keep what they measured." in task["notes"]
    assert any("does not keep the groups of examples" in note for note in task["notes"])
    assert [note for note in task["notes"] if "what is compared is its candidate" in note] == [
        "'a.json' is a result of `gepa-ci gate`: what is compared is its candidate.",
        "'b.json' is a result of `gepa-ci optimize`: what is compared is its candidate.",
    ]


def test_weights_that_a_file_does_not_keep_are_said(bench: Workbench) -> None:
    (task,) = compared(bench, scored(lost("e0"), weight=9.0, prompt="p2"), scored(RIGHT))["tasks"]

    assert task["notes"] == [
        NAMED,
        "The prompts differ.",
        "A result does not keep the weights of examples, so every example counts the same.",
    ]
    assert task["baseline"]["mean"] == 0.975


# What is refused


def test_all_that_is_wrong_with_both_files_is_said_at_once(bench: Workbench) -> None:
    bench.write({"b.json": json.dumps(of(SAMPLES["hold_val_screen"]()))})

    outcome = bench.run("compare", "a.json", "b.json")

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "error: a.json: cannot read the result: no such file or directory\n"
        "hint: name a file that --output wrote\n"
        "error: b.json: the result has no scores\n"
        "hint: give a file that `gepa-ci evaluate --output FILE` wrote\n"
    )


def test_a_file_in_which_every_call_failed_has_no_scores(bench: Workbench) -> None:
    first = scored(RIGHT)
    for example in first["tasks"][0]["examples"]:
        example["candidate"] = []

    outcome = compare(bench, first, scored(RIGHT))

    assert (outcome.code, outcome.err.split("\n")[0]) == (
        2,
        "error: a.json: the result has no scores",
    )


def test_one_wrong_file_given_twice_is_one_problem(bench: Workbench) -> None:
    outcome = bench.run("compare", "a.json", "a.json")

    assert (outcome.code, outcome.err.count("error: ")) == (2, 1)


NOTHING_SHARED: dict[str, tuple[Any, Any, str]] = {
    "no id": (
        scored({"e1": (1.0,)}),
        scored({"e2": (1.0,)}),
        "task 'orders': the files share no example: no id is in both",
    ),
    "parts": (
        scored({"e1": (1.0,)}, part=Part.VAL),
        scored({"e2": (1.0,)}),
        "task 'orders': the first file has scores on the val part and the second on the held-out",
    ),
    "inputs": (
        scored({"e1": (1.0,)}),
        scored({"e1": (1.0,)}, other=("e1",)),
        "task 'orders': every example that both files have differs in its inputs or its expected",
    ),
    "scores": (
        scored({"e1": (1.0,), "e2": ()}),
        scored({"e1": (), "e2": (1.0,)}),
        "task 'orders': no example has a score in both files",
    ),
}


@pytest.mark.parametrize(("first", "second", "said"), NOTHING_SHARED.values(), ids=NOTHING_SHARED)
def test_files_that_share_nothing_are_refused(
    bench: Workbench, first: Any, second: Any, said: str
) -> None:
    outcome = compare(bench, first, second)

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {said}")


def test_files_without_a_common_task_are_refused(bench: Workbench) -> None:
    first = scored(RIGHT, name="a")
    first["tasks"] += scored(RIGHT, name="b")["tasks"]

    outcome = compare(bench, first, scored(RIGHT, name="c"))

    assert (outcome.code, outcome.err) == (
        2,
        ("error: the files have no task in common\nhint: the first has 'a', 'b', the second 'c'\n"),
    )


def _broken(path: Sequence[str | int], value: Any) -> Any:
    document = scored(RIGHT)
    place = document["tasks"][0]["examples"][3]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (_broken(["candidate", 0], 1.5), "[3].candidate[0]' is not from 0 to 1"),
        (_broken(["failures", "candidate", 0], "x"), "[3].failures.candidate[0]' is none of "),
        (_broken(["outputs", "candidate"], [3]), "[3].outputs.candidate[0]' is not a string"),
    ],
)
def test_a_file_that_was_changed_by_hand_is_refused(
    bench: Workbench, document: Any, said: str
) -> None:
    outcome = compare(bench, scored(RIGHT), document)

    assert outcome.code == 2
    assert outcome.err.startswith("error: b.json: 'result.tasks[0].examples")
    assert said in outcome.err


def test_a_result_is_not_written_over_one_that_was_compared(bench: Workbench) -> None:
    outcome = compare(bench, scored(RIGHT), scored(RIGHT), "--report", "c.md", "--output", "b.json")

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: 'b.json' and 'b.json' are the same file\n")
    assert json.loads((bench.root / "b.json").read_bytes()) == scored(RIGHT)
    assert not (bench.root / "c.md").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--margin", "nan"), ("--margin", "0"), ("--confidence", "0.5"), ("--fail-on", "pass")],
)
def test_numbers_that_make_no_sense_are_refused(bench: Workbench, option: str, value: str) -> None:
    outcome = compare(bench, scored(RIGHT), scored(RIGHT), option, value)

    assert (outcome.code, outcome.out) == (2, "")
    assert option in outcome.err


def test_hostile_names_stay_harmless(bench: Workbench) -> None:
    name = "::error::x\n##[group]\u202e<b>"
    document = scored(RIGHT, name=name, model=name)

    outcome = compare(bench, document, scored(RIGHT, name="b"), "--format", "markdown")

    assert outcome.code == 0
    assert "\n::" not in outcome.out
    assert "##[" not in outcome.out
    assert "\u202e" not in outcome.out


def test_an_example_that_a_file_has_twice_is_refused(bench: Workbench) -> None:
    twice = scored(RIGHT)
    twice["tasks"][0]["examples"].append(twice["tasks"][0]["examples"][3])

    outcome = compare(bench, scored(RIGHT), twice)

    assert outcome.code == 2
    assert outcome.err.startswith(
        "error: b.json: 'result.tasks[0].examples[40].id' is 'e3' a second time\n"
    )
