"""Owns asking one worker: a process of our own that runs a user's file, with a time limit."""

from __future__ import annotations

import json
import queue
import secrets
import sys
import time
from typing import TYPE_CHECKING, Any

from gepa_ci.workers.child import Child, End
from gepa_ci.workers.seclusion import import_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_UNREAD = 4
"""Answers that may wait; there is never more than one question."""


class WorkerProcess:
    """One worker."""

    def __init__(
        self,
        host: str,
        *,
        environment: Mapping[str, str] | None = None,
        unread: int = _UNREAD,
    ) -> None:
        """Start it.

        Args:
            host: The module whose `main` it runs.
            environment: Variables that it is given besides the few that all have.
            unread: Lines that may wait.

        Raises:
            WorkerError: it could not be started.
        """
        code = f"import sys; sys.path[:] = {import_path()!r}; from {host} import main; main()"
        command = [sys.executable, "-P", "-s", "-B", "-c", code]
        self.child = Child(command, unread=unread, environment=environment)

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
        self.child.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        self.child.send(f"{json.dumps(message)}\n".encode())

    def _receive(self, nonce: str, deadline: float) -> dict[str, Any]:
        try:
            line = self.child.lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            self.child.ask_where()
            raise self.child.failed(End.SLOW) from None
        if line is None:
            raise self.child.failed(End.ENDED)
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            raise self.child.failed(End.BROKEN) from None
        if not isinstance(answer, dict) or answer.get("nonce") != nonce:
            raise self.child.failed(End.BROKEN)
        return answer
