"""Owns diagrams of a search in Mermaid's language, which forges draw inside Markdown.

They hold numbers and words of ours only: no name, text or id that somebody else has written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.reports.words import score

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.reports.view.model_optimization import Candidate, Optimization

MOST = 30
"""Most candidates in a diagram; more could not be read."""

# Mermaid's own first colour can hardly be seen on white; this one can on white and on black.
_COLOUR = """%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#2f81f7"}}}}%%"""
_POINTS = 24
_FEWEST = 2
_MARGIN = 0.05


def lineage_diagram(run: Optimization) -> str:
    """Return which candidate was made from which, with their scores; empty below two of them."""
    shown = _telling(run)
    if len(shown) < _FEWEST:
        return ""
    lines = ["flowchart TD"]
    for candidate in shown.values():
        mean = "no score" if candidate.val_mean is None else score(candidate.val_mean)
        lines.append(f'  c{candidate.number}["{candidate.number}: {mean}"]')
    lines += [
        f"  c{parent} --> c{candidate.number}"
        for candidate in shown.values()
        for parent in dict.fromkeys(candidate.parents)
        if parent in shown
    ]
    best = [f"c{candidate.number}" for candidate in shown.values() if candidate.best]
    if best:
        lines += ["  classDef best stroke-width:4px,font-weight:bold", f"  class {best[0]} best"]
    return "\n".join(lines)


def progress_diagram(run: Optimization) -> str:
    """Return the best mean val score so far against metric calls; empty below two candidates."""
    known = sorted(
        (candidate.metric_calls, candidate.val_mean)
        for candidate in run.candidates
        if candidate.val_mean is not None
    )
    if len(known) < _FEWEST:
        return ""
    start, end = known[0][0], max(run.metric_calls, known[-1][0])
    if start >= end:
        return ""
    # A line's points stand at even distances along a numeric axis.
    steps = [start + (end - start) * number / (_POINTS - 1) for number in range(_POINTS)]
    best = [max(mean for calls, mean in known if calls <= step) for step in steps]
    low, high = max(min(best) - _MARGIN, 0.0), min(max(best) + _MARGIN, 1.0)
    return "\n".join(
        (
            _COLOUR,
            "xychart-beta",
            f'  x-axis "Metric calls" {start} --> {end}',
            f'  y-axis "Best mean score on val" {low:.3f} --> {high:.3f}',
            f"  line [{', '.join(f'{mean:.3f}' for mean in best)}]",
        )
    )


def _telling(run: Optimization) -> Mapping[int, Candidate]:
    """Return the candidates that a diagram shows: the best one's line, then the earliest others."""
    known = {candidate.number: candidate for candidate in run.candidates}
    line: dict[int, None] = {}
    waiting = [candidate.number for candidate in run.candidates if candidate.best]
    while waiting:
        number = waiting.pop()
        if number in known and number not in line:
            line[number] = None
            waiting.extend(known[number].parents)
    chosen = set([*line, *(number for number in known if number not in line)][:MOST])
    return {number: known[number] for number in known if number in chosen}
