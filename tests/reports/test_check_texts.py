from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from post_samples import assert_golden, document
from report_samples import EMAIL, SAMPLES, evaluation, gate_regression

from gepa_ci.core.result import PromptChange, RunResult
from gepa_ci.errors import Problem
from gepa_ci.reports import result_document
from gepa_ci.reports.diff import unified_diff
from gepa_ci.reports.outcome import Ending, Mode, Outcome, Stance
from gepa_ci.reports.posts.check import (
    MAX_SUMMARY,
    CheckText,
    changed_lines,
    check_of,
    check_of_nothing,
    check_without_verdict,
)

OBSERVE = Stance(mode=Mode.OBSERVE)
GOLDENS = ("gate_regression", "gate_inconclusive", "gate_improved", "gate_three_tasks", "nothing")


def as_text(check: CheckText) -> str:
    """Write a check as a reviewer sees it: the summary has golden files of its own."""
    shown = {**asdict(check), "summary": check.summary.split("\n")[:3]}
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode() + "\n"


def check(result: RunResult, **options: Any) -> CheckText:
    return check_of(result_document(result, texts=True), **options)


def regression(**fields: Any) -> RunResult:
    return replace(gate_regression(), tasks=(replace(gate_regression().tasks[0], **fields),))


@pytest.mark.parametrize("name", GOLDENS)
def test_check_reads_as_its_golden_file(name: str, update_golden: bool) -> None:
    assert_golden(f"check_{name}.json", as_text(check(SAMPLES[name]())), update=update_golden)


def test_remark_stands_on_the_changed_lines_and_names_what_got_worse() -> None:
    (remark,) = check(gate_regression()).remarks

    assert (remark.path, remark.start_line, remark.end_line) == ("prompts/orders.prompt.yml", 4, 6)
    assert "mail-065 (1.00 → 0.00)" in remark.message
    assert (remark.level, remark.title) == ("failure", "orders: regression")


def test_remark_in_observe_mode_warns_only() -> None:
    found = check(gate_regression(), stance=OBSERVE)

    assert found.outcome is Outcome.NEUTRAL
    assert [remark.level for remark in found.remarks] == ["warning"]


def test_remark_on_a_better_prompt_tells_what_got_worse_without_alarm() -> None:
    (remark,) = check(SAMPLES["gate_improved"]()).remarks

    assert remark.level == "notice"
    assert remark.message.count("mail-") == 4


def test_prompt_that_lost_nothing_has_no_remark() -> None:
    assert check(SAMPLES["gate_pass"]()).remarks == ()


def test_undecided_prompt_without_a_loss_has_a_remark_without_ids() -> None:
    task = SAMPLES["gate_inconclusive"]().tasks[0]
    found = check(replace(gate_regression(), tasks=(replace(task, baseline=None, candidate=None),)))

    assert [remark.level for remark in found.remarks] == ["warning"]
    assert "got worse" not in found.remarks[0].message


def test_verdict_without_figures_has_no_remark() -> None:
    assert check(regression(comparison=None)).remarks == ()


def test_proposal_has_no_remark_as_its_lines_are_not_in_this_commit() -> None:
    assert check(SAMPLES["promote"]()).remarks == ()


def test_file_without_a_changed_line_has_no_remark() -> None:
    assert check(regression(changes=(PromptChange(path="p", before="a", after="a"),))).remarks == ()


def test_many_examples_are_cut_and_counted() -> None:
    worse = evaluation([(0.0,)] * 50)
    found = check(regression(baseline=evaluation([(1.0,)] * 50), candidate=worse))

    assert found.remarks[0].message.count("mail-") == 20
    assert found.remarks[0].message.endswith(" and 30 more.")


def test_no_text_of_an_example_is_in_a_check() -> None:
    leaking = PromptChange(path="p.md", before="Read it.\n", after=EMAIL.format(number=1001))
    found = check(regression(changes=(leaking,)))

    assert found.remarks[0].start_line == 1
    assert "teapot" not in str(asdict(found))


def test_nothing_in_a_name_or_id_is_a_command_or_breaks_the_line() -> None:
    hostile = "::error::x\n##[group]\u202e\x1b[31m"
    examples = evaluation([(0.0,)])
    before = replace(evaluation([(1.0,)]), examples=(replace(examples.examples[0], id=hostile),))
    after = replace(examples, examples=before.examples)
    found = check(regression(name=hostile, baseline=before, candidate=after))
    text = f"{found.title}\n{found.remarks[0].title}\n{found.remarks[0].message}\n{found.summary}"

    assert all(not line.lstrip().startswith("::") for line in text.splitlines())
    assert "##[" not in text
    assert "\u202e" not in text
    assert found.remarks[0].message.count("\n") == 1


def test_title_tells_the_verdict_and_the_effect() -> None:
    assert check(gate_regression()).title == "orders: regression, 0.533 → 0.377 (-0.157)"
    unchanged = "orders: unchanged. The prompt is the same on base and head"
    assert check(SAMPLES["gate_unchanged"]()).title == unchanged
    assert check(SAMPLES["gate_calls_failed"]()).title == (
        "orders: inconclusive. Calls failed, so run it again"
    )
    assert check(SAMPLES["gate_three_tasks"]()).title == "1 regression, 1 inconclusive, 1 pass"


def test_title_and_summary_are_never_too_long() -> None:
    found = check(regression(name="~" * 5_000, reasons=("~" * 5_000,) * 50))

    assert len(found.title) <= 255
    assert len(found.summary) <= MAX_SUMMARY


def test_run_over_budget_is_neutral_and_says_so() -> None:
    problem = Problem(message="the cap of $2.00 is reached", hint="raise `spend.usd`")
    found = check_without_verdict((problem,), ending=Ending.OVER_BUDGET)

    assert found.outcome is Outcome.NEUTRAL
    assert found.title == "No verdict: the spend cap was reached"
    assert found.summary.startswith("the cap of &#36;2.00 is reached. **The check is neutral.**")
    assert found.remarks == ()


def test_failed_run_is_remarked_where_the_problem_is() -> None:
    problems = (
        Problem(path="gepa-ci.yml", line=4, message="unknown metric 'x'", hint="see the docs"),
        Problem(path="gepa-ci.yml", message="no line"),
        Problem(path="gepa-ci.yml", line=0, message="line zero"),
        Problem(message="no file", line=3),
    )
    found = check_without_verdict(problems)
    (remark,) = found.remarks

    assert found.outcome is Outcome.FAILURE
    assert (remark.path, remark.start_line, remark.end_line) == ("gepa-ci.yml", 4, 4)
    assert remark.message == "unknown metric 'x'.\nsee the docs."
    assert remark.level == "failure"
    assert check_without_verdict(problems, stance=OBSERVE).remarks[0].level == "warning"


def test_nothing_to_do_is_neutral() -> None:
    found = check_of_nothing("No prompt changed.")

    assert found.outcome is Outcome.NEUTRAL
    assert found.summary == "No prompt changed. The check is neutral.\n"


@pytest.mark.parametrize(
    ("before", "after", "places"),
    [
        ("a\nb\nc\n", "a\nX\nc\n", ((2, 2),)),
        ("a\nb\nc\n", "a\nX\nY\nc\n", ((2, 3),)),
        ("a\nb\nc\n", "a\nc\n", ((1, 1),)),
        ("a\nb\n", "b\n", ((1, 1),)),
        ("a\n", "", ((1, 1),)),
        ("", "a\nb\n", ((1, 2),)),
        ("a", "b", ((1, 1),)),
        ("a\nb", "a\nb\n", ((2, 2),)),
        ("a\nb\nc\nd\n", "X\nb\nc\nY\n", ((1, 1), (4, 4))),
        ("a\n", "a\n", ()),
    ],
)
def test_changed_places_are_numbered_as_in_the_new_file(
    before: str, after: str, places: tuple[tuple[int, int], ...]
) -> None:
    assert changed_lines(unified_diff("p", before, after)) == places


@given(
    st.lists(st.sampled_from("abcd"), max_size=30), st.lists(st.sampled_from("abcd"), max_size=30)
)
def test_every_new_line_is_in_a_changed_place(before: list[str], after: list[str]) -> None:
    texts = ["".join(f"{line}\n" for line in lines) for lines in (before, after)]
    diff = unified_diff("p", *texts)
    inside = {n for first, last in changed_lines(diff) for n in range(first, last + 1)}
    kept = [line for number, line in enumerate(after, 1) if number not in inside]
    added = sum(line.startswith("+") for line in diff.split("\n")[2:])

    assert len(inside) >= added
    assert len(kept) <= len(before)
    assert inside <= set(range(1, max(len(after), 1) + 1))


def test_document_that_is_posted_gives_the_same_check() -> None:
    assert check_of(document("gate_regression")) == check(gate_regression())


def test_a_check_names_the_guards_that_block() -> None:
    found = check(SAMPLES["gate_guard_regression"]())
    (remark,) = found.remarks

    assert found.title == "orders: regression, 0.533 → 0.533 (0.00), worse on latency"
    assert found.outcome is Outcome.FAILURE
    assert "The guard 'latency' is worse: its mean went from 0.841 s to 1.1 s" in remark.message
    assert "contains" not in remark.message


def test_a_remark_says_of_how_many_examples_and_how_many_are_left_out() -> None:
    task = gate_regression().tasks[0]
    assert task.comparison is not None
    stopped = replace(task, planned=400, comparison=replace(task.comparison, missing=2))
    (remark,) = check(replace(gate_regression(), tasks=(stopped,))).remarks

    assert "on 100 of 400 held-out examples.\n2 examples left out, as their calls" in remark.message
