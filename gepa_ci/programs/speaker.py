"""Owns one process that serves several runs at once, each line given to the run that it is for."""

from __future__ import annotations

import json
import queue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from gepa_ci.workers.child import End, WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gepa_ci.workers.child import Child

_UNREAD = 4096
"""Lines of one run that may wait; more than that is a flood."""

_MOMENT = 0.005
"""Seconds to wait for others that write a line, before another thread is woken for ours."""

_SHOWN = 200
"""Characters of a line that was not expected."""


class Inbox(queue.SimpleQueue[Any]):
    """What a run is told: lines as dicts, and a WorkerError as the last."""

    aside: Callable[[dict[str, Any]], object] | None = None
    """Takes calls while the run's own thread is busy with one."""
    _taken_aside: int = 0

    def tell(self, message: dict[str, Any]) -> None:
        """Give the run a line."""
        aside = self.aside
        if aside is not None and "call" in message and self._taken_aside < _UNREAD:
            self._taken_aside += 1
            aside(message)
        else:
            self.put(message)


class Speaker:
    """A process with the runs that it serves."""

    def __init__(self, child: Child, *, knows_where: bool = False) -> None:
        """Serve the runs of a process, which may know where each of them is."""
        self.child = child
        self.knows_where = knows_where
        self.is_retired = False
        """Whether it takes no further runs."""
        self._runs: dict[str, Inbox] = {}
        self._left: set[str] = set()
        self._error: WorkerError | None = None
        self._lock = Lock()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writing = Lock()
        Thread(target=self._write, name="gepa-ci-program", daemon=True).start()
        child.hear(self._hear)

    def open(self, run: str) -> Inbox:
        """Begin a run, and return where its lines will be."""
        inbox = Inbox()
        with self._lock:
            if self._error is not None:
                inbox.put(self._error)
            self._runs[run] = inbox
        return inbox

    def leave(self, run: str, *, is_over: bool) -> None:
        """End a run; what the process may still say of one that is not over is not heard."""
        with self._lock:
            self._runs.pop(run, None)
            if not is_over:
                self._left.add(run)

    def send(self, message: Mapping[str, Any]) -> None:
        """Write one line to the process, some time; it may be slow to read."""
        line = f"{json.dumps(message)}\n".encode()
        if self._outbox.empty() and self._writing.acquire(timeout=_MOMENT):
            try:
                if self.child.send_at_once(line):
                    return
            finally:
                self._writing.release()
        self._outbox.put(line)

    @property
    def is_alive(self) -> bool:
        """Return whether it may take a run."""
        return self._error is None and not self.is_retired

    def close(self) -> None:
        """End the process."""
        self._outbox.put(None)
        self.child.close()

    def _write(self) -> None:
        while (line := self._outbox.get()) is not None:
            with self._writing:
                self.child.send(line)

    def _hear(self, line: bytes | None) -> bool:
        """Take a line of the process, and return whether more may come."""
        if line is None:
            self._fail(End.ENDED, b"")
            return False
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        run = message.get("id") if isinstance(message, dict) else None
        with self._lock:
            inbox = self._runs.get(run) if isinstance(run, str) else None
            is_late = run in self._left
        if inbox is not None and inbox.qsize() < _UNREAD:
            inbox.tell(message)
        elif not is_late:
            self._fail(End.BROKEN, line)
            return False
        return True

    def _fail(self, end: End, line: bytes) -> None:
        self._outbox.put(None)
        error = self.child.failed(end)
        if line:
            said = line[:_SHOWN].decode("utf-8", "replace").strip()
            error = WorkerError(end, f"'{said}'", error.tail)
        with self._lock:
            self._error = error
            for inbox in self._runs.values():
                inbox.put(error)
