"""Owns a python program's worker: runs the user's function, many runs at once."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from threading import Thread, get_ident
from typing import TYPE_CHECKING, Any

from gepa_ci.programs.host_hub import Hub
from gepa_ci.programs.host_outcome import outcome
from gepa_ci.programs.host_prompts import LM, PromptViews, prompt_view
from gepa_ci.workers.channel import secluded_channel
from gepa_ci.workers.loading import load, place_of, told

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from gepa_ci.programs.host_dspy import Modules
    from gepa_ci.workers.channel import Channel, Printed

_THREADS = 256
"""More than ever run at once; the parent knows how many do."""


def main() -> None:  # pragma: no cover - runs in workers only
    """Serve the process that started this one until it goes away."""
    serve(*secluded_channel())


def serve(channel: Channel, printed: Printed) -> None:
    """Load the file that is asked for, then run its function for each request."""
    request = channel.receive()
    if request is None:
        return
    nonce, path = request["nonce"], request["path"]
    modules: list[Modules] = []

    def ask(name: str) -> dict[str, Any]:
        channel.send({"nonce": nonce, "neighbour": name})
        return channel.receive() or {}

    def prepare(function: Any) -> dict[str, Any]:
        found, facts = _kind(function)
        modules.extend(found)
        return facts

    function, answer = load(request, ask, prepare)
    channel.send({"nonce": nonce, "printed": printed.take(), **answer})
    if function is not None:
        _Host(channel, printed, path, function, modules[0] if modules else None).listen()


class _Host:
    def __init__(
        self,
        channel: Channel,
        printed: Printed,
        path: str,
        function: Callable[..., Any],
        modules: Modules | None,
    ) -> None:
        self._channel = channel
        self._printed = printed
        self._path = path
        self._function = function
        self._modules = modules
        self._hub = Hub(channel)
        self._process = os.getpid()
        self._at_work: dict[str, int | asyncio.Task[None]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="run")
        self._loop: asyncio.AbstractEventLoop | None = None
        if modules is None and _is_async(function):
            self._loop = asyncio.new_event_loop()
            Thread(target=_serve, args=(self._loop,), name="runs", daemon=True).start()

    def listen(self) -> None:
        """Take requests and replies until no more can come."""
        while (message := self._channel.receive()) is not None:
            if "reply" in message:
                self._hub.answer(message)
            elif "where" in message:
                self._tell_where(message["id"])
            elif self._loop is not None:
                asyncio.run_coroutine_threadsafe(self._run_async(message), self._loop)
            else:
                self._threads.submit(self._run, message)
        self._threads.shutdown(wait=True)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self, request: dict[str, Any]) -> None:
        answer: dict[str, Any]
        self._at_work[request["id"]] = get_ident()
        try:
            if self._modules is not None and "describe" in request:
                answer = {"predictors": self._modules.described(request["files"])}
            elif self._modules is not None:
                answer = self._modules.answer(request, self._hub, self._path)
            else:
                value = self._function(*self._given(request))
                if inspect.iscoroutine(value):
                    value = asyncio.run(value)
                answer = outcome(value)
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is told
            answer = {"raised": told(error, self._path)}
        self._answer(request, answer)

    async def _run_async(self, request: dict[str, Any]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._at_work[request["id"]] = task
        try:
            answer = outcome(await self._function(*self._given(request)))
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is told
            answer = {"raised": told(error, self._path)}
        self._answer(request, answer)

    def _tell_where(self, run: str) -> None:
        """Say in which line a run is that takes too long."""
        at_work = self._at_work.get(run)
        frames: list[FrameType] = []
        if isinstance(at_work, int):
            frame = sys._current_frames().get(at_work)  # noqa: SLF001 - public but for its name
            frames = [frame for frame, _ in traceback.walk_stack(frame)][::-1]
        elif at_work is not None:
            step: Any = at_work.get_coro()
            while (frame := getattr(step, "cr_frame", None)) is not None:
                frames.append(frame)
                step = step.cr_await
        self._channel.send({"id": run, "where": place_of(frames, self._path)})

    def _given(self, request: dict[str, Any]) -> tuple[Any, ...]:
        views = tuple(prompt_view(file["path"], file["source"]) for file in request["files"])
        return PromptViews(views), request["inputs"], LM(self._hub, request["id"])

    def _answer(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        if os.getpid() != self._process:
            # The user's code has forked and came back twice; one of them may answer.
            os._exit(0)  # pragma: no cover - in a copy of a worker
        self._at_work.pop(request["id"], None)
        self._channel.send({"id": request["id"], "printed": self._printed.take(), **answer})


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.closing(loop):
        loop.run_forever()


def _is_async(function: Any) -> bool:
    """Return whether calling an object makes a coroutine."""
    call = vars(type(function)).get("__call__")
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _kind(function: Any) -> tuple[tuple[Modules, ...], dict[str, Any]]:
    """Tell a function from a module of DSPy, or from what makes one."""
    from gepa_ci.programs.host_dspy import modules_of

    modules = modules_of(function)
    if modules is None:
        return (), {"kind": "function"}
    return (modules,), {"kind": "dspy", "predictors": modules.described([])}
