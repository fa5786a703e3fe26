"""Owns one process that runs a user's code: its start, the lines that it speaks, and its end."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import shutil
import signal
import subprocess
from enum import StrEnum
from threading import RLock, Thread, current_thread
from typing import IO, TYPE_CHECKING

from gepa_ci.workers.seclusion import forbid_inspection, new_folder, worker_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LINE = 16 << 20
"""Bytes of one line."""

_TAIL = 16 << 10
"""Bytes that are kept of what a process wrote outside of its lines."""

_PATIENCE = 1.0
"""Seconds for a process that was told to end."""


class End(StrEnum):
    """Ways in which a process fails."""

    SLOW = "did not answer in time"
    ENDED = "ended"
    BROKEN = "wrote something else than an answer"
    ABSENT = "could not be started"


class WorkerError(Exception):
    """A process failed and is gone."""

    def __init__(self, end: End, status: str, tail: str) -> None:
        super().__init__(f"the worker {end.value}: {status}")
        self.end = end
        self.status = status
        """Its exit code or signal, or why it could not be started."""
        self.tail = tail
        """What it last wrote outside of its lines."""


class Child:
    """A process with few variables and a folder of its own, which speaks JSON lines."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        unread: int,
        environment: Mapping[str, str] | None = None,
        folder: str | None = None,
    ) -> None:
        """Start it.

        Args:
            command: Program and arguments; `{folder}` stands for its own folder.
            unread: Lines that may wait; more than that is a flood, and ends the reading.
            environment: Variables that it is given besides the few that all have.
            folder: Where it works; its own folder when left out.

        Raises:
            WorkerError: it could not be started.
        """
        forbid_inspection()
        self._folder = new_folder()
        self._unread = unread
        self._tail = bytearray()
        self.written = 0
        """Bytes that it wrote outside of its lines so far."""
        self.lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        """What it writes, line by line; None after the last."""
        self._heard: Callable[[bytes | None], bool] | None = None
        self._hearing = RLock()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - what the config or we ourselves name
                [part.replace("{folder}", self._folder) for part in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder or self._folder,
                env=worker_environment(self._folder) | dict(environment or {}),
                # Ctrl-C is ours to handle, and its end takes along what it has started.
                start_new_session=True,
            )
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise WorkerError(End.ABSENT, error.strerror or str(error), "") from None
        self._threads = (
            Thread(target=self._read, args=(self._process.stdout,), daemon=True),
            Thread(target=self._drain, args=(self._process.stderr,), daemon=True),
        )
        for thread in self._threads:
            thread.start()

    @property
    def tail(self) -> str:
        """Return what it last wrote outside of its lines."""
        return self._tail.decode("utf-8", "replace")

    def written_since(self, mark: int) -> str:
        """Return what it wrote outside of its lines after `written` had a value."""
        kept = bytes(self._tail)
        new = min(len(kept), self.written - mark)
        return kept[len(kept) - new :].decode("utf-8", "replace")

    def hear(self, take: Callable[[bytes | None], bool]) -> None:
        """Have each line, and None after the last, taken as it comes, on the reader's thread.

        `take` returns whether it wants more.
        """
        with self._hearing:
            while not self.lines.empty():
                take(self.lines.get())
            self._heard = take

    def send_at_once(self, data: bytes) -> bool:
        """Write a short line if that cannot block; return whether it was written."""
        if len(data) > select.PIPE_BUF or self._process.stdin is None:
            return False
        try:
            if not select.select((), (self._process.stdin,), (), 0)[1]:
                return False
            os.write(self._process.stdin.fileno(), data)
        except (OSError, ValueError):
            # One that is gone is noticed when its answer is missing.
            return self._process.stdin.closed or self._process.poll() is not None
        return True

    def send(self, line: bytes) -> None:
        """Write one line to it, however long it takes to read it."""
        assert self._process.stdin is not None
        # One that is gone is noticed when its answer is missing.
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def ask_where(self) -> None:
        """Let a process of ours that hangs say in which line it does."""
        if hasattr(os, "killpg"):  # pragma: no branch - Windows
            self._process.send_signal(signal.SIGABRT)
            with contextlib.suppress(queue.Empty):
                self.lines.get(timeout=_PATIENCE)

    def failed(self, end: End) -> WorkerError:
        """End it and return the error that says how it failed."""
        self.close()
        code = self._process.returncode
        status = _signal_name(-code) if code is not None and code < 0 else f"exit code {code}"
        return WorkerError(end, status, self.tail)

    def close(self) -> None:
        """End the process and all that it has started."""
        if not hasattr(os, "killpg"):  # pragma: no cover - Windows
            self._process.kill()
        elif self._process.returncode is None:
            # Its number is taken until we have waited for it, so this reaches no stranger.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        for thread in self._threads:
            if thread is current_thread():
                continue
            # A process that left the group may hold a pipe open; its reader ends when it does.
            thread.join(_PATIENCE)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            while (line := pipe.readline(LINE)).endswith(b"\n"):
                if self._heard is None and self.lines.qsize() >= self._unread:
                    break
                if not self._pass_on(line):
                    return
        # The rest of a line that is too long, or has no end, is no answer either.
        if not line or self._pass_on(line):
            self._pass_on(None)

    def _pass_on(self, line: bytes | None) -> bool:
        with self._hearing:
            if self._heard is not None:
                return self._heard(line)
            self.lines.put(line)
            return True

    def _drain(self, pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := os.read(pipe.fileno(), _TAIL):
                self._tail += chunk
                self.written += len(chunk)
                del self._tail[:-_TAIL]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
