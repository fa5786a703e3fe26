"""Owns what a result document says of a search: its candidates, their edits, who is best where."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gepa_ci.core.optimization import CandidateRecord, Edit, Leaders, Optimization
    from gepa_ci.core.values import JSON

_OUTPUT = 2000
"""Most characters of one output."""
_OUTPUTS = 3
"""Most outputs of one example."""


def optimization_document(optimization: Optimization) -> dict[str, JSON]:
    """Return the JSON object of a search."""
    return {
        "optimizer": optimization.optimizer,
        "proposer": optimization.proposer,
        "metric_calls": optimization.metric_calls,
        "budget": optimization.budget,
        "proposals": optimization.proposals,
        "stop_reason": optimization.stop_reason,
        "interrupted": optimization.interrupted,
        "seed": optimization.seed,
        "best": optimization.best,
        "candidates": [_candidate(record) for record in optimization.candidates],
        "edits": [_edit(edit) for edit in optimization.edits],
        "frontier": _leaders(optimization.frontier),
        "objectives": _leaders(optimization.objectives),
        "best_outputs": _best_outputs(optimization),
        "rejections": [
            {"reason": refused.reason, "component": refused.component, "text": refused.text}
            for refused in optimization.rejections
        ],
        "seconds": optimization.seconds,
    }


def _candidate(record: CandidateRecord) -> dict[str, JSON]:
    return {
        "number": record.number,
        "origin": str(record.origin),
        "parents": list(record.parents),
        "val_mean": record.val_mean,
        "metric_calls": record.metric_calls,
        "texts": dict(record.texts),
        "characters": sum(len(text) for text in record.texts.values()),
        "examples": list(record.examples),
        "edits": [
            {
                "component": edit.component,
                "removed": list(edit.removed),
                "added": list(edit.added),
                "examples": [failure.example_id for failure in edit.failures],
            }
            for edit in record.edits
        ],
        "objectives": dict(record.objectives),
    }


def _edit(edit: Edit) -> dict[str, JSON]:
    return {
        "component": edit.component,
        "removed": list(edit.removed),
        "added": list(edit.added),
        "candidate": edit.candidate,
        "failures": [
            {"example": f.example_id, "score": f.score, "feedback": f.feedback}
            for f in edit.failures
        ],
    }


def _leaders(leaders: Iterable[Leaders]) -> list[JSON]:
    return [
        {"name": leader.name, "score": leader.score, "candidates": list(leader.candidates)}
        for leader in leaders
    ]


def _best_outputs(optimization: Optimization) -> list[JSON]:
    outputs = {record.number: record.outputs for record in optimization.candidates}
    return [
        {
            "example": leader.name,
            "candidate": number,
            "output": outputs[number][leader.name][:_OUTPUT],
        }
        for leader in optimization.frontier
        for number in leader.candidates[:_OUTPUTS]
        if leader.name in outputs[number]
    ]
