"""Owns the way from a task of a result document to its optimization in the view model."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gepa_ci.reports.view.model_optimization import (
    Candidate,
    Edit,
    Failure,
    Leaders,
    Optimization,
    Refusal,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.reports.reader import Node


def optimization_of(task: Node) -> Optimization | None:
    """Return how the candidate of a task was found, if one was searched for."""
    node = task.maybe("optimization")
    if node is None:
        return None
    best = node["best"].whole()
    texts = {item["number"].whole(): _texts(item) for item in node["candidates"].items()}
    reasons = Counter(refused["reason"].text() for refused in node["rejections"].items())
    return Optimization(
        optimizer=node["optimizer"].text(),
        proposer=node["proposer"].text(),
        metric_calls=node["metric_calls"].whole(),
        budget=node["budget"].whole(),
        proposals=node["proposals"].whole(),
        stop_reason=node["stop_reason"].text(),
        seed=node["seed"].whole(),
        candidates=tuple(_candidate(item, best, texts) for item in node["candidates"].items()),
        edits=_edits(node),
        frontier=_leaders(node["frontier"]),
        objectives=_leaders(node["objectives"]),
        refusals=tuple(Refusal(reason=r, count=n) for r, n in reasons.most_common()),
        interrupted=node["interrupted"].flag(),
    )


def _leaders(node: Node) -> tuple[Leaders, ...]:
    return tuple(
        Leaders(
            name=leader["name"].text(),
            score=leader["score"].number(),
            candidates=tuple(number.whole() for number in leader["candidates"].items()),
        )
        for leader in node.items()
    )


def _edits(node: Node) -> tuple[Edit, ...]:
    origins = {c["number"].whole(): c["origin"].text() for c in node["candidates"].items()}
    return tuple(
        Edit(
            component=edit["component"].text(),
            removed=edit["removed"].texts(),
            added=edit["added"].texts(),
            candidate=edit["candidate"].whole(),
            origin=origins.get(edit["candidate"].whole(), ""),
            failures=tuple(
                Failure(
                    example=failure["example"].text(),
                    score=failure["score"].number(),
                    feedback=failure["feedback"].text(),
                )
                for failure in edit["failures"].items()
            ),
        )
        for edit in node["edits"].items()
    )


def _texts(node: Node) -> dict[str, str]:
    return {name: text.text() for name, text in node["texts"].entries().items()}


def _candidate(node: Node, best: int, texts: Mapping[int, Mapping[str, str]]) -> Candidate:
    val_mean = node.maybe("val_mean")
    number = node["number"].whole()
    parents = tuple(parent.whole() for parent in node["parents"].items())
    known = [texts[parent] for parent in parents if parent in texts]
    return Candidate(
        number=number,
        origin=node["origin"].text(),
        parents=parents,
        val_mean=None if val_mean is None else val_mean.number(),
        metric_calls=node["metric_calls"].whole(),
        best=number == best,
        examples=node["examples"].texts(),
        rewritten=tuple(
            name
            for name, text in texts[number].items()
            if known and all(parent.get(name) != text for parent in known)
        ),
        characters=node["characters"].whole(),
    )
