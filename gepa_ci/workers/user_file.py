"""Owns having a user's file loaded by a worker, and what is known of its function then."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gepa_ci.errors import ConfigError
from gepa_ci.workers.answers import Told, excerpt, harmless, read_told, show_printed
from gepa_ci.workers.child import End, WorkerError
from gepa_ci.workers.process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.workers.source import SourceFile, Sources

_LATER = "do what may end the process or takes long in the function, not while it is imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long user code may run."""

    call_seconds: float = 30.0
    """One call of the function."""
    load_seconds: float = 120.0
    """The import of its file, with all that it imports in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a function."""

    name: str
    """Its name."""
    kind: str
    """As in `inspect.Parameter`, such as KEYWORD_ONLY."""
    is_required: bool
    """Whether it has no default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFunction:
    """What a worker found under the function's name."""

    is_there: bool
    """Whether the file defines the name."""
    is_callable: bool
    """Whether it can be called."""
    others: tuple[str, ...]
    """Names of the file's own top-level functions, in their order."""
    line: int | None
    """1-based line of its definition in the file."""
    shown: str
    """Its name and signature."""
    parameters: tuple[Parameter, ...] | None
    """None when Python cannot tell."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else the worker told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFile:
    """A user's file whose function is wanted."""

    sources: Sources
    """Its text, and its neighbours'."""
    function: str
    """The function's name."""
    limits: Limits
    """How long it may take."""
    host: str
    """The module whose `main` a worker runs."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that a worker is given besides the few that all have."""
    unread: int = 4
    """Lines of a worker that may wait."""

    @property
    def path(self) -> str:
        """Return the path as in the config."""
        return self.sources.main.path

    def load(self) -> tuple[WorkerProcess, UserFunction]:
        """Start a worker, let it import the file, and return both.

        Raises:
            ConfigError: when the file cannot be imported.
        """
        worker: WorkerProcess | None = None
        try:
            worker = WorkerProcess(self.host, environment=self.environment, unread=self.unread)
            answer = worker.ask(
                {"function": self.function, **_sent(self.sources.main)},
                seconds=self.limits.load_seconds,
                neighbour=lambda name: _sent(self.sources.neighbour(name)),
            )
        except WorkerError as error:
            raise self._lost(error) from None
        show_printed(answer)
        if "invalid" not in answer and "failed" not in answer:
            return worker, _function(answer)
        worker.close()
        if "failed" in answer:
            raise self._failed(read_told(answer["failed"], self.sources.kind))
        raise self._invalid(answer["invalid"])

    def _invalid(self, told: Any) -> ConfigError:
        found = told if isinstance(told, dict) else {}
        line = found.get("line")
        reason = harmless(str(found.get("reason")))
        return ConfigError(
            f"the {self.sources.kind}'s file is not valid Python: {reason}",
            path=self.path,
            line=line if isinstance(line, int) else None,
        )

    def _failed(self, told: Told) -> ConfigError:
        hint = told.hint
        if told.module is not None:
            hint = (
                f"install '{told.module}' where gepa-ci runs, "
                f"or put it beside the {self.sources.kind}'s file"
            )
        return ConfigError(
            f"the {self.sources.kind}'s file cannot be imported: {told.type}: {told.text}",
            path=self.path,
            line=told.line,
            hint=hint,
        )

    def _lost(self, error: WorkerError) -> ConfigError:
        where, line = excerpt(error, self.path)
        what, hint = f"its process {error.end.value} ({error.status})", _LATER
        if error.end is End.SLOW:
            what = f"that took more than {self.limits.load_seconds:g} s"
        elif error.end is End.ABSENT:
            hint = "see whether the machine has memory, processes and temporary space left"
        return ConfigError(
            f"the {self.sources.kind}'s file cannot be imported: {what}\n{where}".rstrip(),
            path=self.path,
            line=line,
            hint=hint,
        )


def _sent(file: SourceFile | None) -> dict[str, Any]:
    if file is None:
        return {}
    return {
        "path": file.path,
        "file": str(Path(file.path).absolute()),
        "source": file.content.decode("latin-1"),
        "is_package": file.is_package,
    }


def _function(answer: dict[str, Any]) -> UserFunction:
    facts, others = answer.get("function"), answer.get("functions")
    known = facts if isinstance(facts, dict) else {}
    line, parameters = known.get("line"), known.get("parameters")
    return UserFunction(
        is_there=answer.get("is_there") is True,
        is_callable=isinstance(facts, dict),
        others=tuple(map(str, others)) if isinstance(others, list) else (),
        line=line if isinstance(line, int) else None,
        shown=harmless(str(known.get("shown"))),
        parameters=tuple(map(_parameter, parameters)) if isinstance(parameters, list) else None,
        facts=known,
    )


def _parameter(told: Any) -> Parameter:
    name, kind, is_required = told
    return Parameter(name=str(name), kind=str(kind), is_required=bool(is_required))
