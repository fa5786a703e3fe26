"""Owns reading what a judge answered: one JSON object at the end, with a score on the scale."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from gepa_ci.core.judging import Grade
from gepa_ci.metrics.feedback import shown
from gepa_ci.metrics.json_text import parse_json

if TYPE_CHECKING:
    from gepa_ci.core.judging import Scale
    from gepa_ci.core.values import JSON

_ATTEMPTS = 50
"""Opening braces, counted from the end, at which the answer may begin."""
_FENCE_END = re.compile(r"\s*```\s*\Z")
_LONGEST = 100_000
"""Characters of an answer that are looked at, from its end."""


class NoGradeError(Exception):
    """An answer without a score; the message says why, as a clause."""


def read_grade(text: str, scale: Scale) -> Grade:
    """Return the grade of an answer.

    Only an object with which the answer ends counts: what a judge quotes on its way there, such as
    a grade that the judged output claims for itself, does not.

    Raises:
        NoGradeError: there is none, or its score is not on the scale.
    """
    value = _last_object(text)
    if value is None:
        raise NoGradeError("it does not end with a JSON object")
    scores = _scores(value.get("scores"), scale)
    if "score" in value:
        score = _number(value["score"], "'score'", scale)
    elif scores:
        score = sum(scores.values()) / len(scores)
    else:
        raise NoGradeError("its JSON has no 'score'")
    reason = value.get("reason", "")
    return Grade(score=score, reason=reason if isinstance(reason, str) else "", scores=scores)


def read_pair(text: str, scale: Scale) -> tuple[float, float]:
    """Return the scores of the first and the second output of a comparison.

    Raises:
        NoGradeError: one is missing or not on the scale.
    """
    value = _last_object(text)
    if value is None:
        raise NoGradeError("it does not end with a JSON object")
    first, second = (
        _number(value.get(name), f"'{name}'", scale) for name in ("score_1", "score_2")
    )
    return first, second


def _last_object(text: str) -> dict[str, JSON] | None:
    text = _FENCE_END.sub("", text[-_LONGEST:]).rstrip()
    starts = [match.start() for match in re.finditer(r"\{", text)]
    for start in starts[-_ATTEMPTS:]:
        try:
            value = parse_json(text[start:])
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    return None


def _scores(value: JSON, scale: Scale) -> dict[str, float]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise NoGradeError(f"its 'scores' are not an object but {shown(value)}")
    return {name: _number(score, f"'{name}'", scale) for name, score in value.items()}


def _number(value: JSON, what: str, scale: Scale) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise NoGradeError(f"{what} is not a number but {shown(value)}")
    if not scale.holds(value):
        raise NoGradeError(f"{what} is {shown(value)}, which is not within {scale}")
    return float(value)
