"""Owns the silence of libraries: what they print, log and warn while they search is dropped."""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGGERS = ("dspy", "gepa", "optuna")
_ABOVE_ALL = logging.CRITICAL + 1


class Quiet:
    """Drops what a library prints in its context; our own work within, and others, are heard."""

    def __init__(self) -> None:
        """Drop nothing yet."""
        # Libraries hand their context on to threads of theirs; ours begin without one.
        self._silent = ContextVar("silent", default=False)

    @property
    def is_silent(self) -> bool:
        """Return whether what is printed right now is a library's."""
        return self._silent.get()

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Let our own progress through, from within what a library does."""
        token = self._silent.set(False)
        try:
            yield
        finally:
            self._silent.reset(token)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Drop prints, logs and warnings until the end of the block."""
        with ExitStack() as undo:
            for name in ("stdout", "stderr"):
                stream = _Filter(getattr(sys, name), self)
                undo.callback(stream.end)
                undo.callback(setattr, sys, name, getattr(sys, name))
                setattr(sys, name, stream)
            for logger in map(logging.getLogger, _LOGGERS):
                undo.callback(logger.setLevel, logger.level)
                logger.setLevel(_ABOVE_ALL)
            undo.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            undo.callback(self._silent.reset, self._silent.set(True))
            yield


class _Filter:
    """A stream that passes on what is not a library's."""

    def __init__(self, stream: Any, quiet: Quiet) -> None:
        self._stream = stream
        self._quiet = quiet
        self._ended = False

    def write(self, text: str) -> int:
        """Write, or drop."""
        is_dropped = self._ended or self._quiet.is_silent
        return len(text) if is_dropped else int(self._stream.write(text))

    def end(self) -> None:
        """Drop all from now on: a progress bar that was left open still draws when it is freed."""
        self._ended = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
