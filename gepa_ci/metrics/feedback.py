"""Owns the wording that feedback shares: quoting, shortening, and how two texts differ."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING

from gepa_ci.metrics.normal_form import collapse_whitespace, normal_form

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gepa_ci.core.values import JSON

LIMIT = 240
"""Characters of a quoted text that feedback shows."""

_SHORT = 60
"""Characters of a text that is quoted to be searched for, such as the words around an answer."""

_ESCAPES = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"})


def quote(text: str, limit: int = LIMIT) -> str:
    """Return the text on one line in single quotes, its middle cut out when it is long."""
    cut = f" (shortened from {len(text):,} characters)" if len(text) > limit else ""
    return f"'{shortened(text, limit)}'{cut}"


def shortened(text: str, limit: int = LIMIT) -> str:
    """Return the text on one line, its middle cut out when it is long."""
    if len(text) <= limit:
        return _printable(text)
    head = limit * 2 // 3
    return f"{_printable(text[:head])} ... {_printable(text[head - limit :])}"


def shown(value: JSON) -> str:
    """Return a JSON value as feedback and errors show it."""
    if isinstance(value, str):
        return quote(value)
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except (RecursionError, ValueError):
        return f"a {kind(value)} too large to show"
    return quote(text)


def kind(value: JSON) -> str:
    """Return the word for a value's JSON type."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list() | tuple():
            return "list"
        case _:
            return "object"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `did you mean 'x'? ` for the nearest known name, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean '{close[0]}'? " if close else ""


def as_text(expected: JSON) -> str:
    """Return the text that stands for a label: text as it is, other values as JSON."""
    return expected if isinstance(expected, str) else json.dumps(expected, ensure_ascii=False)


def difference(expected: str, output: str) -> str:
    """Return one sentence on how an output that is not the expected text differs from it."""
    if not output.strip():
        return "The output is empty."
    for reading, sentence in (
        (str.strip, "Only blanks or line breaks around the answer differ: write none."),
        (
            collapse_whitespace,
            "Only the whitespace differs: keep blanks and line breaks as they are.",
        ),
        (_fold, "Only upper and lower case differ: copy the exact spelling."),
        (normal_form, "Only case, whitespace or punctuation around the answer differs."),
    ):
        if reading(expected) == reading(output):
            return sentence
    return _containment(expected, output)


def _containment(expected: str, output: str) -> str:
    wanted, got = _fold(expected), _fold(output)
    if wanted and wanted in got:
        before, _, after = got.partition(wanted)
        around = ", ".join(
            f"{quote(text.strip(), _SHORT)} {place} it"
            for text, place in ((before, "before"), (after, "after"))
            if text.strip()
        )
        return (
            f"The answer is in the output, but more text stands around it ({around}): "
            "write only the answer."
        )
    if got in wanted:
        return "The output is only a part of the answer."
    return "The answer itself is different."


def _fold(text: str) -> str:
    return collapse_whitespace(text).casefold()


def _printable(text: str) -> str:
    # Feedback is sent and saved as UTF-8, which has no lone surrogates.
    return text.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode("utf-8")
