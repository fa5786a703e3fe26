"""Owns what is shown while a run goes on: a bar on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gepa_ci.cli.printing import inert, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from gepa_ci.core.optimization import CandidateRecord
    from gepa_ci.core.score import Trial
    from gepa_ci.optimizers.budget import MetricCalls


class Progress:
    """Shows phases on stderr when it is a terminal; warnings are always shown."""

    def __init__(self) -> None:
        """Look once whether stderr is a terminal."""
        self._visible = sys.stderr.isatty()
        self._lock = threading.Lock()
        self._bar: Bar | None = None
        self._row: TaskID | None = None
        self._failures = 0

    @contextmanager
    def phase(self, title: str, *, total: int) -> Iterator[None]:
        """Show a bar for the block."""
        if not self._visible:
            yield
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
            with self._lock:
                self._bar, self._row = bar, bar.add_task(title, total=total)
            try:
                yield
            finally:
                with self._lock:
                    self._bar = self._row = None

    def trial(self, trial: Trial) -> None:
        """Move the bar by one trial."""
        del trial
        with self._lock:
            if self._bar is not None and self._row is not None:
                self._bar.advance(self._row)

    def candidate(self, record: CandidateRecord, calls: MetricCalls) -> None:
        """Say that a candidate has been measured on val."""
        if not self._visible or record.val_mean is None:
            return
        name = "baseline" if record.number == 0 else f"candidate {record.number}"
        self._say(f"{name}: val {record.val_mean:.3f} after {calls.used} metric calls")

    def warn(self, sentence: str) -> None:
        """Show a warning."""
        self._say(f"warning: {inert(sentence)}")

    def _say(self, line: str) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.console.print(line, markup=False, highlight=False)
            else:
                say(line, err=True)
