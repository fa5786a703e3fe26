from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from report_samples import EMAIL, SAMPLES, gate_regression, gate_stopped_early
from test_canaries import CANARIES, poisoned

import gepa_ci.reports
from gepa_ci.core.verdict import Promotion, Verdict
from gepa_ci.reports import render, result_document
from gepa_ci.reports.view.model_examples import Change

FOLDER = Path(gepa_ci.reports.__file__).parent / "exports"
SCHEMA = json.loads((FOLDER / "examples.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
TEXTS = {"inputs", "expected", "outputs", "feedback"}


def lines(document: Any) -> list[Any]:
    text = render(document, "jsonl")
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def of(name: str, *, texts: bool = True) -> list[Any]:
    return lines(result_document(SAMPLES[name](), texts=texts))


@pytest.mark.parametrize(
    ("name", "texts"),
    [*((name, True) for name in SAMPLES), ("gate_stopped_early", False), ("evaluated", False)],
)
def test_every_line_of_every_verdict_fits_the_schema(name: str, texts: bool) -> None:
    found = of(name, texts=texts)
    # Equal lines but for the names are valid or not together, and validating is slow.
    kinds = {re.sub(r"\d{3}", "", json.dumps(line)): line for line in found}

    assert [error for line in kinds.values() for error in VALIDATOR.iter_errors(line)] == []
    assert all((set(line) >= TEXTS) is texts for line in found)


def test_the_schema_is_valid_and_describes_every_field() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    fields = SCHEMA["properties"]

    assert all(field["description"] for field in fields.values())
    assert list(fields) == list(of("gate_regression")[0])
    assert fields["change"]["enum"] == [change.value for change in Change]
    assert fields["verdict"]["enum"] == [*Verdict, *Promotion, None]


@pytest.mark.parametrize(
    "broken",
    [
        {"score": 1},
        {"before": 1.5},
        {"change": "better"},
        {"inputs": None},
        {"failures": {"baseline": []}},
    ],
    ids=lambda value: next(iter(value)),
)
def test_the_schema_refuses_a_broken_line(broken: Any) -> None:
    line = of("gate_regression")[0]

    assert not VALIDATOR.is_valid(line | broken)
    assert not VALIDATOR.is_valid({key: line[key] for key in line if key != "outputs"})


def test_a_line_tells_all_of_its_example() -> None:
    document: Any = result_document(gate_regression(), texts=True)
    example = document["tasks"][0]["examples"][60]
    line = lines(document)[60]

    assert line == {
        "task": "orders",
        "verdict": "regression",
        "id": "mail-060",
        "part": "held_out",
        "tags": example["tags"],
        "change": "lost",
        "before": 1.0,
        "after": pytest.approx(2 / 3),
        "difference": pytest.approx(-1 / 3),
        "baseline": [1.0, 1.0, 1.0],
        "candidate": [0.0, 1.0, 1.0],
        "failures": {"baseline": [None] * 3, "candidate": [None] * 3},
        "inputs": {"email": EMAIL.format(number=1060)},
        "expected": example["expected"],
        "outputs": example["outputs"],
        "feedback": example["feedback"],
    }


def test_every_task_has_its_lines() -> None:
    found = of("gate_three_tasks")

    assert [line["task"] for line in found[::100]] == ["orders", "triage", "summary"]
    assert found[100]["verdict"] == "regression"


def test_an_example_without_a_score_on_one_side_has_no_difference() -> None:
    found = lines(result_document(gate_stopped_early(), texts=False))
    alone = of("evaluated")[0]

    assert [found[7][key] for key in ("change", "before", "after", "difference")] == [
        *("missing", None, 0.0, None)
    ]
    assert [alone[key] for key in ("change", "before", "after", "difference")] == [
        *("alone", None, 1.0, None)
    ]


def test_a_run_that_measured_nothing_has_no_line() -> None:
    assert render(result_document(SAMPLES["nothing"](), texts=True), "jsonl") == ""


def test_a_document_whose_texts_were_taken_out_of_one_example_has_lines_without_texts() -> None:
    document: Any = copy.deepcopy(result_document(gate_regression(), texts=True))
    del document["tasks"][0]["examples"][3]["inputs"]

    assert all(TEXTS.isdisjoint(line) for line in lines(document))


@pytest.mark.parametrize(
    "text",
    ["a\nb\r\nc", "a\u2028b\u2029c\x85d\x0be\x1cf", "\ud800 and \udfff", "\x00\x1b[31m", "##[x]"],
)
def test_a_line_is_one_line_of_utf_8_whatever_the_text_holds(text: str) -> None:
    document: Any = copy.deepcopy(result_document(gate_regression(), texts=True))
    example = document["tasks"][0]["examples"][0]
    example |= {"expected": [text, 10**30], "inputs": {text: text}, "tags": [text]}

    rendered = render(document, "jsonl")

    assert len(rendered.encode().decode().splitlines()) == 100
    assert "##[" not in rendered
    assert lines(document)[0]["expected"] == [text, 10**30]
    assert lines(document)[0]["inputs"] == {text: text}


@pytest.mark.parametrize("name", ["fence", "runner", "hidden"])
def test_hostile_text_stays_inside_its_line(name: str) -> None:
    for document in poisoned(CANARIES[name]):
        count = sum(len(task["examples"]) for task in document["tasks"])

        assert len(lines(document)) == count


def test_a_name_of_a_task_comes_back_as_it_was() -> None:
    task = replace(gate_regression().tasks[0], name="a\n\u202e\u2028b")
    document = result_document(replace(gate_regression(), tasks=(task,)), texts=True)

    assert lines(document)[0]["task"] == "a\n\u202e\u2028b"
