"""Owns what is shown while a run goes on: a bar on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gepa_ci.cli.printing import inert, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn, TaskID

    from gepa_ci.core.optimization import CandidateRecord
    from gepa_ci.core.score import Trial
    from gepa_ci.optimizers.budget import MetricCalls


class Progress:
    """Shows phases on stderr when it is a terminal; warnings are always shown."""

    def __init__(self, *, shown: bool = True) -> None:
        """Look once whether stderr is a terminal; what is not `shown` is not even there."""
        self._visible = shown and sys.stderr.isatty()
        self._best: float | None = None
        self._lock = threading.Lock()
        self._bar: Bar | None = None
        self._row: TaskID | None = None
        self._failures = 0

    @contextmanager
    def phase(
        self, title: str, *, total: int, status: Callable[[], str] | None = None
    ) -> Iterator[None]:
        """Show a bar for the block, and `status` beside it as it changes."""
        if not self._visible:
            yield
            return
        from rich.console import Console
        from rich.progress import Progress as RichProgress

        columns = _columns(status)
        with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
            with self._lock:
                self._bar, self._row = bar, bar.add_task(title, total=total)
            try:
                yield
            finally:
                with self._lock:
                    self._bar = self._row = None

    @contextmanager
    def search(self, title: str, *, total: int, spent: Callable[[], str]) -> Iterator[None]:
        """Show a search: metric calls of the budget, best val score, what is spent, time left."""
        with self._lock:
            self._best = None

        def status() -> str:
            best = self._best
            return spent() if best is None else f"best {best:.3f}, {spent()}"

        with self.phase(title, total=total, status=status):
            yield

    def trial(self, trial: Trial) -> None:
        """Move the bar by one trial."""
        del trial
        self.step()

    def step(self) -> None:
        """Move the bar by one."""
        with self._lock:
            if self._bar is not None and self._row is not None:
                self._bar.advance(self._row)

    def candidate(self, record: CandidateRecord, calls: MetricCalls) -> None:
        """Say that a candidate has been measured on val."""
        if not self._visible or record.val_mean is None:
            return
        with self._lock:
            self._best = max(self._best or 0.0, record.val_mean)
            if self._bar is not None and self._row is not None:
                # What a journal knows is not run, and counts all the same.
                self._bar.update(self._row, completed=calls.used)
        name = "baseline" if record.number == 0 else f"candidate {record.number}"
        self._say(f"{name}: val {record.val_mean:.3f} after {calls.used} metric calls")

    def warn(self, sentence: str) -> None:
        """Show a warning."""
        self.tell(f"warning: {inert(sentence)}")

    def tell(self, line: str) -> None:
        """Show a line, also where there is no terminal."""
        self._say(line)

    def _say(self, line: str) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.console.print(line, markup=False, highlight=False)
            else:
                say(line, err=True)


def _columns(status: Callable[[], str] | None) -> list[ProgressColumn]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Status(ProgressColumn):
        """What is known at the moment at which the line is drawn."""

        def render(self, task: object) -> Text:
            del task
            return Text("" if status is None else status(), no_wrap=True, overflow="ellipsis")

    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20 if status is not None else 40),
        MofNCompleteColumn(),
    ]
    if status is not None:
        columns.append(Status())
    return [*columns, TimeRemainingColumn()]
