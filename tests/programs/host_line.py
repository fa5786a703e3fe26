"""A channel to a worker's side that runs in another thread of the test's own process."""

from __future__ import annotations

import queue
from typing import Any


class Line:
    """A channel to a host in another thread of this process."""

    def __init__(self) -> None:
        self.requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def receive(self) -> dict[str, Any] | None:
        return self.requests.get()

    def send(self, answer: dict[str, Any]) -> None:
        self.answers.put(answer)

    def ask(self, **request: Any) -> dict[str, Any]:
        self.requests.put(request)
        while "neighbour" in (answer := self.answers.get(timeout=20)):
            self.requests.put({})
        return answer
