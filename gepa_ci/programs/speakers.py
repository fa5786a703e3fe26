"""Owns the processes of one program: started when they are needed, shared by many runs."""

from __future__ import annotations

import weakref
from contextlib import contextmanager, nullcontext
from threading import Condition, Semaphore
from typing import TYPE_CHECKING

from gepa_ci.errors import ProgramError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gepa_ci.programs.speaker import Speaker


class Speakers:
    """Some processes, each of which serves some runs at once."""

    def __init__(self, start: Callable[[], Speaker], *, processes: int, threads: int) -> None:
        self._start = start
        self._processes = processes
        self._threads = threads
        self._load: dict[Speaker, int] = {}
        self._starting = 0
        self._aside = Semaphore(processes)
        self._changed = Condition()
        self._all: set[Speaker] = set()
        self.close = weakref.finalize(self, _close_all, self._all)
        """Ends all processes; happens by itself with the program's or the interpreter's end."""

    def add(self, speaker: Speaker) -> None:
        """Take over a process that has been started already."""
        self._all.add(speaker)
        self._load[speaker] = 0

    @contextmanager
    def lend(self, *, alone: bool = False) -> Iterator[Speaker]:
        """Lend a process to one run; `alone` starts one that serves no other."""
        with self._aside if alone else nullcontext():
            speaker = self._new() if alone else self._take()
            try:
                yield speaker
            finally:
                self._give_back(speaker, is_last=alone)

    def _take(self) -> Speaker:
        with self._changed:
            while True:
                usable = [s for s in self._load if s.is_alive and self._load[s] < self._threads]
                best = min(usable, key=self._load.__getitem__, default=None)
                alive = sum(s.is_alive for s in self._load) + self._starting
                if alive < self._processes and (best is None or self._load[best]):
                    self._starting += 1
                    break
                if best is not None:
                    self._load[best] += 1
                    return best
                self._changed.wait(1.0)
        try:
            speaker = self._new()
        finally:
            with self._changed:
                self._starting -= 1
                self._changed.notify_all()
        with self._changed:
            self._load[speaker] = 1
            self._changed.notify_all()
        return speaker

    def _new(self) -> Speaker:
        if not self.close.alive:
            raise ProgramError("the program is closed")
        speaker = self._start()
        self._all.add(speaker)
        if not self.close.alive:
            speaker.close()
        return speaker

    def _give_back(self, speaker: Speaker, *, is_last: bool) -> None:
        with self._changed:
            left = self._load.get(speaker, 1) - 1
            is_over = is_last or (left == 0 and not speaker.is_alive)
            if is_over:
                self._load.pop(speaker, None)
                self._all.discard(speaker)
            else:
                self._load[speaker] = left
            self._changed.notify_all()
        if is_over:
            speaker.close()


def _close_all(speakers: set[Speaker]) -> None:
    while speakers:
        speakers.pop().close()
