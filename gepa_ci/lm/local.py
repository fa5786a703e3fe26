"""Owns the model name `local`: SmolLM2-135M-Instruct, run by xllamacpp in this process."""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gepa_ci.errors import Interrupted, LMError
from gepa_ci.lm.local_files import default_cache_dir, find_model, pull_model

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
_SLOTS = 4
_MOST_THREADS = 8
_DEFAULT_MAX_TOKENS = 512
_PARAMETERS = ("temperature", "top_p", "max_tokens", "stop", "seed", "response_format")


class ContextLengthExceeded(Exception):  # noqa: N818 - an outcome of the model, which scores 0
    """The messages are longer than the local model's context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalReply:
    """What the local model answered."""

    text: str
    """The answer."""
    input_tokens: int
    """Tokens of the messages in the model's chat template."""
    output_tokens: int
    """Tokens of the answer."""
    finish_reason: str
    """`stop`, or `length` when max_tokens or the context cut the answer off."""


@dataclass(slots=True)
class _Stream:
    """What has arrived of an answer."""

    closing: threading.Event
    pieces: list[str] = field(default_factory=list)
    last: dict[str, Any] = field(default_factory=dict)
    """Of the last chunks: finish_reason, usage, error."""

    def take(self, chunk: dict[str, Any]) -> bool:
        """Add one chunk; return whether the model is to stop."""
        self.last.update({key: chunk[key] for key in ("error", "usage") if chunk.get(key)})
        for choice in chunk.get("choices", ()):
            self.pieces.append(choice["delta"].get("content") or "")
            self.last["finish_reason"] = choice["finish_reason"] or self.last.get("finish_reason")
        return self.closing.is_set()


class LocalModel:
    """The local model, loaded; its answers at temperature 0 depend on nothing but the call.

    The last bits of a token's scores depend on how the tokens before it were cut into batches,
    so a cache of common prefixes, as the library has it, gives other answers in another order of
    calls. Here every call is computed in the same cuts: all messages but the last, from nothing;
    the last token of them once more; the last message. The first cut, which with examples as
    turns is nearly all of the work, is kept for the prompts that were used last.
    """

    def __init__(self, cache_dir: Path, *, context: int = 4096) -> None:
        """Find the model file, or fetch it on first use, and load it."""
        library = _library()
        path = pull_model(cache_dir, report=_LOG.info)
        self._closing = threading.Event()
        # One call at a time, because calls computed side by side share batches, which changes their
        # bits; and never in the main thread, where the library would swallow a Ctrl-C.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="local-model")
        self._held: list[str | None] = [None] * _SLOTS
        """The messages that each slot holds, all but the last of a call."""
        self._order = list(range(_SLOTS))
        """Slots, the one that was used last at the end."""
        self._server: Any = _load(library, path, context)

    def complete(self, messages: Sequence[Message], parameters: Mapping[str, JSON]) -> LocalReply:
        """Generate an answer, greedily unless the parameters have a temperature above 0."""
        turns = [{"role": str(m.role), "content": m.content} for m in messages]
        body: dict[str, Any] = {"temperature": 0, "max_tokens": _DEFAULT_MAX_TOKENS}
        body |= {key: parameters[key] for key in _PARAMETERS if parameters.get(key) is not None}
        if self._closing.is_set():
            raise Interrupted("the local model was stopped")
        waiting = self._worker.submit(self._complete, turns, body)
        try:
            return waiting.result()
        except KeyboardInterrupt:
            self._closing.set()
            raise

    def close(self) -> None:
        """Stop what is being generated and free the model; its threads end."""
        self._closing.set()
        self._worker.shutdown()
        self._server = None

    def _complete(self, turns: list[dict[str, str]], body: dict[str, Any]) -> LocalReply:
        slot = self._prepare(turns[:-1])
        stream = self._send(
            {**body, "messages": turns, "id_slot": slot, "cache_prompt": len(turns) > 1}
        )
        usage = stream.last.get("usage", {})
        return LocalReply(
            text="".join(stream.pieces),
            input_tokens=usage.get("prompt_tokens", 0),
            output_tokens=usage.get("completion_tokens", 0),
            finish_reason=stream.last.get("finish_reason") or "stop",
        )

    def _prepare(self, turns: list[dict[str, str]]) -> int:
        """Bring a slot to exactly the state after these messages and return its number."""
        key = json.dumps(turns)
        known = key in self._held
        slot = self._held.index(key) if known else self._order[0]
        self._order.remove(slot)
        self._order.append(slot)
        self._held[slot] = None
        if turns:
            body = {"messages": turns, "add_generation_prompt": False, "id_slot": slot}
            body |= {"temperature": 0, "max_tokens": 0}
            if not known:
                self._send({**body, "cache_prompt": False})
            # Drops what an earlier call left behind, at the price of one token.
            self._send({**body, "cache_prompt": True})
        self._held[slot] = key
        return slot

    def _send(self, body: dict[str, Any]) -> _Stream:
        """Make one request and return all that came."""
        if self._closing.is_set():
            raise Interrupted("the local model was stopped")
        stream = _Stream(closing=self._closing)
        self._server.handle_chat_completions(
            {**body, "stream": True, "stream_options": {"include_usage": True}}, stream.take
        )
        if self._closing.is_set():
            raise Interrupted("the local model was stopped")
        if error := stream.last.get("error"):
            if error.get("type") == "exceed_context_size_error":
                raise ContextLengthExceeded(
                    f"the messages have {error['n_prompt_tokens']} tokens or more,"
                    f" the context of the local model {error['n_ctx']}"
                )
            raise LMError(f"the local model refused the call: {error.get('message', error)}")
        return stream


def _library() -> Any:
    """Import xllamacpp."""
    # The one place outside the command line that touches the environment: the OpenMP runtime reads
    # these once, when the library is loaded, and there is no other way to tell it. Without them two
    # threads that wait by spinning slow each other down by a factor of 50 on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    try:
        import xllamacpp
    except ImportError as error:
        raise LMError(
            f"the model 'local' needs the package xllamacpp ({error})",
            hint="pip install 'gepa-ci[local]'",
        ) from error
    return xllamacpp


def _load(library: Any, path: Path, context: int) -> Any:
    """Load the model."""
    try:
        return library.Server(_settings(library, path, context))
    except RuntimeError as error:
        raise LMError(f"the local model could not be loaded: {error}", path=str(path)) from error


def _settings(library: Any, path: Path, context: int) -> Any:
    """Return the library's parameters: on the CPU, quiet, nothing that depends on earlier calls."""
    settings = library.CommonParams()
    settings.model.path = str(path)
    settings.n_ctx = context * _SLOTS
    settings.n_parallel = _SLOTS
    settings.n_gpu_layers = 0
    settings.fit_params = False
    threads = min(_processors(), _MOST_THREADS)
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    # With it the same tokens in other batches give other bits more often.
    settings.flash_attn_type = library.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    settings.cache_ram_mib = 0
    settings.cache_idle_slots = False
    settings.prefill_assistant = False
    settings.warmup = False
    settings.verbosity = -1
    # The library listens on a port of the loopback interface whether it is wanted or not.
    settings.port = 0
    settings.api_keys = [secrets.token_hex(32)]
    settings.ui = settings.endpoint_slots = settings.endpoint_props = False
    return settings


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # pragma: no cover - not on Linux
