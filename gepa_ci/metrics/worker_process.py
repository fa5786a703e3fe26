"""Owns our side of one worker: its start, asking it with a time limit, and its end."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import time
from enum import StrEnum
from threading import Thread
from typing import IO, TYPE_CHECKING, Any

from gepa_ci.metrics.seclusion import (
    forbid_inspection,
    import_path,
    new_folder,
    worker_environment,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ANSWER = 16 << 20
"""Bytes of one answer."""

_UNREAD = 4
"""Answers that may wait; there is never more than one question."""

_TAIL = 16 << 10
"""Bytes that are kept of what a worker wrote outside of its answers."""

_PATIENCE = 1.0
"""Seconds for a process that was told to end."""


class End(StrEnum):
    """Ways in which a worker fails."""

    SLOW = "did not answer in time"
    ENDED = "ended"
    BROKEN = "wrote something else than an answer"
    ABSENT = "could not be started"


class WorkerError(Exception):
    """A worker failed and is gone."""

    def __init__(self, end: End, status: str, tail: str) -> None:
        super().__init__(f"the worker {end.value}: {status}")
        self.end = end
        self.status = status
        """Its exit code or signal, or why it could not be started."""
        self.tail = tail
        """What it last wrote outside of its answers."""


class WorkerProcess:
    """One worker."""

    def __init__(self) -> None:
        forbid_inspection()
        self._folder = new_folder()
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._tail = bytearray()
        code = (
            f"import sys; sys.path[:] = {import_path()!r}; "
            "from gepa_ci.metrics.worker import main; main()"
        )
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-P", "-s", "-B", "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self._folder,
                env=worker_environment(self._folder),
                # Ctrl-C is ours to handle, and its end takes along what it has started.
                start_new_session=True,
            )
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise WorkerError(End.ABSENT, error.strerror or str(error), "") from None
        self._threads = (
            Thread(target=_read, args=(self._process.stdout, self._answers), daemon=True),
            Thread(target=_drain, args=(self._process.stderr, self._tail), daemon=True),
        )
        for thread in self._threads:
            thread.start()

    def ask(
        self,
        request: Mapping[str, Any],
        *,
        seconds: float,
        neighbour: Callable[[str], Mapping[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Return the worker's answer.

        Args:
            request: Plain JSON.
            seconds: How long it may take.
            neighbour: Answers the worker's own questions for modules.

        Raises:
            WorkerError: when there is no answer; the worker is closed then.
        """
        deadline = time.monotonic() + seconds
        nonce = secrets.token_hex(16)
        self._send({"nonce": nonce, **request})
        while True:
            answer = self._receive(nonce, deadline)
            name = answer.get("neighbour")
            if neighbour is None or not isinstance(name, str):
                return answer
            self._send({"nonce": nonce, **neighbour(name)})

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
            # A process that left the group may hold a pipe open; its reader ends when it does.
            thread.join(_PATIENCE)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        # A worker that is gone is noticed when its answer is missing.
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(f"{json.dumps(request)}\n".encode())
            self._process.stdin.flush()

    def _receive(self, nonce: str, deadline: float) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            self._ask_where()
            raise self._failed(End.SLOW) from None
        if line is None:
            raise self._failed(End.ENDED)
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            raise self._failed(End.BROKEN) from None
        if not isinstance(answer, dict) or answer.get("nonce") != nonce:
            raise self._failed(End.BROKEN)
        return answer

    def _ask_where(self) -> None:
        """Let a process that hangs say in which line it does."""
        if hasattr(os, "killpg"):  # pragma: no branch - Windows
            self._process.send_signal(signal.SIGABRT)
            with contextlib.suppress(queue.Empty):
                self._answers.get(timeout=_PATIENCE)

    def _failed(self, end: End) -> WorkerError:
        self.close()
        code = self._process.returncode
        status = _signal_name(-code) if code is not None and code < 0 else f"exit code {code}"
        return WorkerError(end, status, self._tail.decode("utf-8", "replace"))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _read(pipe: IO[bytes], into: queue.SimpleQueue[bytes | None]) -> None:
    with pipe:
        while (line := pipe.readline(_ANSWER)).endswith(b"\n") and into.qsize() < _UNREAD:
            into.put(line)
    # The rest of a line that is too long, or has no end, is no answer either.
    if line:
        into.put(line)
    into.put(None)


def _drain(pipe: IO[bytes], tail: bytearray) -> None:
    with pipe:
        while chunk := os.read(pipe.fileno(), _TAIL):
            tail += chunk
            del tail[:-_TAIL]
