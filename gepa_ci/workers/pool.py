"""Owns workers that do one thing: handed out one call at a time, ended with their owner."""

from __future__ import annotations

import os
import weakref
from collections import deque
from contextlib import contextmanager
from threading import Semaphore
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gepa_ci.workers.process import WorkerProcess

_MOST = 4


class WorkerPool:
    """Some workers that have loaded the same file; a new one starts when all are busy."""

    def __init__(
        self,
        start: Callable[[], WorkerProcess],
        first: WorkerProcess,
        *,
        size: int | None = None,
    ) -> None:
        self._start = start
        self._slots = Semaphore(size or min(_MOST, os.cpu_count() or 1))
        self._idle = deque([first])
        self._all = {first}
        self.close = weakref.finalize(self, _close_all, self._all)
        """Ends all workers; happens by itself with the owner's or the interpreter's end."""

    @contextmanager
    def worker(self) -> Iterator[WorkerProcess]:
        """Lend a worker; one that fails is not lent again."""
        with self._slots:
            worker = self._take()
            is_fine = False
            try:
                yield worker
                is_fine = True
            finally:
                if is_fine:
                    self._idle.append(worker)
                else:
                    self._all.discard(worker)
                    worker.close()

    def _take(self) -> WorkerProcess:
        try:
            return self._idle.pop()
        except IndexError:
            worker = self._start()
        self._all.add(worker)
        if not self.close.alive:
            worker.close()
        return worker


def _close_all(workers: set[WorkerProcess]) -> None:
    while workers:
        workers.pop().close()
