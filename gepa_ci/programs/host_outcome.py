"""Owns making an answer of what a user's function returned."""

from __future__ import annotations

import json
from typing import Any

_EXTRA = frozenset({"score", "feedback", "trace", "usage"})
_SHOWN = 120


class NotAnOutputError(TypeError):
    """A returned value that is neither text nor JSON."""


def outcome(value: Any) -> dict[str, Any]:
    """Return the answer for a returned value: an output, or a pair of it and what else is told.

    Raises:
        NotAnOutputError: it is nothing that could be scored.
    """
    extra: dict[str, Any] = {}
    if isinstance(value, tuple) and len(value) == 2 and is_extra(value[1]):  # noqa: PLR2004 - a pair
        value, extra = value[0], {name: plain(item) for name, item in value[1].items()}
    if value is None:
        raise NotAnOutputError("the program returned None (is a 'return' missing?)")
    return {"output": plain(value), **extra}


def is_extra(value: Any) -> bool:
    """Return whether a value tells score, feedback, trace or usage."""
    return isinstance(value, dict) and bool(value) and value.keys() <= _EXTRA


def plain(value: Any) -> Any:
    """Return a value as JSON has it; what knows how to become a dict does so.

    Raises:
        NotAnOutputError: it has no JSON.
    """
    try:
        text = json.dumps(value, default=_as_dict, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        shown = " ".join(repr(value).split())[:_SHOWN]
        message = f"the program returned {shown}, which has no JSON: {error}"
        raise NotAnOutputError(message) from None
    return json.loads(text)


def _as_dict(value: Any) -> Any:
    for name in ("toDict", "model_dump", "tolist", "item", "isoformat"):
        method = getattr(value, name, None)
        if callable(method):
            return method(mode="json") if name == "model_dump" else method()
    raise TypeError(f"a {type(value).__name__} is neither text nor JSON")
