"""Owns running many jobs at once on threads: ordered results, and the first error wins."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from gepa_ci.errors import SpendError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")


class _Run(Generic[T, R]):
    """The state that the threads of one run share."""

    def __init__(
        self, jobs: Sequence[T], work: Callable[[T], R], on_done: Callable[[T, R], None] | None
    ) -> None:
        self.results: dict[int, R] = {}
        self.error: BaseException | None = None
        self.finished = threading.Condition()
        self.left = len(jobs)
        self.at_work = 0
        self._jobs = jobs
        self._work = work
        self._on_done = on_done
        self._next = iter(range(len(jobs)))

    def work(self) -> None:
        """Take jobs until there are none or one has failed."""
        while (index := self._take()) is not None:
            job = self._jobs[index]
            try:
                result = self._work(job)
                if self._on_done is not None:
                    self._on_done(job, result)
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                with self.finished:
                    self.error = self.error or error
                    self.at_work -= 1
                    self.finished.notify()
                return
            with self.finished:
                self.results[index] = result
                self.left -= 1
                self.at_work -= 1
                if self.left == 0 or self.error is not None:
                    self.finished.notify()

    def end(self, error: BaseException, patience: float) -> None:
        """Hand out no more jobs, and wait so many seconds for those at work."""
        until = time.monotonic() + patience
        with self.finished:
            self.error = self.error or error
            while self.at_work and (left := until - time.monotonic()) > 0:
                self.finished.wait(left)

    def _take(self) -> int | None:
        with self.finished:
            index = None if self.error is not None else next(self._next, None)
            self.at_work += index is not None
            return index


def run_all(
    jobs: Sequence[T],
    work: Callable[[T], R],
    *,
    workers: int,
    on_done: Callable[[T, R], None] | None = None,
    patience: float = 0.0,
) -> list[R]:
    """Return `work(job)` for each job, in the order of the jobs.

    The first error ends the run and is raised here: at once, but for a reached cap, which waits
    for the jobs at work. Threads are daemons, so that a call that hangs on the wire cannot keep
    the process alive. `on_done` is called from the threads. Ctrl-C ends the run as well, and waits
    at most `patience` seconds for the jobs at work, whose calls are paid for.
    """
    run = _Run(jobs, work, on_done)
    threads = min(workers, len(jobs))
    try:
        for number in range(threads):
            threading.Thread(target=run.work, name=f"gepa-ci-{number}", daemon=True).start()
        with run.finished:
            while run.left and run.error is None:
                # A bounded wait lets Ctrl-C through on every platform.
                run.finished.wait(0.5)
            # What is on the wire is paid for, and a run that a cap ended still states and keeps it.
            while run.at_work and isinstance(run.error, SpendError):
                run.finished.wait(0.5)
    except KeyboardInterrupt as pressed:
        run.end(pressed, patience)
        raise
    if run.error is not None:
        raise run.error
    return [run.results[index] for index in range(len(jobs))]
