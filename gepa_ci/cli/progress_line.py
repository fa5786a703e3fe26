"""Owns the one line that shows how far a run is: what it says, and what of it a terminal fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.reports.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.config import SpendCaps
    from gepa_ci.core.spend import Usage

_LONGEST_BAR, _SHORTEST_BAR = 24, 8
_SHORTEST_TITLE = 16
_MINUTE, _HOUR = 60, 3_600
_TITLE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that the line says."""

    text: str
    rank: int
    """0 for what is left out last where there is too little room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A line that fits."""

    title: str
    bar: int
    """Columns of the bar; 0 for none."""
    rest: str


def status_parts(spent: Usage, caps: SpendCaps, in_flight: int) -> list[Part]:
    """Return what was spent so far, of which cap, and what becomes of the calls now."""
    calls = f"{spent.calls:,} call{'' if spent.calls == 1 else 's'}"
    if caps.calls is not None:
        calls = f"{spent.calls:,} of {caps.calls:,} calls"
    parts = [Part(text=calls, rank=6)]
    if spent.usd or caps.usd is not None:
        dollars = "$?" if spent.usd is None else f"${spent.usd:.2f}"
        dollars += "" if caps.usd is None else f" of ${caps.usd:.2f}"
        parts.insert(0, Part(text=dollars, rank=1))
    parts.append(Part(text=f"{in_flight:,} in flight", rank=5))
    if spent.failed_calls:
        retries = f"{spent.failed_calls:,} retr{'y' if spent.failed_calls == 1 else 'ies'}"
        parts.append(Part(text=retries, rank=4))
    return parts


def count_part(done: float, total: float | None) -> Part:
    """Return how many are done, and of how many."""
    return Part(text=f"{done:,.0f}" + ("" if total is None else f"/{total:,.0f}"), rank=0)


def time_part(seconds: float | None) -> list[Part]:
    """Return how long it will take, once that can be said."""
    if seconds is None:
        return []
    minutes, rest = divmod(int(seconds), _MINUTE)
    hours, over = divmod(minutes, _MINUTE)
    left = f"{hours}:{over:02}:{rest:02}" if seconds >= _HOUR else f"{minutes}:{rest:02}"
    return [Part(text=f"{left} left", rank=2)]


def fitted(title: str, parts: Sequence[Part], width: int) -> Fitted:
    """Return a line of at most so many columns: it loses bar, title and parts, in that order.

    The first part, the count, is the last to go.
    """
    title, kept = one_line(title, _TITLE), list(parts)
    while True:
        first, *others = (part.text for part in kept)
        rest = f"{first} {', '.join(others)}".rstrip()
        room = width - len(rest) - 1
        bar = min(_LONGEST_BAR, room - len(title) - 1)
        if bar >= _SHORTEST_BAR:
            return Fitted(title=title, bar=bar, rest=rest)
        if room >= min(len(title), _SHORTEST_TITLE) or len(kept) == 1:
            return Fitted(title=one_line(title, max(1, room)), bar=0, rest=rest)
        kept.remove(max(kept, key=lambda part: part.rank))
