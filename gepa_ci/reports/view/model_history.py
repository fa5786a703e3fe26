"""Owns what templates may read of a task's scores over time; its fields are public API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One time at which a task was scored."""

    at: datetime
    """When, with its zone."""
    mean: float
    """Mean score of the prompt as it was, on the examples of the history's part."""
    low: float
    """Lower end of the 95% interval of the mean."""
    high: float
    """Upper end of the 95% interval of the mean."""
    n: int
    """Examples."""
    drift: bool
    """Whether scores moved here by more than chance though nothing of ours was changed."""
    label: str
    """Letter of the drift, or of the change of what is scored; else empty."""
    changed: bool
    """Whether prompt, suite, metric or model string differ from the moment before."""
    fresh: bool
    """Whether every answer was asked for anew; drift is looked for among those alone."""
    commit: str
    """What was scored; empty when unknown."""
    verdict: str
    """Of the run, such as `hold`, about what it proposed or compared and never about this score;
    empty without one."""
    usd: float | None
    """Dollars that the run cost; None when a price is unknown."""
    calls: int
    """Calls that the run made."""
    run: str
    """Which run it was, or the saved result's file."""
    note: str
    """A finished sentence where there is something to say; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A drift: equal prompts, examples, metric and model string gave other scores."""

    label: str
    """Its letter in the picture."""
    at: datetime
    """The first moment at the new level."""
    seen: datetime
    """The moment at which it was more than chance."""
    commit: str
    """What was scored at `at`."""
    before: float
    """Mean score before it."""
    after: float
    """Mean score from there on, until it was seen."""
    sentence: str
    """A finished sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The scores of a task over time."""

    task: str
    """As in the config."""
    source: str
    """Where they come from, in words."""
    part: str = "held-out"
    """Of the suite: held-out, val or train; scores of several parts are never in one history."""
    moments: tuple[Moment, ...]
    """Oldest first; those at which nothing was measured are left out."""
    shifts: tuple[Shift, ...]
    """Drift that was found, oldest first."""
    compared: int
    """Scores that could be compared with an earlier one, as nothing of ours had changed."""
    unmeasured: int
    """Entries without a score, such as searches that ended before their proof."""
    notes: tuple[str, ...]
    """Finished sentences about what the history cannot tell."""
    method: str
    """How drift was looked for, for a reader who knows statistics."""
