"""Owns literal text in DSPy, whose signatures hand instructions out without indents and ends."""

from __future__ import annotations

import inspect
from typing import Any

from gepa_ci.optimizers.proposers import like


def signed(signature: Any, text: str | None = None) -> Any:
    """Return a copy of a signature with a text, byte for byte; by default with its own."""
    literal = literal_of(signature) if text is None else text
    # DSPy makes instructions up where it is given none.
    made = signature.with_instructions(literal or "-")
    made.instructions = literal
    return made


def literal_of(signature: Any) -> str:
    """Return a signature's text as it was given; `instructions` would clean it."""
    return str(signature.__doc__)


class Literals:
    """Finds the literal text again where an optimizer has put back what it was shown."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def remember(self, text: str) -> None:
        """Keep a text, so that its cleaned form leads back to it; the first of equals stays."""
        self._known.setdefault(inspect.cleandoc(text), text)

    def text(self, start: str, found: str) -> str:
        """Return what a signature's text stands for, given the text that the search began with.

        What begins with the cleaned form of that text has something added to it, and keeps its
        bytes; and a new text breaks and ends its lines as the old one does.
        """
        cleaned = inspect.cleandoc(start)
        if found in (start, cleaned):
            return start
        if (known := self._known.get(found)) is not None:
            return known
        if cleaned and found.startswith(cleaned):
            found = start.rstrip("\r\n") + found[len(cleaned) :]
        return like(start, found)
