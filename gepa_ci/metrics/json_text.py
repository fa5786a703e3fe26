"""Owns finding JSON in what a model wrote: bare, in a code fence, or with prose around it."""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gepa_ci.core.values import JSON

_FENCE = re.compile(r"```[^`\n]{0,40}\n")

_ATTEMPTS = 100
"""Places at which JSON is looked for; each may cost a scan of the rest of the text."""


class Around(StrEnum):
    """What stands around the JSON of an output."""

    NOTHING = "nothing"
    FENCE = "a code fence"
    PROSE = "other text"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundJson:
    """The JSON value of an output and where it stood."""

    value: JSON
    """The value."""
    around: Around
    """What else the output holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoJson:
    """Why an output has no JSON."""

    reason: str
    """One sentence for the feedback."""


def find_json(text: str, *, strict: bool, openings: str = "{[") -> FoundJson | NoJson:
    """Return the JSON of an output: all of it, else what is fenced, else the first in prose.

    Args:
        text: The output.
        strict: Whether anything around the JSON makes it none.
        openings: The characters with which JSON in prose may begin.
    """
    try:
        return FoundJson(value=parse_json(text), around=Around.NOTHING)
    except (ValueError, RecursionError) as error:
        reason = _reason(text, error)
    embedded = _embedded(text, openings)
    if embedded is None:
        return NoJson(reason=reason)
    if strict:
        return NoJson(
            reason=f"JSON must be the whole output, but {embedded.around} stands around it: "
            "write only the JSON."
        )
    return embedded


def parse_json(text: str) -> JSON:
    """Parse a whole text as JSON; ValueError or RecursionError when it is none."""
    value: JSON = _decoder().decode(text)
    return value


def json_equal(left: JSON, right: JSON) -> bool:
    """Return whether two values are the same JSON: 1 equals 1.0, but not true and not '1'."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(json_equal(left[k], right[k]) for k in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(json_equal, left, right))
    return left == right


def note_around(found: FoundJson) -> str:
    """Return the sentence that feedback adds when an output holds more than JSON."""
    if found.around is Around.NOTHING:
        return ""
    return f"The JSON has {found.around} around it: write only the JSON."


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _embedded(text: str, openings: str) -> FoundJson | None:
    decoder = _decoder()
    for start, around in _places(text, openings):
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        return FoundJson(value=value, around=_outside(text, start, end, around))
    return None


def _places(text: str, openings: str) -> Iterator[tuple[int, Around]]:
    for match in itertools.islice(_FENCE.finditer(text), _ATTEMPTS):
        rest = text[match.end() :]
        yield match.end() + len(rest) - len(rest.lstrip()), Around.FENCE
    starts = re.finditer(f"[{re.escape(openings)}]", text)
    for match in itertools.islice(starts, _ATTEMPTS):
        yield match.start(), Around.PROSE


def _outside(text: str, start: int, end: int, around: Around) -> Around:
    if around is Around.PROSE:
        return around
    before = text[:start].strip()
    after = text[end:].strip()
    only_fence = _FENCE.fullmatch(f"{before}\n") is not None and after in ("```", "")
    return Around.FENCE if only_fence else Around.PROSE


def _reason(text: str, error: ValueError | RecursionError) -> str:
    if not text.strip():
        return "The output is empty, not JSON."
    if isinstance(error, RecursionError):
        return "The output is not JSON that can be read: it is nested too deeply."
    if isinstance(error, json.JSONDecodeError):
        if not any(opening in text for opening in "{["):
            return "The output holds no JSON at all."
        return (
            f"The output is not valid JSON: {error.msg[:1].lower()}{error.msg[1:]} "
            f"at line {error.lineno}, column {error.colno}."
        )
    return "The output is not valid JSON: it holds NaN, Infinity or a number that is too large."
