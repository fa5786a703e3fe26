"""Owns drawing a promoted effect towards 0 by what a task's earlier candidates were worth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gepa_ci.core.ledger import EntryKind, Shrunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.ledger import Entry

FEWEST = 3
"""Answers from which a spread of true effects can be told."""


def shrunk(difference: float, se: float, entries: Sequence[Entry], *, task: str) -> Shrunk | None:
    """Return the effect to expect in use, or None while the task has too little history.

    Whatever promotes is more often lucky than unlucky. With true effects of variance t2 around 0,
    the best guess is difference * t2 / (t2 + se2); t2 is what the squared differences on record
    are above the squares of their standard errors, on average (method of moments), and never
    below 0.
    """
    seen = [
        (entry.difference, entry.se)
        for entry in entries
        if entry.kind is EntryKind.CLOSED
        and entry.task == task
        and entry.difference is not None
        and entry.se is not None
    ]
    if len(seen) < FEWEST:
        return None
    variance = max(0.0, math.fsum(d * d - s * s for d, s in seen) / len(seen))
    total = variance + se * se
    factor = variance / total if total > 0.0 else 1.0
    return Shrunk(difference=difference * factor, spread=math.sqrt(variance), answers=len(seen))
