"""Owns a worker that answers one request at a time: loads a user's file, calls its function."""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any

from gepa_ci.workers.loading import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.workers.channel import Channel, Printed

    Ask = Callable[[str], dict[str, Any]]
    """Asks the process that started this one, and returns its answer."""
    Call = Callable[[Callable[..., Any], dict[str, Any], Ask, str], dict[str, Any]]
    """Answers a request with the user's function; told whom to ask, and the file's path."""


def serve(channel: Channel, printed: Printed, call: Call) -> None:
    """Load the file that is asked for, then answer request after request with its function."""
    process, path = os.getpid(), ""
    function: Callable[..., Any] | None = None
    while (request := channel.receive()) is not None:
        nonce = request["nonce"]

        def ask(question: str, nonce: str = nonce) -> dict[str, Any]:
            channel.send({"nonce": nonce, "neighbour": question})
            return channel.receive() or {}

        if function is None:
            path = request["path"]
            function, answer = load(request, ask)
        else:
            answer = call(function, request, ask, path)
        if os.getpid() != process:
            # The user's code has forked and came back twice; one of them may answer.
            os._exit(0)  # pragma: no cover - in a copy of a worker
        channel.send({"nonce": nonce, "printed": printed.take(), **answer})


def awaited(value: Any) -> Any:
    """Return what a user's function gave, also where it is `async`."""
    if not inspect.iscoroutine(value):
        return value
    import asyncio

    return asyncio.run(value)
