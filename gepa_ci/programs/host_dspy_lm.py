"""Owns DSPy's way to the models within a worker: an engine over the hub, and its trace."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from gepa_ci.programs.host_hub import CallError, ModelError, text_of
from gepa_ci.programs.host_outcome import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from gepa_ci.programs.host_hub import Hub

_NAMELESS = "task"


class Run:
    """One run of a module: its model, and its trace."""

    def __init__(self, hub: Hub, run: str, module: Any, model: str) -> None:
        self._hub = hub
        self._run = run
        self._names = {id(predictor): name for name, predictor in module.named_predictors()}
        self._said: dict[Any, str] = {}
        self._steps: list[dict[str, Any]] = []
        self._last = ""
        self.trace = Trace(self._note)
        self.lm = engine_lm(model or _NAMELESS, {}, self)

    def steps(self) -> list[dict[str, Any]]:
        """Return the steps so far: predictor, inputs, fields and the answer they were read from."""
        return self._steps

    def ask(self, call: dict[str, Any], name: str) -> Future[dict[str, Any]]:
        """Ask the parent for a call that a predictor makes."""
        return self._hub.ask(self._run, {**call, "prompt": name})

    def heard(self, name: str, reply: dict[str, Any]) -> None:
        """Note what came back, until a predictor has read it."""
        said = str(reply.get("text", ""))
        self._said[name, threading.get_ident()] = self._said[name] = said
        self._last = name

    def name(self, predictor: Any) -> str:
        """Return the name of a predictor; empty for one that the module does not know."""
        found: str = self._names.get(id(predictor), "")
        return found

    def unread(self, error: Any) -> None:
        """Note an answer that could not be read."""
        self._steps.append(
            {"prompt": self._last, "inputs": {}, "output": error.lm_response, "fields": {}}
        )

    def _note(self, predictor: Any, inputs: Mapping[str, Any], prediction: Any) -> None:
        name = self.name(predictor)
        said = self._said.get((name, threading.get_ident()), self._said.get(name, ""))
        step = {"prompt": name, "inputs": _shown(inputs), "fields": _shown(prediction.toDict())}
        self._steps.append({**step, "output": said})


class Trace(list[Any]):
    """The trace of a run, to which predictors append."""

    def __init__(self, note: Any) -> None:
        super().__init__()
        self._note = note

    def append(self, item: Any) -> None:
        """Take in what a predictor has done."""
        super().append(item)
        self._note(*item)

    def __deepcopy__(self, memo: dict[int, Any]) -> Trace:
        # Threads of DSPy's own get a copy of the settings, and their steps are steps of the run.
        return self


class Engine:
    """What DSPy takes for an engine: the calls of whichever run is under way."""

    def __init__(self, model: str, run: Run | None) -> None:
        self.model = model
        self.run = run

    def complete(self, request: Any) -> Any:
        """Return the answer to a request of DSPy."""
        run, name, call = self._prepared(request)
        reply = run.ask(call, name).result()
        run.heard(name, reply)
        return _response(request, reply)

    def _prepared(self, request: Any) -> tuple[Run, str, dict[str, Any]]:
        import dspy
        from dspy.clients.lm15_boundary import request_kwargs

        run: Run = self.run or dspy.settings.lm.engine.run
        callers = dspy.settings.caller_modules or []
        predictor = next((m for m in reversed(callers) if isinstance(m, dspy.Predict)), None)
        call = {**request_kwargs(request, "chat"), "model": self.model}
        if "max_completion_tokens" in call:
            # The config and prompt files call it so too, and a call must not say it twice.
            call["max_tokens"] = call.pop("max_completion_tokens")
        return run, run.name(predictor), call


class AsyncEngine(Engine):
    """The same for modules that await."""

    async def complete(self, request: Any) -> Any:
        """Return the answer to a request of DSPy, while others go on."""
        run, name, call = self._prepared(request)
        reply = await asyncio.wrap_future(run.ask(call, name))
        run.heard(name, reply)
        return _response(request, reply)


def _response(request: Any, reply: dict[str, Any]) -> Any:
    from dspy import lm15

    try:
        text = text_of(reply)
    except CallError as error:
        raise lm15.InvalidRequestError(str(error)) from None
    except ModelError as error:
        if error.failure == "context_length":
            raise lm15.ContextLengthError(error.detail) from None
        text = error.text
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return lm15.response_from_openai_chat(
        {"id": "gepa-ci", "model": request.model, "choices": [choice]}, model=request.model
    )


def engine_lm(model: str, parameters: Mapping[str, Any], run: Run | None = None) -> Any:
    """Return an LM of DSPy whose calls the parent makes."""
    import dspy

    kept = {name: parameters.get(name) for name in ("temperature", "max_tokens")}
    given = {name: value for name, value in kept.items() if value is not None}
    # The task's own model goes by the config's name; only other ones are named.
    asked = _NAMELESS if run is not None else model
    return dspy.LM(
        model,
        engine=Engine(asked, run),
        async_engine=AsyncEngine(asked, run),
        cache=False,
        num_retries=0,
        **given,
    )


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    try:
        return plain(value)
    except TypeError:
        return str(value)
