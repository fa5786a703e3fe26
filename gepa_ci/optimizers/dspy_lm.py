"""Owns the LM that DSPy's optimizers are given: the reflection LM, asked by our client.

The call is made with the parameters of `models.reflection`, whatever an optimizer would like: not
every model takes every temperature. The same request again is an independent call, and a search
that is started again asks in the same order, so that the journal answers.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from gepa_ci.core.call import Call, Purpose
from gepa_ci.core.digests import digest
from gepa_ci.core.prompt import Message, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.config import ModelSpec
    from gepa_ci.optimizers.workbench import Workbench

_NAME = "gepa-ci/reflection"


class Reflection:
    """Asks the reflection LM, and numbers equal questions."""

    def __init__(self, bench: Workbench, spec: ModelSpec) -> None:
        self._bench = bench
        self._spec = spec
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def ask(self, messages: Sequence[Message]) -> str:
        """Return the answer to messages."""
        key = digest([[message.role.value, message.content] for message in messages])
        with self._lock:
            number = self._asked[key]
            self._asked[key] += 1
        call = Call(
            spec=self._spec, messages=tuple(messages), trial=number, purpose=Purpose.REFLECTION
        )
        return self._bench.ask(call)

    # What dspy.LM takes as an engine

    def complete(self, request: Any) -> Any:
        """Answer a request of DSPy's."""
        from dspy import lm15

        messages = [
            Message(role=_role(message.role), content=_text(message.parts))
            for message in request.messages
        ]
        if request.system:
            messages.insert(0, Message(role=Role.SYSTEM, content=_text(request.system)))
        return lm15.Response(
            id=None,
            model=request.model,
            message=lm15.Message.assistant(self.ask(messages)),
            finish_reason="stop",
            usage=lm15.Usage(),
        )

    def __deepcopy__(self, memo: object) -> Reflection:
        return self


def language_model(engine: object) -> Any:
    """Return a dspy.LM over an engine, which has neither a cache nor retries of its own."""
    import dspy

    return dspy.LM(_NAME, engine=engine, cache=False, num_retries=0)


class NoReflection:
    """Stands in where a search has no reflection LM: optimizers copy their LM but do not ask it."""

    def complete(self, request: Any) -> Any:
        """Refuse to answer."""
        raise AssertionError(f"there is no reflection LM to answer {request.model}")

    def __deepcopy__(self, memo: object) -> NoReflection:
        return self


def _role(name: str) -> Role:
    return Role(name) if name in tuple(Role) else Role.USER


def _text(parts: Any) -> str:
    if isinstance(parts, str):
        return parts
    return "\n".join(str(getattr(part, "text", part)) for part in parts)
