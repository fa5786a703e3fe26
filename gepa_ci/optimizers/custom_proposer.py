"""Owns proposers that users write: `path.py:function`, called by processes that hold no keys."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gepa_ci.core.call import Call, Purpose
from gepa_ci.core.digests import digest
from gepa_ci.core.prompt import ComponentKind, Message, Role
from gepa_ci.errors import ConfigError, ProgramError
from gepa_ci.workers.answers import excerpt, harmless, read_told, show_printed
from gepa_ci.workers.child import WorkerError
from gepa_ci.workers.pool import WorkerPool
from gepa_ci.workers.source import Sources
from gepa_ci.workers.user_file import Limits, UserFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gepa_ci.core.config import ModelSpec
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.optimizers.proposers import Ask, Observation, Occasion

KIND = "proposer"
_HOST = "gepa_ci.optimizers.proposer_worker"
_VERSION = 1
# A function may ask the reflection LM several times, and each answer takes its time.
_LIMITS = Limits(call_seconds=1800.0)
_SAME = 1000
"""Equal prompts of one proposal that are independent calls."""
_ARGUMENTS = 2
_HINT = "write it as (occasion, reflect), and return {component: text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeProposer:
    """Has a user's function make proposals."""

    pool: WorkerPool
    """The processes, which have loaded the function's file."""
    path: str
    name: str
    line: int | None
    """1-based line of its definition."""
    digest: str
    """Changes with the code."""
    spec: ModelSpec | None
    """The reflection LM that it may ask; None where the config names none."""
    ask: Ask
    rules: Callable[[str], list[str]]
    """The rules of admission for a component, in words."""

    def components(self, prompt: Prompts) -> tuple[str, ...]:
        """Return all components that are text."""
        return tuple(c.name for c in prompt.components if c.kind is ComponentKind.TEXT)

    def propose(self, occasion: Occasion, *, attempt: int, refused: str) -> dict[str, str] | None:
        """Return what the function proposes.

        Raises:
            ProgramError: it raised, hung, ended its process, or returned no texts.
        """
        asked: Counter[str] = Counter()

        def answer(prompt: str) -> Mapping[str, Any]:
            asked[prompt] += 1
            return self._reflect(prompt, attempt * _SAME + asked[prompt] - 1)

        request = {"occasion": self._told(occasion, attempt, refused)}
        try:
            with self.pool.worker() as worker:
                # A worker's own questions are for modules while it loads; here, for the LM.
                found = worker.ask(request, seconds=_LIMITS.call_seconds, neighbour=answer)
        except WorkerError as error:
            raise self._lost(error) from None
        show_printed(found)
        return self._read(found, occasion)

    def close(self) -> None:
        """End the processes."""
        self.pool.close()

    def _reflect(self, prompt: str, trial: int) -> Mapping[str, Any]:
        if self.spec is None:
            return {"problem": "the config names no reflection LM: add `models: {reflection: ...}`"}
        message = Message(role=Role.USER, content=prompt)
        call = Call(spec=self.spec, messages=(message,), trial=trial, purpose=Purpose.REFLECTION)
        return {"text": self.ask(call)}

    def _told(self, occasion: Occasion, attempt: int, refused: str) -> dict[str, Any]:
        return {
            "texts": dict(occasion.texts),
            "components": list(occasion.components),
            "rules": {name: self.rules(name) for name in occasion.texts},
            "refused": refused,
            "attempt": attempt,
            "observations": [_observed(o) for o in occasion.observations],
        }

    def _read(self, found: Mapping[str, Any], occasion: Occasion) -> dict[str, str] | None:
        if "raised" in found:
            told = read_told(found["raised"], KIND)
            raise self._error(
                f"raised {told.type}: {told.text}\n{told.frames}".rstrip(),
                told.hint,
                told.line,
            )
        texts = found.get("texts")
        if not isinstance(texts, dict):
            said = harmless(str(found.get("not_texts")))
            raise self._error(f"returned {said}", "return {component: text}, or None for nothing")
        for name, text in texts.items():
            if name not in occasion.texts or not isinstance(text, str):
                known = ", ".join(occasion.texts)
                raise self._error(
                    f"returned a text for '{harmless(str(name))}'", f"components: {known}"
                )
        return {n: t for n, t in texts.items() if t != occasion.texts[n]} or None

    def _lost(self, error: WorkerError) -> ProgramError:
        where, line = excerpt(error, self.path)
        return self._error(
            f"failed: its process {error.end.value} ({error.status})\n{where}".rstrip(),
            "return texts, or raise an exception, instead of ending the process",
            line,
        )

    def _error(self, what: str, hint: str | None, line: int | None = None) -> ProgramError:
        return ProgramError(
            f"{KIND} '{self.name}' {what}", path=self.path, line=line or self.line, hint=hint
        )


def build_code_proposer(
    target: str,
    read: Callable[[str], bytes],
    *,
    where: str,
    line: int | None,
    spec: ModelSpec | None,
    ask: Ask,
    rules: Callable[[str], list[str]],
) -> CodeProposer:
    """Load `path.py:function`.

    Raises:
        ConfigError: the file or the function cannot be used.
    """
    path, _, name = target.rpartition(":")
    sources = Sources(path, read, kind=KIND)
    file = UserFile(sources=sources, function=name, limits=_LIMITS, host=_HOST)
    first, function = file.load()
    pool = WorkerPool(lambda: file.load()[0], first)
    problem = None
    if not function.is_callable:
        problem = f"'{path}' has no function '{name}'"
    elif function.parameters is not None:
        positional = [p for p in function.parameters if p.kind.startswith("POSITIONAL")]
        required = sum(p.is_required and not p.kind.startswith("VAR_") for p in function.parameters)
        any_number = any(p.kind == "VAR_POSITIONAL" for p in function.parameters)
        if required > _ARGUMENTS or (len(positional) < _ARGUMENTS and not any_number):
            problem = f"{KIND} '{name}' cannot be called with two arguments: it is {function.shown}"
    if problem is not None:
        pool.close()
        there = ", ".join(function.others) or "none"
        hint = _HINT if function.is_callable else f"functions there: {there}"
        at = (path, function.line) if function.is_callable else (where, line)
        raise ConfigError(problem, path=at[0], line=at[1], hint=hint)
    return CodeProposer(
        pool=pool,
        path=path,
        name=name,
        line=function.line,
        digest=digest([KIND, _VERSION, name, sources.complete()]),
        spec=spec,
        ask=ask,
        rules=rules,
    )


def _observed(observation: Observation) -> dict[str, Any]:
    example, trial = observation.example, observation.trial
    return {
        "id": example.id,
        "inputs": dict(example.inputs),
        "expected": example.expected,
        "output": trial.output,
        "score": trial.score.value,
        "parts": dict(trial.score.parts),
        "feedback": trial.score.feedback,
        "component_feedback": dict(observation.feedback),
        "trace": trial.trace,
        "steps": [
            {
                "prompt": step.prompt,
                "inputs": dict(step.inputs),
                "output": step.output,
                "fields": dict(step.fields),
            }
            for step in trial.steps
        ],
    }
