"""Owns how long a text is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON

_BREAK = re.compile(r"[.!?](?=[^\S\n]+\S)")


def length(text: str) -> dict[str, JSON]:
    """Return how many characters a text has, and how many sentences; a line ends a sentence."""
    lines = [line for line in text.split("\n") if line and not line.isspace()]
    # What is between the breaks is skipped at the speed of a search: hostile texts are long.
    return {"characters": len(text), "sentences": sum(1 + len(_BREAK.findall(s)) for s in lines)}
