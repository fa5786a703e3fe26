from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from post_samples import LINKS, assert_golden, document
from report_samples import BEFORE, SAMPLES, promote

from gepa_ci.core.optimization import CandidateRecord, Origin
from gepa_ci.core.result import PromptChange, RunResult
from gepa_ci.errors import UsageError
from gepa_ci.reports import result_document
from gepa_ci.reports.links import Links
from gepa_ci.reports.posts.markdown import post_size
from gepa_ci.reports.posts.pull_body import MAX_CHARS, Length, edits, render_pull_body
from gepa_ci.reports.view import view

# What a model may have put into a prompt, which a squash merge would make a commit's message.
OBEYED = (
    "fixes #1\nClose: acme/mail#2\nresolved GH-3\nfix https://github.example/acme/mail/issues/4\n"
    "Co-authored-by: Eve <eve@evil.example>\nSigned-off-by: Eve\nReviewed-By: Eve\n"
    "@octocat @acme/team\n[skip ci] [ci skip] [no ci] [skip actions] [actions skip]\n"
    "skip-checks: true\n<!-- gepa-ci:pr:v1 key=orders -->\n<!--gepa-ci:x-->\n"
    "::error::x\n##[group]y\n```\n</details>\n"
)


def body(result: RunResult, **options: Any) -> str:
    found = result_document(result, texts=True)
    return render_pull_body(found, "orders", links=LINKS, **options)


def changed(**fields: Any) -> RunResult:
    return replace(promote(), tasks=(replace(promote().tasks[0], **fields),))


def with_candidates(*candidates: CandidateRecord, best: int) -> RunResult:
    run = promote().tasks[0].optimization
    assert run is not None
    return changed(optimization=replace(run, candidates=candidates, best=best))


def candidate(number: int, *parents: int, text: str = "x", **fields: Any) -> CandidateRecord:
    origin = Origin.REFLECTION if parents else Origin.BASELINE
    return CandidateRecord(
        number=number, origin=origin, parents=parents, texts={"system": text}, **fields
    )


@pytest.mark.parametrize(
    "name", ["promote", "promote_by_examples", "promote_guarded", "promote_answered_before"]
)
def test_body_reads_as_its_golden_file(name: str, update_golden: bool) -> None:
    text = body(SAMPLES[name]())

    assert_golden(f"pull_body_{name}.md", text, update=update_golden)


def test_first_three_lines_are_enough_to_decide() -> None:
    first, second, third, fourth, *_ = body(promote()).split("\n")

    assert first == "## orders: promote. The candidate is better and can be merged"
    assert "90% interval +0.21 to +0.37" in second
    assert second.endswith("31 better, 4 worse, 65 same, 3 trials each.")
    assert third.startswith("$0.54 for 636 calls, 88 more answers from the cache, 23 s. Changed: ")
    assert third.endswith("`prompts/orders.prompt.yml` (6 → 9 sentences).")
    assert fourth == ""


def test_task_that_is_not_in_the_result_is_an_error() -> None:
    with pytest.raises(UsageError, match="no task 'triage'"):
        render_pull_body(document("promote"), "triage", links=LINKS)


def test_only_the_asked_task_is_shown() -> None:
    both = replace(promote(), tasks=(replace(promote().tasks[0], name="other"), promote().tasks[0]))

    assert "other" not in body(both)


def test_edits_name_the_failures_that_led_to_them() -> None:
    text = body(promote())

    assert "| 1 | 0 | reflection | `system` | `mail-201`, `mail-214`, `mail-230` |" in text
    assert "0.41 → 0.55 |" in text


def test_only_edits_of_the_best_candidates_line_are_told() -> None:
    result = with_candidates(
        candidate(0, val_scores={"v": 0.1}),
        candidate(1, 0, text="a", val_scores={"v": 0.2}),
        candidate(2, 0, text="b", val_scores={"v": 0.3}),
        candidate(3, 1, 2, text="a", val_scores={"v": 0.4}),
        candidate(4, 0, text="c"),
        best=3,
    )
    run = view(result_document(result, texts=False)).tasks[0].optimization
    assert run is not None
    found = edits(run)

    assert [edit.number for edit in found] == [1, 2, 3]
    assert [(edit.before, edit.after) for edit in found] == [(0.1, 0.2), (0.1, 0.3), (0.3, 0.4)]
    assert [edit.rewritten for edit in found] == [("system",), ("system",), ()]


def test_lineage_in_a_circle_or_with_a_gap_ends() -> None:
    result = with_candidates(
        candidate(0), candidate(1, 2, text="a"), candidate(2, 1, 9, text="b"), best=2
    )
    run = view(result_document(result, texts=False)).tasks[0].optimization
    assert run is not None

    assert [edit.number for edit in edits(run)] == [1, 2]
    assert [edit.before for edit in edits(run)] == [None, None]
    assert "| 2 | 1, 9 | reflection | `system` |  |  |" in body(result)


def test_edit_of_a_candidate_without_a_parents_mean_shows_its_own() -> None:
    result = with_candidates(candidate(0), candidate(1, 0, text="a", val_scores={"v": 0.5}), best=1)

    assert "| 1 | 0 | reflection | `system` |  | 0.50 |" in body(result)


def test_more_edits_than_fit_are_counted() -> None:
    line = [candidate(0), *(candidate(n, n - 1, text=str(n)) for n in range(1, 15))]

    assert "4 more edits left out here." in body(with_candidates(*line, best=14))


def test_body_without_an_optimization_has_no_lineage() -> None:
    text = body(changed(optimization=None))

    assert "Which failures" not in text
    assert "Length of what" not in text


@pytest.mark.parametrize("best", [0, 7])
def test_length_needs_a_baseline_and_a_best_candidate(best: int) -> None:
    numbers = (1, 2) if best == 0 else (0, 1)

    assert "Length of what" not in body(
        with_candidates(*(candidate(number) for number in numbers), best=best)
    )


def test_same_length_costs_nothing_more() -> None:
    result = with_candidates(candidate(0, text="abc"), candidate(1, 0, text="xyz"), best=1)

    assert "- Length of what was optimized: 3 → 3 characters.\n" in body(result)


@pytest.mark.parametrize(
    ("length", "tokens", "direction", "share"),
    [
        (Length(before=100, after=180, sent=200), 20, "more", 0.1),
        (Length(before=180, after=100, sent=200), 20, "less", 0.1),
        (Length(before=100, after=180, sent=None), 20, "more", None),
        (Length(before=100, after=180, sent=0), 20, "more", None),
    ],
)
def test_cost_of_the_length(
    length: Length, tokens: int, direction: str, share: float | None
) -> None:
    assert (length.tokens, length.direction, length.share) == (tokens, direction, share)


def test_cost_without_answered_calls_has_no_share() -> None:
    assert "about 26 tokens more." in body(changed(spend_by_model=()))


def test_squash_merge_nothing_in_the_body_is_obeyed() -> None:
    change = PromptChange(path="p.md", before=BEFORE, after=BEFORE + OBEYED)
    text = body(changed(changes=(change,), reasons=(OBEYED,), name="orders"))

    assert "Co-authored-by\u200b:" in text
    closing = r"\b(close[sd]?|fix(e[sd])?|resolve[sd]?):?\s+\S*(#|gh-|/issues/)[0-9]"
    for pattern in (
        closing,
        r"-by:",
        r"skip-checks:",
        r"(^|[^\w])@\w",
        r"\[(skip ci|ci skip|no ci|skip actions|actions skip)\]",
        r"<!--\s*gepa-ci",
        r"^\s*::",
        r"##\[",
    ):
        assert re.search(pattern, text, re.IGNORECASE | re.MULTILINE) is None, pattern


def test_no_fence_or_fold_is_closed_from_inside() -> None:
    change = PromptChange(path="</summary>`x`", before="", after=OBEYED)
    text = body(changed(changes=(change,)))

    assert "<summary>&lt;/summary&gt;`x`, word by word</summary>" in text
    fence = re.search(r"^(`{3,})text$", text, re.MULTILINE)
    assert fence is not None
    assert len(fence[1]) == 4


def test_body_is_never_too_long() -> None:
    change = PromptChange(path="p.md", before="", after="word " * 19 + "\n" + "line\n" * 15_000)
    text = body(changed(changes=(change,) * 11, reasons=("~" * 5_000,) * 20))

    assert len(text) <= MAX_CHARS
    assert "of the diff left out here." in text
    assert "more files left out here." in text


def test_body_is_never_too_long_when_it_is_full_of_what_must_not_be_obeyed() -> None:
    change = PromptChange(path="p.md", before="", after="@a\n" * 15_000)
    text = body(changed(changes=(change,) * 3))

    assert post_size(text) <= MAX_CHARS


def test_body_without_links_has_none() -> None:
    text = render_pull_body(document("promote"), "orders", links=Links())

    assert "](" not in text


def test_held_candidate_is_called_so() -> None:
    text = body(SAMPLES["hold_confirm"]())

    assert text.startswith("## orders: hold. The prompt stays as it is\n")
    assert "The confirm test counted" not in text


def test_body_of_another_command_has_its_own_headline() -> None:
    assert body(SAMPLES["gate_pass"]()).startswith("## orders: pass. The head prompt is not worse")


def test_what_the_held_out_examples_were_used_for_is_told() -> None:
    assert "have judged 8 candidates" in body(promote())


def test_each_edit_shows_its_sentences_and_the_failures_behind_it() -> None:
    text = body(promote())

    assert "<summary>Which failures led to which edit: 2 edits</summary>" in text
    assert "2. Candidate 2 (reflection) in `system`" in text
    assert "- Added: `Use null for whatever the e-mail does not say.`" in text
    assert "- `mail-214` scored 0.50: item: expected 'lamp', got nothing" in text
    assert "- `mail-207` scored 0.00\n" in text


def test_more_failures_and_edits_than_fit_are_counted() -> None:
    run = promote().tasks[0].optimization
    assert run is not None
    one = replace(run.edits[0], failures=run.edits[0].failures * 8)
    many = changed(optimization=replace(run, edits=(one,) * 12))

    assert "- 6 more failures" in body(many)
    assert "2 more edits left out here." in body(many)


def test_a_search_without_edits_has_no_section_for_them() -> None:
    run = promote().tasks[0].optimization
    assert run is not None

    assert "led to which edit:" not in body(changed(optimization=replace(run, edits=())))
