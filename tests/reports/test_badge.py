from __future__ import annotations

import json
from dataclasses import replace

import pytest
import report_samples as samples

from gepa_ci.errors import UsageError
from gepa_ci.reports import result_document, words
from gepa_ci.reports.posts.badge import Badge, badge_of


@pytest.mark.parametrize(
    ("sample", "ending", "color"),
    [
        ("promote", ", promote", "brightgreen"),
        ("gate_improved", ", improved", "brightgreen"),
        ("gate_pass", ", pass", "green"),
        ("gate_regression", ", regression", "red"),
        ("gate_inconclusive", ", inconclusive", "yellow"),
        ("evaluated", "", "blue"),
    ],
)
def test_a_badge_shows_score_examples_and_verdict(sample: str, ending: str, color: str) -> None:
    result = getattr(samples, sample)()
    badge = badge_of(result_document(result, texts=True), result.tasks[0].name)

    side = result.tasks[0].candidate
    assert badge.label == f"prompt {result.tasks[0].name}"
    assert badge.message == f"{words.score(side.mean)} on {len(side.examples)} examples{ending}"
    assert badge.color == color


def test_a_held_candidate_leaves_the_score_of_what_is_in_force() -> None:
    result = samples.hold_confirm()
    baseline = result.tasks[0].baseline
    assert baseline is not None

    badge = badge_of(result_document(result, texts=True), result.tasks[0].name)

    assert badge.message.startswith(f"{words.score(baseline.mean)} on ")


def test_what_was_not_measured_is_grey() -> None:
    result = samples.gate_unchanged()

    badge = badge_of(result_document(result, texts=True), result.tasks[0].name)

    assert (badge.message, badge.color) == ("not measured", "lightgrey")


def test_a_changed_ruler_is_no_score() -> None:
    result = samples.gate_ruler_changed()

    badge = badge_of(result_document(result, texts=True), result.tasks[0].name)

    assert (badge.message, badge.color) == ("ruler changed", "yellow")


def test_a_name_is_cut_and_made_visible() -> None:
    result = samples.evaluated()
    name = f"\u202e{'n' * 100}"
    named = replace(result, tasks=(replace(result.tasks[0], name=name),))

    badge = badge_of(result_document(named, texts=True), name)

    assert len(badge.label) <= len("prompt ") + 60
    assert "\u202e" not in badge.label


def test_a_badge_is_what_shields_reads() -> None:
    document = Badge(label="prompt x", message="0.50", color="blue").document()

    assert json.loads(json.dumps(document)) == {
        "schemaVersion": 1,
        "label": "prompt x",
        "message": "0.50",
        "color": "blue",
    }


def test_a_task_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UsageError, match="no task 'x'"):
        badge_of(result_document(samples.evaluated(), texts=True), "x")


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ("promote_answered_before", "0.83 on 100 examples, promote"),
        ("hold_answered_before", "0.533 on 100 examples"),
        ("gate_stopped_early", "0.398 on 57 examples, pass"),
        ("hold_val_screen", "not measured"),
        ("hold_used_up", "not measured"),
    ],
)
def test_a_badge_has_the_figures_of_the_report_unless_they_are_of_val(
    sample: str, message: str
) -> None:
    result = getattr(samples, sample)()

    assert badge_of(result_document(result, texts=True), "orders").message == message
