from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from post_samples import HEAD, LINKS, MARKER, assert_golden, document
from report_samples import SAMPLES, gate_regression

from gepa_ci.errors import Problem
from gepa_ci.reports import result_document
from gepa_ci.reports.links import Links
from gepa_ci.reports.outcome import Ending, Mode, Stance
from gepa_ci.reports.posts.comment import (
    MAX_CHARS,
    render_comment,
    render_failure_comment,
    render_nothing_comment,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.core.result import RunResult

OBSERVE = Stance(mode=Mode.OBSERVE)
PLAIN = Stance()
PROBLEMS = (
    Problem(
        path="gepa-ci.yml",
        line=4,
        message="unknown metric 'exactmatch'",
        hint="did you mean 'exact_match'?",
    ),
    Problem(path="suites/orders.jsonl", message="the file is empty"),
    Problem(message="OPENAI_API_KEY is not set", hint="add it to the secrets"),
)
INFRA = Problem(
    message="the provider answered 429 (rate limit) eight times in a row",
    hint="wait and run it again: what was answered is kept; or lower `concurrency`",
)
UNVERIFIED = (
    (
        "This result was brought by a run of the fork, whose workflow file may have been changed "
        "there. It is shown as it came and has not been verified."
    ),
)
NOTES = ("This pull request changes 'gepa-ci.yml'; it was judged by the base's.",)


def comment(name: str, **options: Any) -> str:
    return render_comment(document(name), links=LINKS, head=HEAD, marker=MARKER, **options)


def comment_on(result: RunResult, **options: Any) -> str:
    found = result_document(result, texts=True)
    return render_comment(found, links=LINKS, head=HEAD, marker=MARKER, **options)


def failure(problems: tuple[Problem, ...], **options: Any) -> str:
    return render_failure_comment(problems, links=LINKS, head=HEAD, marker=MARKER, **options)


GOLDENS: dict[str, Callable[[], str]] = {
    **{f"comment_{name}": partial(comment, name) for name in SAMPLES if name != "nothing"},
    "comment_observe": partial(comment, "gate_regression", stance=OBSERVE, notes=NOTES),
    "comment_unverified": partial(
        comment, "gate_pass", stance=Stance(is_verified=False), notes=UNVERIFIED
    ),
    "failure": partial(failure, PROBLEMS),
    "failure_infra": partial(failure, (INFRA,)),
    "failure_observe": partial(failure, (INFRA,), stance=OBSERVE),
    "failure_over_budget": partial(
        failure,
        (Problem(message="the cap of $2.00 is reached", hint="raise `spend.usd`"),),
        ending=Ending.OVER_BUDGET,
    ),
    "nothing": partial(
        render_nothing_comment,
        "No prompt of a task changed.",
        links=LINKS,
        head=HEAD,
        marker=MARKER,
    ),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_comment_reads_as_its_golden_file(name: str, update_golden: bool) -> None:
    assert_golden(f"{name}.md", GOLDENS[name](), update=update_golden)


@pytest.mark.parametrize("name", GOLDENS)
def test_three_lines_below_the_marker_are_verdict_effect_and_cost(name: str) -> None:
    marker, verdict, effect, cost, fifth, *_ = GOLDENS[name]().split("\n")

    assert marker == MARKER
    assert verdict.startswith("## ")
    assert "he check " in effect
    if name.startswith("comment"):
        assert re.match(r"((\$[0-9.]+|Dollars unknown) for [0-9,]+ calls|No call was made)", cost)
        assert fifth == ""


def test_heading_says_what_the_verdict_means_for_merging() -> None:
    def heading(name: str, stance: Stance = PLAIN) -> str:
        return comment(name, stance=stance).split("\n")[1].rpartition(". ")[2]

    strict = Stance(strict=frozenset({"orders"}))
    assert heading("gate_regression") == "Do not merge it as it is"
    assert heading("gate_regression", OBSERVE) == "Do not merge it as it is"
    assert heading("gate_inconclusive") == "Whether to merge is yours to decide"
    assert heading("gate_inconclusive", strict) == "Do not merge it undecided"
    assert heading("gate_pass") == heading("promote") == "It can be merged"
    assert heading("hold_confirm") == "There is nothing to merge"
    unverified = Stance(is_verified=False)
    assert heading("gate_pass", unverified) == "Not verified, so do not merge on its word"


def test_comment_has_no_diff_as_the_pull_request_shows_one() -> None:
    assert "```diff" not in comment("gate_regression")


def test_comment_has_no_text_of_an_example_even_from_a_result_with_texts() -> None:
    for make in SAMPLES.values():
        text = comment_on(make())

        assert "teapot" not in text
        assert "got nothing" not in text


def test_what_got_worse_is_named_by_its_id() -> None:
    assert "| `mail-065` | 1.00 | 0.00 | -1.00 |" in comment("gate_regression")


def test_the_worst_task_comes_first_and_one_that_passes_is_folded() -> None:
    text = comment("gate_three_tasks")

    assert text.index("### triage") < text.index("### summary") < text.index("<summary>orders:")


def test_link_to_a_proposal_comes_first() -> None:
    links = Links(run="https://github.example/r", proposal="https://github.example/p/9")
    text = render_comment(document("promote"), links=links, head=HEAD, marker=MARKER)

    assert "[Proposed prompt](https://github.example/p/9) · [Run](https://github.example/r)" in text


def test_address_that_is_none_is_no_link() -> None:
    links = Links(run="javascript:alert(1)", artifact="https://x/) [a](https://y")
    text = render_comment(document("promote"), links=links, head=HEAD, marker=MARKER)

    assert "Run · Whole result · commit" in text
    assert "](" not in text


@pytest.mark.parametrize(
    "marker",
    ["", "<!-- other -->", f"{MARKER}\n", "<!-- gepa-ci:a --> b -->", "<!-- gepa-ci:a\n-->"],
)
def test_marker_is_one_comment_on_one_line(marker: str) -> None:
    with pytest.raises(ValueError, match="marker"):
        render_nothing_comment("x", links=LINKS, head=HEAD, marker=marker)


def test_sticky_comment_spoofing_no_field_can_hold_our_marker() -> None:
    fake = "<!-- gepa-ci:comment:v1 state=0 -->"
    task = replace(
        gate_regression().tasks[0], name=fake, reasons=(fake,), notes=(fake,), model=fake
    )
    text = comment_on(replace(gate_regression(), tasks=(task,), replay=fake), notes=(fake,))

    assert len(re.findall(r"<!--\s*gepa-ci", text)) == 1


def test_comment_is_never_too_long_and_says_what_it_leaves_out() -> None:
    task = replace(gate_regression().tasks[0], reasons=("a & b " * 200,) * 20)
    tasks = tuple(replace(task, name=f"task {n} " + "~" * 500) for n in range(120))
    marker = f"<!-- gepa-ci:comment:v1 state={'x' * 5_000} -->"
    text = render_comment(
        result_document(replace(gate_regression(), tasks=tasks), texts=True),
        links=LINKS,
        head=HEAD,
        marker=marker,
        notes=("note " * 300,) * 40,
    )

    assert len(text) <= MAX_CHARS
    assert "more tasks left out here" in text
    assert "more notes left out here" in text
    assert text.count("<details") == text.count("</details>")


def test_failure_is_never_too_long_and_says_what_it_leaves_out() -> None:
    many = tuple(replace(PROBLEMS[0], message="wrong " * 3_000) for _ in range(400))
    text = failure(many)

    assert len(text) <= MAX_CHARS
    assert "390 more problems left out here" in text


def test_failure_without_a_problem_sends_to_the_log() -> None:
    assert "What went wrong is in the log of the run. **The check fails.**" in failure(())


def test_failure_in_observe_mode_blocks_nothing() -> None:
    assert "only observes here" in failure(PROBLEMS, stance=OBSERVE)


def test_strict_task_is_named_when_it_is_undecided() -> None:
    strict = Stance(strict=frozenset({"summary"}))

    assert "Because of `triage` and `summary`" not in comment("gate_three_tasks")
    assert "Because of `triage`, `summary`." in comment("gate_three_tasks", stance=strict)
