"""Owns the strict reading of one JSON record that anybody could have written."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn

Check = Callable[[object], Any]
"""Returns the value as we keep it, or raises ValueError with what it has to be."""

SCHEMA_VERSION = 1
_LONGEST_TEXT = 500
_LONGEST_ID = 4_000
_MOST = 1_000_000_000


def text(value: object) -> str:
    """Check a short line of text."""
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise ValueError(f"a line of at most {_LONGEST_TEXT} characters")
    return value


def name(value: object) -> str:
    """Check a short line of text that is not empty."""
    if not text(value):
        raise ValueError("a line that is not empty")
    return text(value)


def count(value: object) -> int:
    """Check a whole number from 0 on."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise ValueError("a whole number from 0 on")
    return value


def number(value: object) -> float:
    """Check a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _MOST:
        raise ValueError("a number")
    return value


def between(low: float, high: float) -> Check:
    """Return a check of a number within limits."""

    def checked(value: object) -> float:
        found = number(value)
        if not low <= found <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return found

    return checked


def one_of(*choices: str) -> Check:
    """Return a check of a word out of a few."""

    def checked(value: object) -> str:
        if value not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text(value)

    return checked


def many(check: Check, most: int) -> Check:
    """Return a check of a list that is not too long."""

    def checked(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"a list of at most {most} entries")
        return tuple(check(one) for one in value)

    return checked


def paragraph(value: object) -> str:
    """Check a few sentences on one line."""
    if not isinstance(value, str) or len(value) > _LONGEST_ID or not value.isprintable():
        raise ValueError(f"a line of at most {_LONGEST_ID} characters")
    return value


def flag(value: object) -> bool:
    """Check true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 - one kind of error for all checks
    return value


def moment(value: object) -> str:
    """Check a time of day in ISO form, with its zone."""
    try:
        zone = datetime.fromisoformat(text(value)).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        raise ValueError("a time such as '2026-01-31T04:00:00+00:00'")
    return text(value)


def or_none(check: Check) -> Check:
    """Return a check that lets null through."""
    return lambda value: None if value is None else check(value)


def by_name(check: Check) -> Check:
    """Return a check of an object whose keys are names."""

    def checked(value: object) -> dict[str, Any]:
        if not isinstance(value, Mapping) or any(len(key) > _LONGEST_ID for key in value):
            raise ValueError("an object whose names are short")
        return {key: check(item) for key, item in value.items()}

    return checked


def trials(value: object) -> tuple[float | None, ...]:
    """Check the scores of one example."""
    if not isinstance(value, list):
        raise ValueError("a list of scores")  # noqa: TRY004 - one kind of error for all checks
    return tuple(or_none(number)(one) for one in value)


def record(
    found: object, checks: Mapping[str, Check], *, version: str = "schema_version"
) -> dict[str, Any]:
    """Return the checked fields of a record, which has them all and no other.

    Raises:
        ValueError: what is wrong, as the end of a message.
    """
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - one kind for all checks
    if (stated := found.get(version)) != SCHEMA_VERSION or isinstance(stated, bool):
        raise ValueError(f"{version} is {stated!r:.40}, and this gepa-ci reads 1")
    return _checked({key: value for key, value in found.items() if key != version}, checks)


def nested(checks: Mapping[str, Check], build: Callable[..., Any]) -> Check:
    """Return a check of an object in a record, which has these fields and becomes what is built."""

    def checked(value: object) -> object:
        if not isinstance(value, dict):
            raise ValueError("an object")  # noqa: TRY004 - one kind of error for all checks
        try:
            return build(**_checked(value, checks))
        except ValueError as error:
            raise ValueError(f"one of ours: {error}") from error

    return checked


def _checked(found: dict[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    if strange := sorted(found.keys() - checks.keys()):
        raise ValueError(f"unknown field {strange[0]!r:.80}")
    if missing := sorted(checks.keys() - found.keys()):
        raise ValueError(f"the field '{missing[0]}' is missing")
    values = {}
    for key, check in checks.items():
        try:
            values[key] = check(found[key])
        except ValueError as error:
            raise ValueError(f"the field '{key}' has to be {error}") from error
    return values


def strict_json(content: bytes) -> object:
    """Parse JSON, and refuse what parsers read in different ways.

    Raises:
        ValueError: what is wrong, as the end of a message.
    """
    try:
        return json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_pairs,
            parse_constant=_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error.msg}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _constant(found: str) -> NoReturn:
    raise ValueError(f"{found} is not a number")


def _finite(found: str) -> float:
    if not math.isfinite(parsed := float(found)):
        raise ValueError(f"{found:.40} is not a number that can be kept")
    return parsed
