"""Owns the way from a task of a result document to its guards and slices in the view model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.reports.view.model import Guard, Slice

if TYPE_CHECKING:
    from gepa_ci.reports.reader import Node


def guards_of(node: Node) -> tuple[Guard, ...]:
    """Return the guards of a task in the order of the config."""
    return tuple(_guard(guard) for guard in node["guards"].items())


def _guard(node: Node) -> Guard:
    change, n = node.maybe("change"), node["n"].whole()
    before, after = node["baseline_mean"].number(), node["candidate_mean"].number()
    return Guard(
        name=node["name"].text(),
        relative=node["relative"].flag(),
        verdict=node["verdict"].text(),
        # A mean of nothing is written as 0.
        before=before if n else None,
        after=after if n else None,
        change=None if change is None or not n else change.number(),
        tolerated=node["tolerated"].number(),
        n=n,
        reasons=node["reasons"].texts(),
    )


def slices_of(node: Node) -> tuple[Slice, ...]:
    """Return the slices of a task, those that look worse first."""
    found = [_slice(item) for item in node["slices"].items()]
    return tuple(sorted(found, key=lambda item: not item.flagged))


def _slice(node: Node) -> Slice:
    interval = node["interval"]
    return Slice(
        tag=node["tag"].text(),
        n=node["n"].whole(),
        before=node["baseline_mean"].number(),
        after=node["candidate_mean"].number(),
        difference=node["difference"].number(),
        low=interval["low"].number(),
        high=interval["high"].number(),
        level=interval["level"].number(),
        flagged=node["flagged"].flag(),
        sentence=node["sentence"].text(),
    )
