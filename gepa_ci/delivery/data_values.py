"""Owns what outlives a run: baselines, score history, searches, and uses of held-out sets."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.ledger import Entry
    from gepa_ci.core.values import JSON

_MOST_ENTRIES = 2_000
_LONGEST_SLUG = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The scores of a task's prompt on the default branch."""

    task: str
    digest: str
    """Of everything that decides a score."""
    prompt_digest: str
    suite_digest: str
    model: str
    trials: int
    scores: Mapping[str, tuple[float | None, ...]]
    """By example id, one score a trial; None where the call failed."""
    repeats: bool
    """Whether the model answers the same question in the same way."""
    made_at: str
    """Time of day in ISO form, with its zone."""
    commit: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One line of a task's score history."""

    task: str
    at: str
    """Time of day in ISO form, with its zone."""
    commit: str
    digest: str
    """Of everything that decides a score but the time: entries with the same one should score the
    same."""
    prompt_digest: str
    model: str
    """As in the config; empty where nothing was measured."""
    mean: float | None
    """None where nothing was measured; then the next three are None too."""
    se: float | None
    """Standard error of the mean, over examples."""
    low: float | None
    """Lower end of the 95% interval of the mean."""
    high: float | None
    """Upper end of the 95% interval of the mean."""
    n: int
    """Examples."""
    units: int
    """Independent examples of equal weight that are worth as much as these: groups count once."""
    fresh: bool
    """Whether the answers were asked for anew; few may come from the cache."""
    verdict: str | None
    usd: float | None
    calls: int
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """All that the data branch holds."""

    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    """By task."""
    history: Mapping[str, tuple[HistoryEntry, ...]] = field(default_factory=dict)
    """By task, oldest first."""
    uses: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    """By task, the ledger of its held-out set, in the order in which it was written."""
    searches: Mapping[str, str] = field(default_factory=dict)
    """By task, the digest of what the last search started from."""
    badges: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    """What shields.io reads, by the task's slug."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """Finished sentences about what could not be read."""

    def with_baseline(self, baseline: Baseline) -> Data:
        """Return the data with a task's baseline replaced."""
        return replace(self, baselines={**self.baselines, baseline.task: baseline})

    def with_history(self, entry: HistoryEntry) -> Data:
        """Return the data with a line more; a run that says it twice has said it once."""
        entries = (*self.history.get(entry.task, ()), entry)
        return replace(self, history={**self.history, entry.task: _once(entries)})

    def with_use(self, entry: Entry) -> Data:
        """Return the data with a line more in a task's ledger; saying it again adds nothing."""
        known = self.uses.get(entry.task, ())
        if any((one.kind, one.key) == (entry.kind, entry.key) for one in known):
            return self
        return replace(self, uses={**self.uses, entry.task: (*known, entry)})

    def with_search(self, task: str, digest: str) -> Data:
        """Return the data with what a task's last search started from."""
        return replace(self, searches={**self.searches, task: digest})

    def with_badge(self, task: str, badge: Mapping[str, JSON]) -> Data:
        """Return the data with a task's badge: schemaVersion, label, message and color."""
        return replace(self, badges={**self.badges, slug(task): badge})

    def tidied(self) -> Data:
        """Return the data with nothing said twice and with old history thinned."""
        return replace(self, history={task: _thinned(e) for task, e in self.history.items()})


def slug(name: str) -> str:
    """Return a name as part of a file's: readable, safe everywhere, another for each name."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_SLUG].strip("-")
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{words}-{mark}" if words else mark


def _once(entries: Sequence[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    last = {(entry.run, entry.commit, entry.verdict): entry for entry in entries}
    return tuple(last.values())


def _thinned(entries: Sequence[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    """Keep the last entry of each day when there are too many, and of the days the newest."""
    kept = _once(entries)
    if len(kept) <= _MOST_ENTRIES:
        return kept
    daily = [list(day)[-1] for _, day in groupby(kept, key=lambda entry: entry.at[:10])]
    return tuple(daily[-_MOST_ENTRIES:])
