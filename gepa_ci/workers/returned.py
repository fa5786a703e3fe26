"""Owns turning what a user's metric returned into a score, or saying why it is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import Any

from gepa_ci.core.score import Score

_ROUNDING = 1e-9
"""How far outside [0, 1] a sum of floats may lie by rounding."""

_SHOWN = 120

_FEEDBACK = 1_000_000
"""Characters of feedback: more than any reader or model takes in."""

_PARTS = 1_000


class NotAScoreError(Exception):
    """A value that is not a score; the message goes after `returned`."""


def read_score(value: Any) -> Score:
    """Return the score of a float, bool, tuple, dict or object with `score` and `feedback`.

    Raises:
        NotAScoreError: for anything else, NaN, and numbers outside [0, 1].
    """
    if isinstance(value, Score):
        return _score(value.value, value.feedback, value.parts)
    if isinstance(value, Mapping):
        if "score" not in value:
            raise NotAScoreError(f"{_shown(value)}, a dict without 'score'")
        parts = value.get("parts") or value.get("objective_scores")
        return _score(value["score"], value.get("feedback"), parts)
    if isinstance(value, tuple):
        if len(value) != 2:  # noqa: PLR2004 - score and feedback
            raise NotAScoreError(f"{_shown(value)}, a tuple that is not (score, feedback)")
        return _score(value[0], value[1], None)
    if not _is_number(value) and hasattr(value, "score"):
        parts = getattr(value, "parts", None) or getattr(value, "objective_scores", None)
        return _score(value.score, getattr(value, "feedback", None), parts)
    return _score(value, None, None)


def _score(value: Any, feedback: Any, parts: Any) -> Score:
    if feedback is not None and not isinstance(feedback, str):
        raise NotAScoreError(f"the feedback {_shown(feedback)}, which is not text")
    if feedback is not None and len(feedback) > _FEEDBACK:
        raise NotAScoreError(f"feedback of {len(feedback)} characters, more than {_FEEDBACK}")
    if parts is not None and not isinstance(parts, Mapping):
        raise NotAScoreError(f"the parts {_shown(parts)}, which are not a dict")
    if parts is not None and len(parts) > _PARTS:
        raise NotAScoreError(f"{len(parts)} parts, more than {_PARTS}")
    return Score(
        value=_number(value),
        feedback=feedback or "",
        parts={str(name): _number(part) for name, part in (parts or {}).items()},
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (Real, Decimal)) or _is_scalar_array(value)


def _is_scalar_array(value: Any) -> bool:
    # Scalars of numpy and torch, without importing either.
    return getattr(value, "shape", None) == () and hasattr(value, "item")


def _number(value: Any) -> float:
    plain = value.item() if _is_scalar_array(value) else value
    if not isinstance(plain, (Real, Decimal)):
        raise NotAScoreError(f"{_shown(value)}, which is not a number")
    try:
        number = float(plain)
    except (OverflowError, ValueError):
        number = math.inf
    if math.isnan(number):
        raise NotAScoreError("'nan', which is not a number")
    if not -_ROUNDING <= number <= 1 + _ROUNDING:
        raise NotAScoreError(f"{_shown(value)}, which is outside 0 to 1")
    return min(1.0, max(0.0, number))


def _shown(value: Any) -> str:
    if value is None:
        return "None (is a 'return' missing?)"
    text = " ".join(repr(value).split())
    if isinstance(value, str):
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...'"
    return f"'{text}'" if len(text) <= _SHOWN else f"'{text[:_SHOWN]}...'"
