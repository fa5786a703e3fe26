"""Owns a worker's side of the way to the process that asks it, and what is printed meanwhile."""

from __future__ import annotations

import faulthandler
import io
import json
import os
import signal
import sys
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Protocol

from gepa_ci.workers.seclusion import allow_processor_time, confine

_PRINTED = 64 << 10
"""Bytes of what one call prints that are passed on."""

_SECONDS = 150.0 * (os.cpu_count() or 1)
"""Processor time for one request; the caller's patience ends before."""


class Channel(Protocol):
    """The way to the process that asks."""

    def receive(self) -> dict[str, Any] | None:
        """Return the next request, or None after the last."""

    def send(self, answer: dict[str, Any]) -> None:
        """Answer it."""


class Printed(io.RawIOBase):
    """Takes what is printed, up to a limit."""

    def __init__(self) -> None:
        super().__init__()
        self._kept = bytearray()
        self._left_out = 0
        self._lock = Lock()

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor that a process of the user's may print to instead."""
        return 1

    def write(self, data: Any) -> int:
        """Keep what still fits."""
        given = bytes(data)
        with self._lock:
            kept = given[: _PRINTED - len(self._kept)]
            self._kept += kept
            self._left_out += len(given) - len(kept)
        return len(given)

    def take(self) -> str:
        """Return what was printed since the last time."""
        with self._lock:
            text = self._kept.decode("utf-8", "replace")
            if self._left_out:
                text += f"\n... ({self._left_out} more bytes were printed)\n"
            self._kept.clear()
            self._left_out = 0
        return text

    def redirect(self) -> None:
        """Stand in for stdout and stderr."""
        sys.stdout, sys.stderr = (self._text() for _ in range(2))

    def _text(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(
            self,  # type: ignore[arg-type,unused-ignore]
            encoding="utf-8",
            errors="backslashreplace",
            write_through=True,
        )


class Pipes:  # pragma: no cover - used in workers only
    """The channel over the pipes that this process was started with."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests: SimpleQueue[bytes] = SimpleQueue()
        self._answers = answers
        self._lock = Lock()
        Thread(target=_receive, args=(requests, self._requests), daemon=True).start()

    def receive(self) -> dict[str, Any]:
        """Wait for the next request; when no more can come, the process has ended."""
        request: dict[str, Any] = json.loads(self._requests.get())
        allow_processor_time(max(_SECONDS, request.get("processor_seconds", 0.0)))
        return request

    def send(self, answer: dict[str, Any]) -> None:
        """Write one line."""
        line = f"{json.dumps(answer, allow_nan=False)}\n".encode()
        # Several threads may have something to say.
        with self._lock, os.fdopen(self._answers, "wb", closefd=False) as pipe:
            pipe.write(line)


def secluded_channel() -> tuple[Pipes, Printed]:  # pragma: no cover - runs in workers only
    """Take this process from all that user code has no need of; return the way to its parent."""
    requests, answers = os.dup(0), os.dup(1)
    # What the user's code writes to stdout must not be taken for an answer.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    faulthandler.enable(2)
    confine(os.getcwd())  # noqa: PTH109 - a text is wanted
    printed = Printed()
    printed.redirect()
    return Pipes(requests, answers), printed


def _receive(  # pragma: no cover - runs in workers only
    requests: int, into: SimpleQueue[bytes]
) -> None:
    with os.fdopen(requests, "rb") as pipe:
        for line in pipe:
            into.put(line)
    # The other side is gone, and nobody waits for what the user's code may still be doing.
    if hasattr(os, "killpg"):
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)
