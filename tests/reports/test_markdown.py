from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import SAMPLES, gate_regression, hold_no_improvement, promote

from gepa_ci.core.result import PromptChange, RunResult
from gepa_ci.core.spend import ModelSpend
from gepa_ci.reports import render, result_document
from gepa_ci.reports.links import Links
from gepa_ci.reports.posts.filters import cut_diff
from gepa_ci.reports.posts.markdown import MAX_CHARS, SUMMARY, render_markdown

VERDICTS = {
    *("promote", "hold", "improved", "pass", "regression", "inconclusive", "ruler changed"),
    "mean score",
    "unchanged",
}


def markdown(result: RunResult) -> str:
    return render(result_document(result, texts=True), "markdown")


def changed(result: RunResult, **fields: Any) -> RunResult:
    return replace(result, tasks=(replace(result.tasks[0], **fields),))


@pytest.mark.parametrize("name", [n for n in SAMPLES if n not in ("nothing", "gate_three_tasks")])
def test_first_three_lines_are_enough_to_decide(name: str) -> None:
    head, effect, cost, *_ = filter(None, markdown(SAMPLES[name]()).split("\n"))

    assert any(f": {verdict}" in head for verdict in VERDICTS)
    assert re.match(r"((\$[0-9.]+|Dollars unknown) for [0-9,]+ calls|No call was made)", cost)
    assert effect.startswith(
        (
            "Mean score **",
            "Held: ",
            "The prompt file is the same",
            "The held-out examples are used up",
            "The ruler changed: ",
            "Nothing could be compared.",
            "The search was stopped by hand",
        )
    )


def test_figures_of_the_val_screen_are_not_said_to_be_held_out() -> None:
    text = markdown(SAMPLES["hold_val_screen"]())

    assert "on 40 val examples." in text.split("\n")[2]
    assert "held-out examples and" not in text


def test_report_has_no_text_of_an_example_even_from_a_result_with_texts() -> None:
    for make in SAMPLES.values():
        assert "teapot" not in markdown(make())
        assert "Marta" not in markdown(make())


def test_example_accumulation_is_never_called_reflection() -> None:
    assert "reflection" not in markdown(SAMPLES["promote_by_examples"]())


def test_long_diff_is_cut_and_the_report_says_so() -> None:
    change = PromptChange(path="p.md", before="", after="word " * 19 + "\n" + "line\n" * 60_000)
    text = markdown(changed(gate_regression(), changes=(change,)))

    assert len(text) <= MAX_CHARS
    assert "more lines of the diff left out here." in text
    assert text.count("```") % 2 == 0


def test_diff_of_one_endless_line_is_left_out_whole() -> None:
    change = PromptChange(path="p.md", before="", after="x" * 200_000)
    text = markdown(changed(gate_regression(), changes=(change,)))

    assert len(text) <= MAX_CHARS
    assert "lines of the diff left out here." in text


def test_many_tasks_are_cut_to_the_summary_and_some_sections() -> None:
    task = replace(gate_regression().tasks[0], reasons=("a & b " * 200,) * 20)
    tasks = tuple(replace(task, name=f"task {n} " + "~" * 500) for n in range(120))
    text = markdown(replace(gate_regression(), tasks=tasks))

    assert len(text) <= MAX_CHARS
    assert "more tasks left out here" in text
    assert text.startswith("## gepa-ci gate: 120 regression")


@settings(max_examples=4, deadline=None)
@given(st.sampled_from(["~", "<a", "`", "|", "\u202e"]), st.integers(1, 60))
def test_report_is_never_too_long(text: str, n: int) -> None:
    long = text * 5_000
    result = changed(
        promote(),
        name=long,
        reasons=(long,) * n,
        notes=(long,) * n,
        written=(long,) * n,
        phases=dict.fromkeys((f"{i}{long}" for i in range(n)), 1.0),
        changes=(PromptChange(path=long, before="", after=f"{long}\n" * n),) * n,
    )

    rendered = markdown(replace(result, replay=long, versions={long: long}))

    assert len(rendered) <= MAX_CHARS


def test_report_of_nothing_but_long_names_is_not_too_long() -> None:
    long = "~" * 600
    spent = tuple(
        ModelSpend(purpose=f"{n}{long}", model=f"{n}{long}", usage=promote().spend)
        for n in range(12)
    )
    task = changed(promote(), spend_by_model=spent, model=long).tasks[0]
    tasks = tuple(replace(task, verdict=f"{n}{'~' * 600}") for n in range(30))

    text = markdown(replace(promote(), tasks=tasks))

    assert len(text) <= MAX_CHARS


def test_cut_diff_ends_with_a_whole_line() -> None:
    assert cut_diff("a\nbb\nccc", 100) == ("a\nbb\nccc", 0)
    assert cut_diff("a\nbb\nccc", 5) == ("a\nbb", 1)
    assert cut_diff("a\nbb\nccc", 1) == ("", 3)


def test_carriage_return_is_shown_when_it_is_news_only() -> None:
    same = PromptChange(path="p", before="a\r\nb\r\n", after="a\r\nc\r\n")
    news = PromptChange(path="p", before="a\nb\n", after="a\r\nb\n")

    assert "\\r" not in markdown(changed(gate_regression(), changes=(same,)))
    assert "+a\\r\n" in markdown(changed(gate_regression(), changes=(news,)))


def test_missing_examples_are_told() -> None:
    task = gate_regression().tasks[0]
    assert task.comparison is not None

    one = changed(gate_regression(), comparison=replace(task.comparison, missing=1))
    two = changed(gate_regression(), comparison=replace(task.comparison, missing=2))

    assert "- 1 example left out, as its calls failed." in markdown(one)
    assert "- 2 examples left out, as their calls failed." in markdown(two)


def test_more_files_and_candidates_than_fit_are_counted() -> None:
    change = PromptChange(path="p", before="a\n", after="b\n")
    run = promote().tasks[0].optimization
    assert run is not None
    many = replace(run, candidates=run.candidates * 5)

    text = markdown(changed(promote(), changes=(change,) * 12, optimization=many))

    assert ", `p` and 2 more.\n" in text
    assert "2 more files left out here." in text
    assert "5 more candidates left out here." in text


def test_candidate_that_never_reached_val_has_no_mean() -> None:
    run = hold_no_improvement().tasks[0].optimization
    assert run is not None
    unscored = replace(run, candidates=(replace(run.candidates[1], val_scores={}),))

    text = markdown(changed(hold_no_improvement(), optimization=unscored))

    assert "| 1 | reflection | 0 |  | `mail-201`" in text


def test_result_without_versions_and_replay_is_short() -> None:
    text = markdown(replace(gate_regression(), versions={}, replay=""))

    assert "Run it again" not in text


def test_effect_without_the_evaluations_is_still_shown() -> None:
    text = markdown(changed(gate_regression(), baseline=None, candidate=None))

    assert "| | Baseline | Candidate |" in text


def test_table_of_tasks_says_of_how_many_examples() -> None:
    result = SAMPLES["gate_stopped_early"]()
    text = markdown(replace(result, tasks=result.tasks * 2))

    assert "| -0.049 to +0.049 | 57 of 200 |" in text


def test_trials_of_an_earlier_run_are_not_guessed() -> None:
    text = markdown(SAMPLES["hold_answered_before"]())

    assert "trial each" not in text
    assert "Trials each" not in text


def test_ledger_that_keeps_nothing_is_not_mentioned() -> None:
    assert "No record is kept" not in markdown(SAMPLES["promote_by_examples"]())


def test_only_a_promotion_says_what_to_expect_in_use() -> None:
    assert "Expected in use: about +0.26 (drawn towards 0" in markdown(promote())
    assert "Expected in use" not in markdown(SAMPLES["hold_confirm"]())


def test_summary_shows_more_than_a_comment_has_room_for() -> None:
    change = PromptChange(path="p.md", before="", after="a line of the prompt\n" * 5_000)
    document = result_document(changed(gate_regression(), changes=(change,)), texts=True)

    report, summary = render_markdown(document), render_markdown(document, room=SUMMARY)

    assert "of the diff left out here." in report
    assert len(report) <= MAX_CHARS
    assert "left out here" not in summary
    assert summary.count("| 1.00 | 0.00 | -1.00 |") == 14


def test_summary_is_never_longer_than_a_forge_takes() -> None:
    change = PromptChange(path="p.md", before="", after="\u4e00" * 60 + "\n")
    many = replace(change, after=change.after * 20_000)
    document = result_document(changed(gate_regression(), changes=(many,) * 30), texts=True)

    assert len(render_markdown(document, room=SUMMARY).encode()) <= 2**20


def test_long_tables_lead_to_the_whole_result() -> None:
    document = result_document(gate_regression(), texts=False)
    links = Links(page="https://forge.example/page", artifact="https://forge.example/whole")

    assert "All 19 are in the whole result." in render_markdown(document)
    assert "All 19 are in [the whole result](https://forge.example/page)." in render_markdown(
        document, links=links
    )


def test_search_is_drawn_where_there_is_room() -> None:
    text = markdown(promote())
    run = promote().tasks[0].optimization
    assert run is not None
    alone = replace(run, candidates=run.candidates[:1], best=0, edits=())

    assert text.count("```mermaid\n") == 2
    assert "```mermaid" not in markdown(changed(promote(), optimization=alone))
    assert "```mermaid" not in markdown(replace(promote(), tasks=promote().tasks * 40))


def test_report_of_a_gate_says_what_it_means_for_merging() -> None:
    assert markdown(gate_regression()).startswith(
        "## orders: regression. The head prompt scores lower. Do not merge it as it is\n"
    )
    assert markdown(promote()).startswith(
        "## orders: promote. The candidate is better and is now in the file\n"
    )


def test_tasks_come_worst_first_in_table_and_sections() -> None:
    text = markdown(SAMPLES["gate_three_tasks"]())

    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)[:3] == ["triage", "summary", "orders"]
    assert re.findall(r"^## (\w+): ", text, re.MULTILINE) == ["triage", "summary", "orders"]


def test_guard_without_a_value_shows_none() -> None:
    text = markdown(SAMPLES["gate_guard_undecided"]())

    assert "| `latency` | no value | no value |  | +10% | inconclusive |" in text
