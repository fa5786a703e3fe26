"""Tests of what is said of a search that was stopped by hand."""

from __future__ import annotations

from fakes import prompt

from gepa_ci.core.optimization import CandidateRecord, Optimization, Origin
from gepa_ci.pipeline.advice import unproved


def stopped(*means: float) -> Optimization:
    candidates = tuple(
        CandidateRecord(number=number, origin=Origin.REFLECTION, val_scores={"v": mean})
        for number, mean in enumerate(means)
    )
    return Optimization(
        optimizer="gepa",
        proposer="reflection",
        candidate=prompt(),
        best=max(range(len(means)), key=lambda n: means[n], default=0),
        candidates=candidates,
        rejections=(),
        metric_calls=1,
        budget=1,
        proposals=1,
        stop_reason="Stopped by hand.",
        seed=0,
        interrupted=True,
    )


def test_the_best_so_far_is_named_with_the_baseline() -> None:
    (_, best, _) = unproved(stopped(0.25, 0.5, 0.75))

    assert best == ("The best so far is candidate 2, with 0.750 on val; the baseline has 0.250.")


def test_no_better_candidate_is_said_also_before_the_baseline_has_a_score() -> None:
    said = "No candidate so far is better on val than the baseline."

    assert unproved(stopped())[1] == unproved(stopped(0.5, 0.25))[1] == said
