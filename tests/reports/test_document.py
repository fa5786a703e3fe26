from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from report_samples import CHANGES, EMAIL, RIGHT, SAMPLES, WRONG, evaluation, promote

import gepa_ci.reports
from gepa_ci.core.ledger import LedgerMode
from gepa_ci.core.optimization import Origin
from gepa_ci.core.result import PromptChange
from gepa_ci.core.spend import Usage
from gepa_ci.reports import render, result_document, without_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = json.loads(
    (Path(gepa_ci.reports.__file__).parent / "result.schema.json").read_text(encoding="utf-8")
)


def document(name: str = "promote", *, texts: bool = True) -> Any:
    return json.loads(render(result_document(SAMPLES[name](), texts=texts), "json"))


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from objects(value)


@pytest.mark.parametrize("texts", [True, False], ids=["with texts", "without texts"])
@pytest.mark.parametrize("name", SAMPLES)
def test_document_of_every_verdict_fits_the_schema(name: str, texts: bool) -> None:
    errors = list(Draft202012Validator(SCHEMA).iter_errors(document(name, texts=texts)))

    assert errors == []


def test_schema_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_schema_describes_every_field_and_allows_no_other() -> None:
    fields = [f for o in objects(SCHEMA) for f in o.get("properties", {}).values() if o is not f]
    closed = [o for o in objects(SCHEMA) if "properties" in o and "type" in o]

    assert all(field.get("description") for field in fields)
    assert all(o["additionalProperties"] is False for o in closed)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tasks.0",
        "tasks.0.comparison",
        "tasks.0.examples.0",
        "tasks.0.guards.0",
        "tasks.0.slices.0",
        "tasks.0.ledger",
        "tasks.0.shrunk",
    ],
)
def test_schema_refuses_an_unknown_field(path: str) -> None:
    value = document("promote_guarded")
    place = value
    for step in filter(None, path.split(".")):
        place = place[int(step) if step.isdigit() else step]
    place["surprise"] = 1

    assert not Draft202012Validator(SCHEMA).is_valid(value)


def test_posted_document_has_ids_and_scores_but_no_texts() -> None:
    posted = document(texts=False)

    assert posted["tasks"][0]["examples"][56] == {
        "id": "mail-056",
        "part": "held_out",
        "tags": [],
        "baseline": [1.0, 1.0, 0.0],
        "candidate": [0.0, 1.0, 0.0],
        "failures": {"baseline": [None] * 3, "candidate": [None] * 3},
    }
    assert "teapot" not in json.dumps(posted)


def test_saved_document_has_inputs_outputs_feedback_and_failures() -> None:
    row = document()["tasks"][0]["examples"][56]

    assert row["inputs"] == {"email": EMAIL.format(number=1056)}
    assert row["expected"]["item"] == "teapot"
    assert row["outputs"]["candidate"] == [WRONG, RIGHT.format(1056), WRONG]
    assert row["feedback"]["candidate"][0].startswith("name: expected")
    assert row["failures"] == {"baseline": [None] * 3, "candidate": [None] * 3}


def test_posted_document_says_how_models_failed_in_our_words_only() -> None:
    saved = document()
    saved["tasks"][0]["examples"][0]["failures"] = {"baseline": ["refusal", "Dear Marta"]}

    posted = without_texts(saved)["tasks"]

    assert posted[0]["examples"][0]["failures"] == {"baseline": ["refusal", None]}  # type: ignore[index,call-overload]


def test_leaving_out_the_texts_later_gives_the_posted_document() -> None:
    assert without_texts(document()) == document(texts=False)


def test_unknown_price_is_null() -> None:
    made: Any = result_document(replace(promote(), spend=Usage(usd=None)), texts=False)

    assert made["spend"]["usd"] is None


def test_number_that_json_cannot_say_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match=r"result\.seconds is nan"):
        result_document(replace(promote(), seconds=float("nan")), texts=False)


def test_example_that_only_one_side_has_is_listed_with_an_empty_other_side() -> None:
    task = replace(promote().tasks[0], candidate=evaluation([(1.0,)]))
    made: Any = result_document(replace(promote(), tasks=(task,)), texts=False)

    assert [row["candidate"] for row in made["tasks"][0]["examples"][:2]] == [[1.0], []]


def test_held_out_rows_of_a_prompt_file_are_hidden_in_the_posted_diff() -> None:
    row = f'  - email: "{EMAIL.format(number=1005)}"\n'
    change = PromptChange(
        path="p.yml", before=f"a: 1\ntestData:\n{row}", after=f"a: 2\ntestData:\n{row}"
    )
    task = replace(promote().tasks[0], changes=(change, *CHANGES))
    result = replace(promote(), tasks=(task,))

    posted = json.dumps(result_document(result, texts=False))
    report = render(result_document(result, texts=True), "markdown")

    assert "teapot" not in posted
    assert "Marta" not in report
    assert "+a: 2\n testData:\n [text of an example, not shown]" in report


def test_whole_state_of_the_ledger_is_in_the_document_even_without_one() -> None:
    kept = document("promote")["tasks"][0]["ledger"]
    none = document("promote_by_examples")["tasks"][0]["ledger"]

    assert (kept["mode"], kept["spent"], kept["tests_left"]) == ("budget", 0.35, 3)
    assert (none["mode"], none["spent"], none["tests_left"]) == ("none", None, None)


def test_expected_effect_of_a_held_candidate_is_in_the_document() -> None:
    shrunk = document("hold_confirm")["tasks"][0]["shrunk"]

    assert shrunk == {"difference": 0.004, "spread": 0.02, "answers": 7}


def test_row_of_an_example_whose_calls_failed_is_shorter() -> None:
    rows = document("gate_stopped_early")["tasks"][0]["examples"]

    assert (len(rows[7]["baseline"]), len(rows[7]["candidate"])) == (0, 3)
    assert len(rows[12]["candidate"]) == 2


def test_every_origin_of_a_candidate_fits_the_schema() -> None:
    origins = SCHEMA["$defs"]["candidate"]["properties"]["origin"]["enum"]

    assert origins == [origin.value for origin in Origin]


def test_every_mode_of_the_ledger_fits_the_schema() -> None:
    modes = SCHEMA["$defs"]["ledger"]["properties"]["mode"]["enum"]

    assert modes == [mode.value for mode in LedgerMode]


def test_document_says_who_is_best_on_each_val_example_and_in_each_objective() -> None:
    result = promote()
    run = result.tasks[0].optimization
    assert run is not None
    first, second, third = run.candidates
    records = (
        replace(first, val_scores={"v1": 1.0, "v2": 0.0}, objectives={"score": 0.5, "cost": 0.5}),
        replace(second, val_scores={"v1": 0.0, "v2": 0.0}, objectives={"score": 0.0, "cost": 0.6}),
        replace(third, val_scores={"v1": 1.0, "v2": 0.5}, objectives={"score": 0.75}),
    )
    task = replace(result.tasks[0], optimization=replace(run, candidates=records))
    found: Any = result_document(replace(result, tasks=(task,)), texts=True)
    search = found["tasks"][0]["optimization"]

    assert search["frontier"] == [
        {"name": "v1", "score": 1.0, "candidates": [0, 2]},
        {"name": "v2", "score": 0.5, "candidates": [2]},
    ]
    assert search["objectives"] == [
        {"name": "score", "score": 0.75, "candidates": [2]},
        {"name": "cost", "score": 0.6, "candidates": [1]},
    ]


def test_outputs_of_the_best_are_cut_off_and_never_posted() -> None:
    result = promote()
    run = result.tasks[0].optimization
    assert run is not None
    records = (*run.candidates[:2], replace(run.candidates[2], outputs={"v2": "x" * 9000}))
    task = replace(result.tasks[0], optimization=replace(run, candidates=records))
    ours, posted = (
        json.loads(json.dumps(result_document(replace(result, tasks=(task,)), texts=texts)))
        for texts in (True, False)
    )

    (best,) = ours["tasks"][0]["optimization"]["best_outputs"]
    assert (best["example"], best["candidate"], len(best["output"])) == ("v2", 2, 2000)
    assert posted["tasks"][0]["optimization"]["best_outputs"] == []


def test_edits_of_the_best_candidate_name_the_failures_behind_them() -> None:
    edits = document()["tasks"][0]["optimization"]["edits"]

    assert [edit["candidate"] for edit in edits] == [1, 2]
    assert edits[0]["failures"][1] == {
        "example": "mail-214",
        "score": 0.5,
        "feedback": "item: expected 'lamp', got nothing",
    }
