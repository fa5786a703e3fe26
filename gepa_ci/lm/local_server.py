"""Owns one loaded copy of the local model, and that its answers depend on nothing but the call."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gepa_ci.errors import Interrupted, LMError

if TYPE_CHECKING:
    import threading
    from pathlib import Path

_SLOTS = 2

Turns = list[dict[str, str]]


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
class Stream:
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


class LocalServer:
    """One copy of the model, for one call at a time.

    The last bits of a token's scores depend on how the tokens before it were cut into batches,
    so a cache of common prefixes, as the library has it, gives other answers in another order of
    calls. Here every call is computed in the same cuts: all messages but the last, from nothing;
    the last token of them once more; the last message. The first cut, which with examples as
    turns is nearly all of the work, is kept for the prompts that were used last.
    """

    def __init__(self, path: Path, *, context: int, closing: threading.Event) -> None:
        """Load the model; `closing` stops an answer that is being generated."""
        library = import_library()
        self._closing = closing
        self._held: list[str | None] = [None] * _SLOTS
        """The messages that each slot holds, all but the last of a call."""
        self._order = list(range(_SLOTS))
        """Slots, the one that was used last at the end."""
        try:
            self._server: Any = library.Server(_settings(library, path, context))
        except RuntimeError as error:
            raise LMError(
                f"the local model could not be loaded: {error}", path=str(path)
            ) from error

    def holds(self, turns: Turns) -> bool:
        """Return whether a call's messages but the last are computed already."""
        return json.dumps(turns[:-1]) in self._held

    def complete(self, turns: Turns, parameters: dict[str, Any]) -> LocalReply:
        """Generate an answer."""
        slot = self._prepare(turns[:-1])
        stream = self._send(
            {**parameters, "messages": turns, "id_slot": slot, "cache_prompt": len(turns) > 1}
        )
        usage = stream.last.get("usage", {})
        return LocalReply(
            text="".join(stream.pieces),
            input_tokens=usage.get("prompt_tokens", 0),
            output_tokens=usage.get("completion_tokens", 0),
            finish_reason=stream.last.get("finish_reason") or "stop",
        )

    def _prepare(self, turns: Turns) -> int:
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

    def _send(self, body: dict[str, Any]) -> Stream:
        """Make one request and return all that came."""
        if self._closing.is_set():
            raise Interrupted("the local model was stopped")
        stream = Stream(closing=self._closing)
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


def import_library() -> Any:
    """Import xllamacpp."""
    # The one place outside the command line that sets what a library reads from the environment at
    # its import, because there is no other way to tell it: threads that wait by spinning slow each
    # other down by a factor of 50 on a busy machine.
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


def _settings(library: Any, path: Path, context: int) -> Any:
    """Return the library's parameters: on the CPU, quiet, nothing that depends on earlier calls."""
    settings = library.CommonParams()
    settings.model.path = str(path)
    settings.n_ctx = context * _SLOTS
    settings.n_parallel = _SLOTS
    settings.n_gpu_layers = 0
    settings.fit_params = False
    # A model this small gains nothing from a second thread; a second copy of it doubles the speed.
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
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
