"""Owns regular expressions of users: compiled with a reason, searched in bounded time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.errors import MetricError

if TYPE_CHECKING:
    from gepa_ci.core.suite import Example

SECONDS = 2.0
"""Longest search of one text; a sane pattern needs microseconds."""


def pattern_problem(pattern: str) -> str | None:
    """Return why a pattern cannot be compiled, or None."""
    import regex  # type: ignore[import-untyped]

    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        return str(error)
    return None


def search(
    pattern: str,
    text: str,
    *,
    ignore_case: bool = False,
    multiline: bool = False,
    full: bool = False,
) -> bool:
    """Return whether the pattern is found; TimeoutError when it backtracks for too long."""
    import regex

    flags = (regex.IGNORECASE if ignore_case else 0) | (regex.MULTILINE if multiline else 0)
    compiled = regex.compile(pattern, flags)
    find = compiled.fullmatch if full else compiled.search
    return find(text, timeout=SECONDS) is not None


def too_slow(pattern: str, example: Example) -> MetricError:
    """Build the error for a search that was given up; a score from a stopwatch would be a lie."""
    return MetricError(
        f"the pattern '{pattern}' took more than {SECONDS:g} seconds on the output of "
        f"example '{example.id}'",
        path=example.path or None,
        line=example.line or None,
        hint="it backtracks: avoid repeats inside repeats such as (a+)+, or use possessive (a++)",
    )
