"""Owns what Ctrl-C does to a search: the first one stops it, the second ends everything."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gepa_ci.optimizers.stoppers import SecondInterrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

PATIENCE = 5.0
"""Seconds for the calls in flight; a CI service that cancels a job grants a little more."""


@contextmanager
def stopping_by_hand(on_first: Callable[[], None]) -> Iterator[bool]:
    """Let Ctrl-C in the block raise KeyboardInterrupt, and SecondInterrupt from then on.

    `on_first` runs on a thread of its own at the first one: a signal handler interrupts the main
    thread anywhere, and may not wait for a lock that this thread holds. Yields whether Ctrl-C is
    ours to handle; it is not where the process was started to ignore it.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield False
        return
    pressed, left = threading.Event(), threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        if pressed.is_set():
            raise SecondInterrupt
        pressed.set()
        raise KeyboardInterrupt

    def watch() -> None:
        pressed.wait()
        if not left.is_set():
            on_first()

    watcher = threading.Thread(target=watch, name="gepa-ci-interrupt", daemon=True)
    watcher.start()
    signal.signal(signal.SIGINT, handle)
    try:
        yield True
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        left.set()
        pressed.set()
        watcher.join()
