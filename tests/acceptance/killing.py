"""Kills a command in the middle, with a record of which requests had been answered by then."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provider import FakeProvider, hang
from world import CONFIG

from gepa_ci.cli import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from provider import Request

_SETTLE = 0.3
"""Seconds in which a client has surely read and kept the answers that were sent to it."""


@dataclass(slots=True)
class Hitman:
    """Answers until a number of answers is reached, then nobody any more, and kills the client.

    What was in flight at a kill is exactly what arrived and was not answered.
    """

    provider: FakeProvider
    answered: list[Request] = field(default_factory=list)
    last: int = sys.maxsize
    """How many answers are given, all runs together, before the client is killed."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _frozen: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def on(cls, provider: FakeProvider) -> Hitman:
        """Take a provider over."""
        hitman = cls(provider)
        provider.faults = [(hitman._is_left_alone, hang())]
        return hitman

    @property
    def bodies(self) -> Counter[bytes]:
        """Return how often each request was answered, by its bytes."""
        return Counter(request.raw for request in self.answered)

    def kill_at(self, last: int, start: Callable[[], BaseProcess | subprocess.Popen[bytes]]) -> int:
        """Start a client, kill it when so many answers are given, and return its exit code."""
        self.last = last
        self._frozen.clear()
        client = start()
        assert self._frozen.wait(60), "the client never came so far"
        while self.provider.answered < len(self.answered):
            time.sleep(0.01)
        time.sleep(_SETTLE)
        client.kill()
        code = client.wait() if isinstance(client, subprocess.Popen) else _joined(client)
        self.last = sys.maxsize
        self._frozen.clear()
        return code

    def _is_left_alone(self, request: Request) -> bool:
        with self._lock:
            if len(self.answered) >= self.last:
                self._frozen.set()
                return True
            self.answered.append(request)
            return False


def _joined(client: BaseProcess) -> int:
    client.join()
    code = client.exitcode
    client.close()
    assert code is not None
    return code


def start(root: Path, *arguments: str) -> BaseProcess:
    """Start a command in a process of its own that has all imports behind it already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dspy", "gepa", "litellm", "scipy.stats", "gepa_ci.cli"])
    process = context.Process(target=_child, args=([*arguments, "--config", str(root / CONFIG)],))
    process.start()
    return process


def _child(arguments: list[str]) -> None:
    # Its output would mix with that of the tests.
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - no path of ours
        sys.stdout = sys.stderr = nowhere
        code = run(arguments)
    os._exit(code)
