"""Owns reading what a process answers for a run: untrusted JSON, made an output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gepa_ci.core.digests import canonical_json
from gepa_ci.core.score import Step
from gepa_ci.workers.returned import NotAScoreError, read_score

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON

_TRACE = 20_000
"""Characters of a trace that are kept."""


class BadAnswerError(Exception):
    """An answer without an output; the message goes after `answered`."""


def read_answer(answer: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the text of an answer, and the further fields of an Output that it gives.

    Raises:
        BadAnswerError: it has no output that could be scored.
        NotAScoreError: its score is none.
    """
    output = answer.get("output")
    if output is None:
        raise BadAnswerError("without an 'output'" if "output" not in answer else "null")
    more: dict[str, Any] = {}
    if isinstance(output, dict):
        more["fields"] = output
    text = answer.get("text")
    trace = answer.get("trace")
    if trace not in (None, ""):
        more["trace"] = as_text(trace)[:_TRACE]
    if answer.get("score") is not None:
        more["score"] = read_score(
            {"score": answer["score"], "feedback": answer.get("feedback"), "parts": None}
        )
    elif isinstance(answer.get("feedback"), str):
        told = [more["trace"]] if "trace" in more else []
        more["trace"] = "\n".join((*told, answer["feedback"]))
    if isinstance(answer.get("steps"), list) and answer["steps"]:
        more["steps"] = tuple(_step(step) for step in answer["steps"] if isinstance(step, dict))
    return text if isinstance(text, str) else as_text(output), more


def as_text(value: JSON) -> str:
    """Return a text as it is, and any other value as canonical JSON."""
    return value if isinstance(value, str) else canonical_json(value)


def _step(told: Mapping[str, Any]) -> Step:
    inputs, fields = told.get("inputs"), told.get("fields")
    return Step(
        prompt=str(told.get("prompt") or ""),
        inputs=inputs if isinstance(inputs, dict) else {},
        output=as_text(told.get("output") or ""),
        fields=fields if isinstance(fields, dict) else {},
    )


__all__ = ["BadAnswerError", "NotAScoreError", "as_text", "read_answer"]
