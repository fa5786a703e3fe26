"""Tests of gepa_ci.metrics.program_score, and of what metrics see besides the output."""

from __future__ import annotations

import pytest
from metric_examples import example, metric

from gepa_ci.core.config import MetricSpec
from gepa_ci.core.score import Score, Seen
from gepa_ci.errors import MetricError
from gepa_ci.metrics import build_metric, check_labels


def test_the_programs_own_score_is_the_score() -> None:
    score = Score(value=0.5, feedback="half", parts={"a": 1.0})

    assert metric("program")(example(), "x", Seen(score=score)) == score


@pytest.mark.parametrize("seen", [None, Seen()])
def test_a_program_without_a_score_is_an_error(seen: Seen | None) -> None:
    with pytest.raises(MetricError, match="the program gave no score for example 'e1'"):
        metric("program")(example(), "x", seen)


def test_the_programs_score_needs_no_labels() -> None:
    built = metric("program")

    assert check_labels(built, [example(labelled=False)]) == ()
    assert built.label_problem(example()) is None


def test_it_can_be_weighted_with_others_that_look_at_the_text_alone() -> None:
    both = build_metric(
        (MetricSpec(name="program"), MetricSpec(name="exact_match", weight=3)),
        where="g.yml",
        line=1,
    )

    assert both(example("x"), "x", Seen(score=Score(value=0.0))).value == 0.75
