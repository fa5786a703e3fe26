from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from report_samples import promote

from gepa_ci.reports import result_document, view
from gepa_ci.reports.posts.mermaid import MOST, lineage_diagram, progress_diagram
from gepa_ci.reports.view.model_optimization import Candidate, Optimization


def optimization(**changes: Any) -> Optimization:
    found = view(result_document(promote(), texts=False)).tasks[0].optimization
    assert found is not None
    return replace(found, **changes)


def candidate(number: int, *parents: int, **changes: Any) -> Candidate:
    made = Candidate(
        number=number,
        origin="reflection",
        parents=parents,
        val_mean=0.5,
        metric_calls=10 * number,
        best=False,
        examples=("]; click c0 alert",),
        rewritten=("system",),
        characters=9,
    )
    return replace(made, **changes)


def test_lineage_shows_scores_parents_and_the_best() -> None:
    lines = lineage_diagram(optimization()).split("\n")

    assert lines == [
        "flowchart TD",
        *('  c0["0: 0.41"]', '  c1["1: 0.55"]', '  c2["2: 0.70"]'),
        *("  c0 --> c1", "  c1 --> c2"),
        "  classDef best stroke-width:4px,font-weight:bold",
        "  class c2 best",
    ]


def test_lineage_of_many_keeps_the_line_of_the_best() -> None:
    many = [candidate(n, 0) for n in range(1, 99)]
    last = candidate(99, 98, 0, best=True, val_mean=None)
    text = lineage_diagram(optimization(candidates=(candidate(0), *many, last)))

    assert text.count('["') == MOST
    assert '  c99["99: no score"]' in text
    assert {"  c98 --> c99", "  c0 --> c99", "  c0 --> c98"} <= set(text.split("\n"))


def test_lineage_in_a_circle_or_without_a_best_one_ends() -> None:
    text = lineage_diagram(optimization(candidates=(candidate(1, 2, 2), candidate(2, 1, 7))))

    assert text.split("\n")[3:] == ["  c2 --> c1", "  c1 --> c2"]


def test_fewer_than_two_candidates_are_not_drawn() -> None:
    alone = optimization(candidates=(candidate(0, best=True),))
    unscored = optimization(candidates=(candidate(0), candidate(1, 0, val_mean=None)))
    still = optimization(candidates=(candidate(0), candidate(0)), metric_calls=0)

    assert lineage_diagram(alone) == progress_diagram(alone) == ""
    assert progress_diagram(unscored) == progress_diagram(still) == ""


def test_progress_is_the_best_so_far_at_even_distances() -> None:
    run = optimization(
        candidates=(
            candidate(0, val_mean=0.2, metric_calls=40),
            candidate(1, 0, val_mean=0.99, metric_calls=150),
            candidate(2, 0, val_mean=0.1, metric_calls=200),
        ),
        metric_calls=270,
    )
    text = progress_diagram(run)
    (points,) = re.findall(r"line \[(.*)\]", text)

    assert '  x-axis "Metric calls" 40 --> 270\n' in text
    assert '  y-axis "Best mean score on val" 0.150 --> 1.000\n' in text
    assert points.split(", ") == ["0.200"] * 11 + ["0.990"] * 13


def test_diagrams_hold_nothing_that_somebody_else_wrote() -> None:
    hostile = candidate(1, 0, origin='"]; click c0 "javascript:alert(1)"', rewritten=("@octocat",))
    run = optimization(
        candidates=(candidate(0), hostile),
        optimizer="evil",
        frontier=(),
    )

    for text in (lineage_diagram(run), progress_diagram(run)):
        assert re.search("alert|octocat|click|evil", text) is None
