"""A scripted model behind the real client, and small builders for prompts and examples."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

from gepa_ci.core.call import Reply
from gepa_ci.core.config import CacheMode, ModelSpec, SpendCaps
from gepa_ci.core.score import Score, Seen
from gepa_ci.core.suite import Example
from gepa_ci.formats import read_prompt
from gepa_ci.lm.cache import ResponseCache
from gepa_ci.lm.client import LMClient
from gepa_ci.lm.engines import Engines
from gepa_ci.lm.limiter import Limiter
from gepa_ci.lm.meter import Meter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gepa_ci.core.call import Call
    from gepa_ci.core.prompt import Prompt
    from gepa_ci.errors import Problem

SPEC = ModelSpec(model="test/task", api_base="http://localhost:1", retries=0)
"""A model that no price table knows and that is not tried again."""


class ScriptedEngines(Engines):
    """Engines that answer by a function and remember what they were asked."""

    def __init__(self, answer: Callable[[Call], str | Reply]) -> None:
        super().__init__(environ={})
        self.calls: list[Call] = []
        self.closed = False
        self._answer = answer
        self._recording = threading.Lock()

    def engine(self, spec: ModelSpec) -> ScriptedEngines:
        return self

    def complete(self, call: Call) -> Reply:
        with self._recording:
            self.calls.append(call)
        answer = self._answer(call)
        return answer if isinstance(answer, Reply) else Reply(text=answer, model=call.spec.model)

    def close(self) -> None:
        self.closed = True

    @property
    def texts(self) -> list[str]:
        """Return all that was sent, one text a call."""
        return ["\n".join(message.content for message in call.messages) for call in self.calls]


class ScriptedMetric:
    """A metric that is a function."""

    name = "scripted"
    digest = "scripted"
    needs_expected = False
    named_fields: tuple[str, ...] = ()

    def __init__(self, score: Callable[[Example, str], Score]) -> None:
        self._score = score

    def label_problem(self, example: Example) -> Problem | None:
        return None

    def __call__(self, example: Example, output: str, seen: Seen | None = None) -> Score:
        return self._score(example, output)


def is_expected(example: Example, output: str) -> Score:
    """Give full marks for the expected output."""
    return Score(value=float(output == example.expected), feedback=f"expected {example.expected}")


def client(
    answer: Callable[[Call], str | Reply] | ScriptedEngines,
    *,
    caps: SpendCaps | None = None,
    cache: Path | None = None,
    mode: CacheMode = CacheMode.ON,
    in_flight: int = 16,
) -> LMClient:
    """Return the real client over a scripted model."""
    return LMClient(
        engines=answer if isinstance(answer, ScriptedEngines) else ScriptedEngines(answer),
        meter=Meter(caps or SpendCaps(), clock=time.monotonic),
        limiter=Limiter(in_flight, clock=time.monotonic),
        cache=None if cache is None else ResponseCache(cache),
        mode=mode,
    )


def prompt(
    system: str = "Name the kind.",
    user: str = "{{text}}",
    *,
    path: str = "kind.prompt.yml",
    turns: tuple[tuple[str, str], ...] = (),
    model: str = "test/task",
) -> Prompt:
    """Return a prompt with a system message, examples as turns, and a user message."""
    lines = [f"model: {model}", "messages:"]
    for role, content in (
        ("system", system),
        *((role, text) for q, a in turns for role, text in (("user", q), ("assistant", a))),
        ("user", user),
    ):
        # JSON is YAML but for astral characters, which JSON escapes as surrogate pairs.
        lines += [f"  - role: {role}", f"    content: {json.dumps(content, ensure_ascii=False)}"]
    return read_prompt(path, ("\n".join(lines) + "\n").encode())


def examples(count: int, *, name: str = "e", kinds: int = 3) -> tuple[Example, ...]:
    """Return examples of some kinds, in turn: the question names the kind in digits."""
    return tuple(
        Example(
            id=f"{name}{number}",
            inputs={"text": f"letter {name}{number} about {number % kinds}"},
            expected=f"kind {number % kinds}",
        )
        for number in range(count)
    )
