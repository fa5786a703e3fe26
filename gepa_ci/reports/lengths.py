"""Owns how long a text is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON

_SENTENCE = re.compile(r"\S[^\n]*?(?:[.!?](?=\s|\Z)|(?=\n)|\Z)")


def length(text: str) -> dict[str, JSON]:
    """Return how many characters a text has, and how many sentences; a line ends a sentence."""
    return {"characters": len(text), "sentences": len(_SENTENCE.findall(text))}
