"""Owns what a page shows of each task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.reports.outcome import worst_first
from gepa_ci.reports.page import answers
from gepa_ci.reports.page.budget import common_length
from gepa_ci.reports.page.rows import kinds_of, rows_of, tags_of
from gepa_ci.reports.view.model_examples import Change

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gepa_ci.reports.page.rows import Row
    from gepa_ci.reports.view.model import Effect, Report, Slice, Task
    from gepa_ci.reports.view.model_history import History


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a report is shown."""

    tasks: int
    """Tasks with a section of their own."""
    rows: int
    """Examples, of all tasks together."""
    opened: int
    """Examples of a task that have their texts, the most telling ones."""
    pairs: int
    """Trials of an example that something happened to."""
    other_pairs: int
    """Trials of any other example; 0 for no text of it at all."""
    items: int
    """Entries of any other list or table."""
    diff: int
    """Bytes of one diff."""
    text: int
    """Characters of one sentence or name."""

    def pairs_of(self, row: Row) -> int:
        """Return how many trials of an example are shown."""
        if row.rank >= self.opened:
            return 0
        return self.pairs if row.is_telling else self.other_pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One task on the page."""

    task: Task
    """As in the view model."""
    slug: str
    """Its name in addresses within the page."""
    tone: str
    """good, bad, unsure or plain."""
    is_loud: bool
    """Whether its verdict asks for a look."""
    history: History | None
    """Its scores over time, where they are known."""
    rows: tuple[Row, ...]
    """Examples, the most telling first."""
    more: int
    """Examples that are left out."""
    kinds: tuple[tuple[str, int], ...]
    """What the examples can be filtered by, with how many there are."""
    tags: tuple[tuple[str, int], ...]
    """Tags of the examples, with how many examples have each."""

    @property
    def is_compared(self) -> bool:
        """Return whether examples have a score before and after."""
        return any(row.example.change is not Change.ALONE for row in self.rows)

    @property
    def columns(self) -> int:
        """Return how many columns the table of examples has."""
        return (4 if self.is_compared else 2) + bool(self.kinds) + bool(self.tags)


def sections_of(report: Report, history: Iterable[History], limits: Limits) -> tuple[Section, ...]:
    """Return the sections of a page, the worst verdict first."""
    tasks = worst_first(report.tasks)[: limits.tasks]
    most = common_length((len(task.examples) for task in tasks), limits.rows)
    known = {found.task: found for found in history}
    return tuple(
        _section(task, slug, known.get(task.name), most)
        for task, slug in zip(tasks, answers.slugs(tasks), strict=True)
    )


def reach_of(sections: Iterable[Section]) -> float:
    """Return how far from 0 the intervals of some tasks go, so that one axis fits them all."""
    effects = [section.task.effect for section in sections]
    return widest(effect for effect in effects if effect is not None)


def widest(ranges: Iterable[Effect | Slice]) -> float:
    """Return how far from 0 some intervals go."""
    return max((max(-found.low, found.high, 0.05) for found in ranges), default=1.0)


def _section(task: Task, slug: str, history: History | None, most: int) -> Section:
    rows = rows_of(task.examples, most=most)
    kinds = kinds_of(row.example for row in rows)
    return Section(
        task=task,
        slug=slug,
        tone=answers.tone_of(task),
        is_loud=answers.is_loud(task),
        history=history,
        rows=rows,
        more=len(task.examples) - len(rows),
        kinds=kinds if len(kinds) > 1 else (),
        tags=tags_of(row.example for row in rows),
    )
