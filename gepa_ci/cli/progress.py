"""Owns what is shown while a run goes on: a line on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gepa_ci.cli.printing import inert, say
from gepa_ci.cli.progress_line import Part, count_part, fitted, status_parts, time_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn, Task, TaskID

    from gepa_ci.core.optimization import CandidateRecord
    from gepa_ci.core.score import Trial
    from gepa_ci.lm.client import LMClient
    from gepa_ci.optimizers.budget import MetricCalls


class Progress:
    """Shows phases on stderr when it is a terminal; warnings are always shown."""

    def __init__(self, *, shown: bool = True) -> None:
        """Look once whether stderr is a terminal; what is not `shown` is not even there."""
        self._visible = shown and sys.stderr.isatty()
        self._client: LMClient | None = None
        self._best: float | None = None
        self._lock = threading.Lock()
        self._bar: Bar | None = None
        self._row: TaskID | None = None

    def follow(self, client: LMClient) -> None:
        """Show what this client spends, how many of its calls are in flight, and retries."""
        self._client = client

    @contextmanager
    def phase(self, title: str, *, total: int) -> Iterator[None]:
        """Show a line for the block: how much is done, what is spent, how long it will take.

        A phase within another one has no line of its own: its steps count in the outer one.
        """
        if not self._visible or self._bar is not None:
            yield
            return
        from rich.console import Console
        from rich.progress import Progress as RichProgress

        console = Console(stderr=True, emoji=False)
        with RichProgress(_line(console, self._parts), console=console, transient=True) as bar:
            with self._lock:
                self._bar, self._row = bar, bar.add_task(title, total=total)
            try:
                yield
            finally:
                with self._lock:
                    self._bar = self._row = None

    @contextmanager
    def search(self, title: str, *, total: int) -> Iterator[None]:
        """Show a search: metric calls of the budget, best val score, what is spent, time left."""
        with self._lock:
            self._best = None
        with self.phase(title, total=total):
            try:
                yield
            finally:
                with self._lock:
                    self._best = None

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

    def _parts(self) -> list[Part]:
        """Return what is known at the moment at which the line is drawn."""
        best, client = self._best, self._client
        parts = [] if best is None else [Part(text=f"best {best:.3f}", rank=3)]
        if client is not None:
            meter = client.meter
            parts += status_parts(meter.total, meter.caps, client.limiter.in_flight)
        return parts


def _line(console: Console, status: Callable[[], Sequence[Part]]) -> ProgressColumn:
    """Return the one column of the line, which is never longer than the terminal is wide."""
    from rich.progress import ProgressColumn
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    class Line(ProgressColumn):
        """The whole line, drawn anew each time."""

        def render(self, task: Task) -> Table:
            """Return the line as it is now."""
            count = count_part(task.completed, task.total)
            parts = [count, *status(), *time_part(task.time_remaining)]
            line = fitted(task.description, parts, console.width - 1)
            bar = ProgressBar(total=task.total, completed=task.completed, width=line.bar or None)
            row = Table.grid(padding=(0, 1))
            if line.bar:
                row.add_row(Text(line.title), bar, Text(line.rest))
            else:
                row.add_row(Text(line.title), Text(line.rest))
            return row

    return Line()
