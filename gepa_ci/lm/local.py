"""Owns the model name `local`: SmolLM2-135M-Instruct, run by xllamacpp in this process."""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from gepa_ci.errors import Interrupted
from gepa_ci.lm.local_files import default_cache_dir, find_model, pull_model
from gepa_ci.lm.local_server import (
    ContextLengthExceeded,
    LocalReply,
    LocalServer,
    Turns,
    import_library,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gepa_ci.core.prompt import Message
    from gepa_ci.core.values import JSON

__all__ = [
    "ContextLengthExceeded",
    "LocalModel",
    "LocalReply",
    "default_cache_dir",
    "find_model",
    "pull_model",
]

_LOG = logging.getLogger(__name__)
_MOST_COPIES = 4
_DEFAULT_MAX_TOKENS = 512
_PARAMETERS = ("temperature", "top_p", "max_tokens", "stop", "seed", "response_format")


class LocalModel:
    """The local model; its answers at temperature 0 depend on nothing but the call.

    One copy of the model is loaded for each processor that is needed at the same time. They share
    the file's pages in memory, but compute apart: calls computed side by side in one copy share
    batches, and that changes the last bits of their answers.
    """

    def __init__(self, cache_dir: Path, *, context: int = 4096) -> None:
        """Find the model file, or fetch it on first use, and load it."""
        import_library()
        self._path = pull_model(cache_dir, report=_LOG.info)
        self._context = context
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._idle = [self._load()]
        # Never in the main thread, where the library would swallow a Ctrl-C.
        self._workers = ThreadPoolExecutor(_copies(), thread_name_prefix="local-model")

    def complete(self, messages: Sequence[Message], parameters: Mapping[str, JSON]) -> LocalReply:
        """Generate an answer, greedily unless the parameters have a temperature above 0."""
        turns = [{"role": str(m.role), "content": m.content} for m in messages]
        body: dict[str, Any] = {"temperature": 0, "max_tokens": _DEFAULT_MAX_TOKENS}
        body |= {key: parameters[key] for key in _PARAMETERS if parameters.get(key) is not None}
        with self._lock:
            # Under the lock that `close` takes too: no call may be handed to workers that are gone.
            if self._closing.is_set():
                raise Interrupted("the local model was stopped")
            waiting = self._workers.submit(self._complete, turns, body)
        try:
            return waiting.result()
        except KeyboardInterrupt:
            self._closing.set()
            raise

    def close(self) -> None:
        """Stop what is being generated and free the model; its threads end."""
        with self._lock:
            self._closing.set()
        self._workers.shutdown()
        self._idle.clear()

    def _complete(self, turns: Turns, parameters: dict[str, Any]) -> LocalReply:
        server = self._take(turns)
        try:
            return server.complete(turns, parameters)
        finally:
            with self._lock:
                self._idle.append(server)

    def _take(self, turns: Turns) -> LocalServer:
        """Return an idle copy, best one that knows the call's first messages, or a new one."""
        with self._lock:
            if self._idle:
                knowing = [server for server in self._idle if server.holds(turns)]
                chosen = (knowing or self._idle)[0]
                self._idle.remove(chosen)
                return chosen
        return self._load()

    def _load(self) -> LocalServer:
        return LocalServer(self._path, context=self._context, closing=self._closing)


def _copies() -> int:
    """Return how many copies of the model may compute at the same time."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), _MOST_COPIES)
    return min(os.cpu_count() or 1, _MOST_COPIES)  # pragma: no cover - not on Linux
