"""Owns what templates may read of one example; its fields are public API."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Change(StrEnum):
    """What became of an example from the baseline to the candidate."""

    WON = "won"
    LOST = "lost"
    SAME = "same"
    MISSING = "missing"
    """Calls for it failed, so it has no score on one side and is left out."""
    ALONE = "alone"
    """One prompt was measured only, so there is nothing to compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of an example."""

    score: float
    """From 0 to 1."""
    failure: str
    """How the model gave no usable answer, such as `refusal`; empty when it gave one."""
    output: str
    """What the program gave; empty where the report shows no texts."""
    feedback: str
    """What the metric said; empty where the report shows no texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One example with its scores, and with its texts where the report may show them."""

    id: str
    """As in the suite."""
    part: str
    """The part of the suite that it is in, in words."""
    tags: tuple[str, ...]
    """As in the suite."""
    change: Change
    """won, lost, same, missing or alone."""
    before: float | None
    """Mean over the trials of the baseline; None without one."""
    after: float | None
    """Mean over the trials of the candidate; None without one."""
    baseline: tuple[Trial, ...]
    """Trials of the baseline, in order; without those whose calls failed."""
    candidate: tuple[Trial, ...]
    """Trials of the candidate, in order; without those whose calls failed."""
    inputs: tuple[tuple[str, str], ...]
    """Name and text of what the prompt was filled in with; empty where no texts are shown."""
    expected: str
    """The answer; empty where there is none, or no texts are shown."""

    @property
    def difference(self) -> float:
        """Return after minus before; 0 when one of them is missing."""
        if self.before is None or self.after is None:
            return 0.0
        return self.after - self.before

    @property
    def flaky(self) -> bool:
        """Return whether the trials of one prompt have different scores."""
        return any(len({t.score for t in side}) > 1 for side in (self.baseline, self.candidate))

    @property
    def failed(self) -> bool:
        """Return whether a call failed for good, or the model gave no usable answer."""
        trials = (*self.baseline, *self.candidate)
        return self.change is Change.MISSING or any(trial.failure for trial in trials)
