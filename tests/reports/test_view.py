from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from report_samples import SAMPLES, evaluation, gate_guards, gate_pass, promote, tagged

from gepa_ci.errors import UsageError
from gepa_ci.reports import render, result_document, view

if TYPE_CHECKING:
    from gepa_ci.core.result import RunResult
    from gepa_ci.reports.view.model import Task


def document(name: str = "promote") -> Any:
    return json.loads(render(result_document(SAMPLES[name](), texts=True), "json"))


@pytest.mark.parametrize("name", SAMPLES)
def test_saved_result_gives_the_same_view_as_the_fresh_one(name: str) -> None:
    fresh = result_document(SAMPLES[name](), texts=False)

    assert view(document(name)) == view(fresh)


def test_examples_are_ordered_by_how_much_they_changed() -> None:
    before = evaluation([(1.0,), (1.0,), (0.0,), (0.5,), (0.3,)])
    after = evaluation([(0.5,), (0.0,), (1.0,), (0.5,), (0.4,)])
    task = replace(gate_pass().tasks[0], baseline=before, candidate=after)
    shown = view(result_document(replace(gate_pass(), tasks=(task,)), texts=False)).tasks[0]

    assert [example.id for example in shown.worse] == ["mail-001", "mail-000"]
    assert [example.id for example in shown.better] == ["mail-002", "mail-004"]


def test_rounding_of_thirds_is_not_a_change() -> None:
    task = replace(
        gate_pass().tasks[0],
        baseline=evaluation([(0.1, 0.2, 0.3)]),
        candidate=evaluation([(0.3, 0.2, 0.1)]),
    )
    shown = view(result_document(replace(gate_pass(), tasks=(task,)), texts=False)).tasks[0]

    assert shown.worse == shown.better == ()


def test_evaluate_lists_the_lowest_scores_first() -> None:
    lowest = view(document("evaluated")).tasks[0].lowest

    assert lowest[0].after == 0.0
    assert lowest[-1].after == pytest.approx(2 / 3)


def test_refusals_for_one_reason_are_counted_together() -> None:
    run = view(document()).tasks[0].optimization

    assert run is not None
    assert [refusal.count for refusal in run.refusals] == [2, 1]
    assert run.refused == 3


def test_spend_has_a_total_only_when_there_is_something_to_add() -> None:
    assert [s.purpose for s in view(document()).tasks[0].spend] == ["task", "reflection", "total"]
    assert [s.purpose for s in view(document("gate_pass")).tasks[0].spend] == ["task"]


def test_new_prompts_are_counted_beside_verdicts() -> None:
    tasks = (*SAMPLES["gate_new_prompt"]().tasks, *gate_pass().tasks)
    shown = view(result_document(replace(gate_pass(), tasks=tasks), texts=False))

    assert shown.summary == "1 pass, 1 measured"


def test_several_evaluated_tasks_are_counted() -> None:
    tasks = SAMPLES["evaluated"]().tasks * 2
    shown = view(result_document(replace(SAMPLES["evaluated"](), tasks=tasks), texts=False))

    assert shown.summary == "2 tasks"


def test_two_written_files_are_files() -> None:
    task = replace(promote().tasks[0], written=("a.md", "b.md"))
    shown = view(result_document(replace(promote(), tasks=(task,)), texts=False))

    assert shown.tasks[0].headline.endswith("is now in the files")


def test_promotion_that_wrote_nothing_does_not_claim_it_did() -> None:
    task = replace(promote().tasks[0], written=())
    shown = view(result_document(replace(promote(), tasks=(task,)), texts=False))

    assert shown.tasks[0].headline == "promote. The candidate is better"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("schema_version", 2, "unknown schema_version '2'"),
        ("schema_version", True, "'result.schema_version' is not a whole number"),
        ("seconds", "1", "'result.seconds' is not a number"),
        ("tasks", {}, "'result.tasks' is not a list"),
        ("tasks", [3], "'result.tasks[0]' is not an object"),
        ("tasks.0.name", None, "'result.tasks[0].name' is not a string"),
        ("tasks.0.comparison.n", 1.5, "'result.tasks[0].comparison.n' is not a whole number"),
        ("tasks.0.examples", "x", "'result.tasks[0].examples' is not a list"),
        ("tasks.0.changes", [{"path": "p", "diff": 3}], "'result.tasks[0].changes[0].diff'"),
        ("tasks.0.spend", {}, "'result.tasks[0].spend' has no field 'usd'"),
        ("tasks.0.phases", [], "'result.tasks[0].phases' is not an object"),
        ("tasks.0.method", None, "'result.tasks[0].method' is not a string"),
        ("tasks.0.planned", 1.5, "'result.tasks[0].planned' is not a whole number"),
        ("tasks.0.ledger", "x", "'result.tasks[0].ledger' is not an object"),
        ("tasks.0.ledger.mode", None, "'result.tasks[0].ledger.mode' is not a string"),
        ("tasks.0.ledger.summary", 3, "'result.tasks[0].ledger.summary' is not a string"),
        ("tasks.0.shrunk.difference", "x", "'result.tasks[0].shrunk.difference' is not a number"),
        ("tasks.0.shrunk.answers", None, "'result.tasks[0].shrunk.answers' is not a whole number"),
    ],
)
def test_broken_result_is_refused_with_the_place(path: str, value: object, message: str) -> None:
    broken = document()
    *steps, last = path.split(".")
    place = broken
    for step in steps:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value

    with pytest.raises(UsageError) as caught:
        view(broken)

    assert message in str(caught.value)
    assert caught.value.problems[0].hint


def test_unknown_verdict_of_a_foreign_result_is_shown_as_it_is() -> None:
    foreign = document()
    foreign["tasks"][0]["verdict"] = "sideways"

    assert view(foreign).tasks[0].headline == "sideways"
    assert view(foreign).summary == "1 sideways"


def test_example_with_one_side_only_is_neither_better_nor_worse() -> None:
    task = replace(gate_pass().tasks[0], candidate=None)
    shown = view(result_document(replace(gate_pass(), tasks=(task,)), texts=False)).tasks[0]

    assert shown.worse == shown.better == shown.lowest == ()


def test_evaluate_without_an_evaluation_says_so() -> None:
    empty = document("evaluated")
    empty["tasks"][0]["candidate"] = None

    assert view(empty).tasks[0].headline == "not measured"


def test_slices_that_look_worse_come_first() -> None:
    slices = (
        tagged("a", 20, 0.5, 0.6, adjusted_p=0.9),
        tagged("b", 20, 0.9, 0.2, adjusted_p=0.01),
        tagged("c", 20, 0.5, 0.5, adjusted_p=0.5),
    )
    task = replace(gate_guards().tasks[0], slices=slices)
    shown = view(result_document(replace(gate_guards(), tasks=(task,)), texts=False)).tasks[0]

    assert [item.tag for item in shown.slices] == ["b", "a", "c"]


def test_a_guard_that_got_worse_is_in_the_headline() -> None:
    shown = view(document("gate_guard_regression")).tasks[0]

    assert shown.headline == "regression. The head prompt is worse on latency"


def test_a_flag_that_is_none_is_refused() -> None:
    broken = document("gate_guards")
    broken["tasks"][0]["guards"][0]["relative"] = 1

    with pytest.raises(UsageError, match=r"guards\[0\].relative' is not true or false"):
        view(broken)


def shown(result: RunResult) -> Task:
    return view(result_document(result, texts=False)).tasks[0]


def changed(result: RunResult, **fields: Any) -> RunResult:
    return replace(result, tasks=(replace(result.tasks[0], **fields),))


def test_answer_from_the_ledger_is_of_held_out_examples_and_of_unknown_trials() -> None:
    task = shown(SAMPLES["promote_answered_before"]())

    assert (task.recalled, task.part, task.trials) == (True, "held-out", 0)


def test_val_screen_is_no_answer_from_the_ledger() -> None:
    task = shown(SAMPLES["hold_val_screen"]())

    assert (task.recalled, task.part, task.trials) == (False, "val", 1)


@pytest.mark.parametrize("planned", [0, 57, 60])
def test_nothing_is_planned_beyond_what_was_run(planned: int) -> None:
    result = changed(SAMPLES["gate_stopped_early"](), planned=planned)

    assert shown(result).planned == 0


def test_examples_that_were_spared_are_planned() -> None:
    assert shown(changed(SAMPLES["gate_stopped_early"](), planned=61)).planned == 61


def test_what_was_planned_means_nothing_without_a_comparison() -> None:
    assert shown(changed(SAMPLES["gate_new_prompt"](), planned=500)).planned == 0


def test_only_of_a_promoted_candidate_an_effect_is_expected() -> None:
    expected = shown(promote()).expected

    assert expected is not None
    assert (expected.difference, expected.answers) == (0.262, 7)
    assert SAMPLES["hold_confirm"]().tasks[0].shrunk is not None
    assert shown(SAMPLES["hold_confirm"]()).expected is None


def test_a_ledger_that_keeps_nothing_says_nothing() -> None:
    ledger = shown(promote()).ledger

    assert ledger is not None
    assert ledger.summary.startswith("The held-out examples have judged 8 candidates")
    assert shown(SAMPLES["promote_by_examples"]()).ledger is None


def test_trials_of_a_side_are_those_with_a_score() -> None:
    assert [side.trials for side in shown(SAMPLES["gate_stopped_early"]()).sides] == [174, 173]


def test_example_whose_base_calls_failed_is_not_among_the_lowest_scores() -> None:
    assert shown(SAMPLES["gate_stopped_early"]()).lowest == ()


@pytest.mark.parametrize(
    ("name", "headline", "status"),
    [
        ("gate_calls_failed", "inconclusive. Calls failed, so run it again", "inconclusive"),
        ("gate_uneven_failures", "inconclusive. Calls failed, so run it again", "inconclusive"),
        ("gate_too_few_examples", "inconclusive. There are too few examples", "inconclusive"),
        ("gate_no_scores", "inconclusive. Nothing could be compared", "inconclusive"),
        ("gate_guard_undecided", "inconclusive. Undecided on contains, latency", "inconclusive"),
        ("hold_guard", "hold. The candidate is worse on prompt_length", "hold"),
        ("gate_unchanged", "unchanged. The prompt is the same on base and head", "unchanged"),
        ("gate_new_prompt", "mean score 0.83", "measured"),
        ("gate_ruler_changed", None, "ruler changed"),
    ],
)
def test_headline_gives_the_real_cause(name: str, headline: str | None, status: str) -> None:
    task = view(result_document(SAMPLES[name](), texts=False)).tasks[0]

    assert headline in (None, task.headline)
    assert task.status == status


def test_headline_of_a_hostile_result_is_harmless() -> None:
    unmeasured = SAMPLES["gate_unchanged"]().tasks[0]
    found = [
        view(result_document(replace(SAMPLES[name](), tasks=(task,)), texts=False)).tasks[0]
        for name, task in [
            ("gate_unchanged", replace(unmeasured, verdict="pass")),
            ("gate_unchanged", replace(unmeasured, cause=None)),
            ("gate_unchanged", replace(unmeasured, verdict="hold", cause="odd")),  # type: ignore[arg-type]
        ]
    ]

    assert [task.headline for task in found] == [
        "pass. There is nothing to compare",
        "not judged",
        "hold. The prompt stays as it is",
    ]
    assert found[1].status == "not measured"


def test_guard_without_an_example_has_no_value() -> None:
    measured, unmeasured = (
        view(result_document(SAMPLES["gate_guard_undecided"](), texts=False)).tasks[0].guards
    )

    assert (measured.before, measured.after) == (0.95, 0.92)
    assert (unmeasured.before, unmeasured.after, unmeasured.change) == (None, None, None)
