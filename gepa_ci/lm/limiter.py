"""Owns how many calls are in flight: halved by a rate limit, grown back by answers."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Limiter:
    """Additive increase, multiplicative decrease over a fixed ceiling."""

    def __init__(self, ceiling: int, *, clock: Callable[[], float]) -> None:
        """Allow `ceiling` calls at once until a provider says that it is too many."""
        self._ceiling = ceiling
        self._allowed = float(ceiling)
        self._in_flight = 0
        self._clock = clock
        self._quiet_until = 0.0
        self._free = threading.Condition()

    @property
    def allowed(self) -> int:
        """Return how many calls may be in flight now."""
        return max(1, int(self._allowed))

    @property
    def in_flight(self) -> int:
        """Return how many calls are in flight now."""
        return self._in_flight

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one place for the block."""
        with self._free:
            while self._in_flight >= self.allowed:
                self._free.wait()
            self._in_flight += 1
        try:
            yield
        finally:
            with self._free:
                self._in_flight -= 1
                self._free.notify()

    def answered(self) -> None:
        """Grow by one place per round of answers."""
        if self._allowed >= self._ceiling:
            return
        with self._free:
            self._allowed = min(self._ceiling, self._allowed + 1 / self._allowed)
            self._free.notify()

    def rate_limited(self) -> None:
        """Halve, once for all the refusals of one burst."""
        with self._free:
            now = self._clock()
            if now >= self._quiet_until:
                self._allowed = max(1.0, self._allowed / 2)
                self._quiet_until = now + 1.0
