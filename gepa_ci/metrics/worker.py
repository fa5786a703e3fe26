"""Owns a worker's side: a process without keys that loads a user's file and calls its function."""

from __future__ import annotations

import faulthandler
import inspect
import io
import json
import os
import signal
import sys
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Protocol

from gepa_ci.core.suite import Example
from gepa_ci.metrics.returned import NotAScoreError, read_score
from gepa_ci.metrics.seclusion import allow_processor_time, confine
from gepa_ci.metrics.views import ExampleView, PredictionView
from gepa_ci.metrics.worker_loading import load, told

if TYPE_CHECKING:
    from collections.abc import Callable

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
        Thread(target=_receive, args=(requests, self._requests), daemon=True).start()

    def receive(self) -> dict[str, Any]:
        """Wait for the next request; when no more can come, the process has ended."""
        request: dict[str, Any] = json.loads(self._requests.get())
        allow_processor_time(_SECONDS)
        return request

    def send(self, answer: dict[str, Any]) -> None:
        """Write one line."""
        line = f"{json.dumps(answer, allow_nan=False)}\n".encode()
        with os.fdopen(self._answers, "wb", closefd=False) as pipe:
            pipe.write(line)


def main() -> None:  # pragma: no cover - runs in workers only
    """Serve the process that started this one until it goes away."""
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
    serve(Pipes(requests, answers), printed)


def serve(channel: Channel, printed: Printed) -> None:
    """Load the file that is asked for, then call its function for each example."""
    process, path = os.getpid(), ""
    function: Callable[..., Any] | None = None
    while (request := channel.receive()) is not None:
        nonce = request["nonce"]

        def ask(name: str, nonce: str = nonce) -> dict[str, Any]:
            channel.send({"nonce": nonce, "neighbour": name})
            return channel.receive() or {}

        if function is None:
            path = request["path"]
            function, answer = load(request, ask)
        else:
            answer = _call(function, request, path)
        if os.getpid() != process:
            # The user's code has forked and came back twice; one of them may answer.
            os._exit(0)  # pragma: no cover - in a copy of a worker
        channel.send({"nonce": nonce, "printed": printed.take(), **answer})


def _call(function: Callable[..., Any], request: dict[str, Any], path: str) -> dict[str, Any]:
    given, output = request["example"], request["output"]
    try:
        example = Example(
            id=given["id"],
            inputs=given["inputs"],
            expected=given["expected"],
            tags=tuple(given["tags"]),
            group=given["group"],
        )
        prediction = PredictionView(output) if request["is_dspy"] else output
        value = function(ExampleView(example), prediction, *[None] * request["rest"])
        if inspect.iscoroutine(value):
            import asyncio

            value = asyncio.run(value)
        score = read_score(value)
    except NotAScoreError as error:
        return {"not_a_score": str(error)}
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is told
        return {"raised": told(error, path)}
    parts = dict(score.parts)
    return {"score": {"score": score.value, "feedback": score.feedback, "parts": parts}}


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
