"""Owns the way from a task of a result document to its examples in the view model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gepa_ci.reports.view.model_examples import Change, Example, Trial

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gepa_ci.core.values import JSON
    from gepa_ci.reports.reader import Node

_PARTS = {"held_out": "held-out"}
# A difference of means below this is rounding of thirds, not a score that changed.
_SAME = 1e-9


def part_in_words(part: str) -> str:
    """Return a part of the suite as prose names it."""
    return _PARTS.get(part, part)


def examples_of(task: Node, *, compared: bool, texts: bool) -> tuple[Example, ...]:
    """Return the examples of a task in suite order, without their texts unless those are wanted."""
    return tuple(_example(node, compared, texts) for node in task["examples"].items())


def worse_of(examples: Iterable[Example]) -> tuple[Example, ...]:
    """Return the examples that got worse, the largest loss first."""
    return _largest_first(e for e in examples if e.change is Change.LOST)


def better_of(examples: Iterable[Example]) -> tuple[Example, ...]:
    """Return the examples that got better, the largest gain first."""
    return _largest_first(e for e in examples if e.change is Change.WON)


def lowest_of(examples: Iterable[Example]) -> tuple[Example, ...]:
    """Return the examples of a lone evaluation below the best score, the lowest first."""
    alone = [(e.after, e) for e in examples if e.change is Change.ALONE and e.after is not None]
    return tuple(e for after, e in sorted(alone, key=lambda p: (p[0], p[1].id)) if after < 1)


def _largest_first(examples: Iterable[Example]) -> tuple[Example, ...]:
    return tuple(sorted(examples, key=lambda e: (-abs(e.difference), e.id)))


def _example(node: Node, compared: bool, texts: bool) -> Example:  # noqa: FBT001 - two plain facts
    baseline = _trials(node, "baseline", texts)
    candidate = _trials(node, "candidate", texts)
    before, after = _mean(baseline), _mean(candidate)
    return Example(
        id=node["id"].text(),
        part=part_in_words(node["part"].text()),
        tags=node["tags"].texts(),
        change=_change(before, after) if compared else Change.ALONE,
        before=before,
        after=after,
        baseline=baseline,
        candidate=candidate,
        inputs=tuple((key, _text(item.value)) for key, item in node["inputs"].entries().items())
        if texts
        else (),
        expected=_text(node["expected"].value) if texts else "",
    )


def _change(before: float | None, after: float | None) -> Change:
    if before is None or after is None:
        return Change.MISSING
    if abs(after - before) <= _SAME:
        return Change.SAME
    return Change.WON if after > before else Change.LOST


def _trials(node: Node, side: str, texts: bool) -> tuple[Trial, ...]:  # noqa: FBT001 - as above
    scores = [item.number() for item in node[side].items()]
    failures = [_text(item.value) for item in node["failures"][side].items()]
    outputs = [_text(item.value) for item in node["outputs"][side].items()] if texts else []
    feedback = [_text(item.value) for item in node["feedback"][side].items()] if texts else []
    return tuple(
        Trial(
            score=score,
            failure=_at(failures, number),
            output=_at(outputs, number),
            feedback=_at(feedback, number),
        )
        for number, score in enumerate(scores)
    )


def _at(texts: list[str], number: int) -> str:
    return texts[number] if number < len(texts) else ""


def _mean(trials: tuple[Trial, ...]) -> float | None:
    return sum(trial.score for trial in trials) / len(trials) if trials else None


def _text(value: JSON) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
