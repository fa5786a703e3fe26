from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from post_samples import assert_golden, document
from report_samples import promote

from gepa_ci.errors import UsageError
from gepa_ci.reports import result_document
from gepa_ci.reports.posts.commit_message import MAX_SUBJECT, commit_message, commit_subject

HOSTILE = [
    "fixes #1",
    "@octocat",
    "x\n\nCo-authored-by: Eve <e@evil.example>",
    "[skip ci]",
    "::add-mask::x ##[group]",
    "<!-- gepa-ci:pr:v1 -->",
    "a\u202eb\x1b[31m",
    "close GH-4",
    "fix https://x.example/a/b/issues/3",
    "é" * 200,
    "w" * 200,
]


def named(name: str) -> dict[str, Any]:
    task = promote().tasks[0]
    run = replace(task.optimization, optimizer=name, proposer=name)  # type: ignore[type-var]
    return result_document(
        replace(promote(), config_digest=name, tasks=(replace(task, name=name, optimization=run),)),
        texts=True,
    )


def test_message_reads_as_its_golden_file(update_golden: bool) -> None:
    text = commit_message(document("promote"), "orders")

    assert_golden("commit_message.txt", text, update=update_golden)


def test_subject_is_the_first_line_and_tells_the_scores() -> None:
    subject = commit_subject(document("promote"), "orders")

    assert subject == "Improve the prompt of orders: 0.533 to 0.83 on held-out"
    assert commit_message(document("promote"), "orders").split("\n")[:2] == [subject, ""]


def test_same_result_gives_the_same_message_however_long_it_took() -> None:
    slower = replace(promote(), seconds=999.0)

    assert commit_message(result_document(slower, texts=True), "orders") == commit_message(
        document("promote"), "orders"
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_in_a_name_is_obeyed(name: str) -> None:
    message = commit_message(named(name), name)
    subject = message.split("\n")[0]

    assert len(subject) <= MAX_SUBJECT
    assert message.isascii()
    assert all(len(line) <= MAX_SUBJECT for line in message.split("\n"))
    for pattern in (
        r"#\d",
        r"@\w",
        r"-by:",
        r"\[skip ci\]",
        r"^\s*::",
        r"##\[",
        "<!--",
        r"[Gg][Hh]-\d",
    ):
        assert re.search(pattern, message, re.MULTILINE) is None, pattern
    assert "://" not in message


def test_nothing_a_model_wrote_is_in_the_message() -> None:
    task = promote().tasks[0]
    canary = "canary-of-a-model"
    run = task.optimization
    assert run is not None
    candidates = tuple(replace(c, texts={"system": canary}) for c in run.candidates)
    rejections = tuple(replace(r, reason=canary, text=canary) for r in run.rejections)
    poisoned = replace(
        task,
        reasons=(canary,),
        notes=(canary,),
        optimization=replace(run, candidates=candidates, rejections=rejections, stop_reason=canary),
    )
    message = commit_message(
        result_document(replace(promote(), tasks=(poisoned,)), texts=True), "orders"
    )

    assert canary not in message


def test_message_without_figures_is_short() -> None:
    bare = replace(promote().tasks[0], comparison=None, optimization=None)
    message = commit_message(
        result_document(replace(promote(), tasks=(bare,)), texts=True), "orders"
    )

    assert message == "Improve the prompt of orders\n"


def test_task_that_is_not_in_the_result_is_an_error() -> None:
    with pytest.raises(UsageError, match="no task"):
        commit_subject(document("promote"), "triage")


def test_trials_of_an_earlier_run_are_not_guessed() -> None:
    message = commit_message(document("promote_answered_before"), "orders")

    assert message.split("\n\n")[1].endswith("4 worse and 65 the same.")
