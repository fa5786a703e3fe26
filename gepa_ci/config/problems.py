"""Owns how the problems of one file are gathered, worded and raised together."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gepa_ci.errors import GepaCiError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 50
"""Problems shown of one file; a file that is wrong throughout must not flood a log."""

LONGEST = 60
"""Characters of a value that a message quotes."""


@dataclass(slots=True)
class Problems:
    """The problems found so far in one file."""

    path: str
    found: list[Problem] = field(default_factory=list)

    def add(self, line: int | None, message: str, hint: str) -> None:
        """Note a problem at a line of the file."""
        self.found.append(Problem(message=message, path=self.path, line=line, hint=hint))

    def raise_any(self, error: type[GepaCiError]) -> None:
        """Raise all problems as one error; do nothing when there are none."""
        raise_all(self.found, error)


def raise_all(found: list[Problem], error: type[GepaCiError]) -> None:
    """Raise the first problems by file and line, and say how many more there are."""
    if not found:
        return
    files = list(dict.fromkeys(problem.path for problem in found))
    ordered = sorted(found, key=lambda p: (files.index(p.path), p.line or 0))
    if len(ordered) > MOST:
        more = Problem(
            message=f"and {len(ordered) - MOST} more problems",
            path=ordered[MOST].path,
            hint="fix these first, then check again",
        )
        ordered = [*ordered[:MOST], more]
    raise error.of(ordered)


def shown(value: object) -> str:
    """Return a value as it is quoted in a message: on one line and not too long."""
    text = " ".join(str(value).split())
    text = "".join(char if char.isprintable() else "?" for char in text)
    return f"'{text}'" if len(text) <= LONGEST else f"'{text[: LONGEST - 3]}...'"


def nearest(value: str, names: Iterable[str]) -> str | None:
    """Return the known name that a misspelt one most likely means."""
    known = {name.lower(): name for name in names}
    close = difflib.get_close_matches(value.lower(), known, n=1, cutoff=0.6)
    return known[close[0]] if close else None


def known_names(value: str, names: Iterable[str], kind: str) -> str:
    """Return the hint for an unknown name: the nearest one and the list."""
    listed = tuple(names)
    near = nearest(value, listed)
    question = "" if near is None else f"did you mean '{near}'? "
    return f"{question}known {kind}: {', '.join(listed)}"
