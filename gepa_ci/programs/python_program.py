"""Owns the python program: `path.py:object` of the repository, run by workers without keys."""

from __future__ import annotations

import queue
import secrets
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from gepa_ci.core.digests import digest
from gepa_ci.errors import ConfigError
from gepa_ci.programs.process_program import (
    Clean,
    Place,
    ProcessProgram,
    capacity,
    missing_variables,
)
from gepa_ci.programs.program import Field, Predictor
from gepa_ci.programs.speaker import Speaker
from gepa_ci.programs.speakers import Speakers
from gepa_ci.workers.answers import read_told
from gepa_ci.workers.child import WorkerError
from gepa_ci.workers.source import Sources
from gepa_ci.workers.user_file import Limits, UserFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gepa_ci.core.config import ProgramSpec
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.suite import Example
    from gepa_ci.programs.model_calls import Caller
    from gepa_ci.workers.user_file import UserFunction

_VERSION = 1
_ARGUMENTS = 3
"""Of (prompts, inputs, lm)."""

_HOST = "gepa_ci.programs.host"
_UNREAD = 4096
"""Lines of a worker that may wait: each of its runs may ask for many calls at once."""

_DESCRIBE = 30.0
"""Seconds to describe predictors."""


class PythonProgram(ProcessProgram):
    """Has a user's function or DSPy module run by workers that hold no keys."""

    def __init__(
        self,
        *,
        spec: ProgramSpec,
        caller: Caller,
        read_code: Callable[[str], bytes],
        concurrency: int,
        environment: Mapping[str, str],
        place: Place = (None, None),
        clean: Clean = str,
        load_seconds: float = Limits().load_seconds,
    ) -> None:
        """Take what it needs; its file is read now, and imported when it is first asked for."""
        path, _, function = spec.target.rpartition(":")
        super().__init__(
            name=f"program '{function}'", path=path, spec=spec, caller=caller, clean=clean
        )
        file = UserFile(
            sources=Sources(path, read_code, kind="program"),
            function=function,
            limits=Limits(load_seconds=load_seconds),
            host=_HOST,
            environment=environment,
            unread=_UNREAD,
        )
        self._code = _Code(file, spec, concurrency, place)
        self._described: dict[str, tuple[Predictor, ...]] = {}
        self._missing = missing_variables(spec, environment)

    @property
    def digest(self) -> str:
        """Return the digest of its code, with all modules beside it that it imports."""
        return self._code.loaded.digest

    @property
    def is_dspy(self) -> bool:
        """Return whether it is a module of DSPy."""
        return self._code.loaded.is_dspy

    @property
    def speakers(self) -> Speakers:
        """Return its workers."""
        return self._code.loaded.speakers

    def request(self, prompts: Prompts, example: Example, trial: int) -> dict[str, Any]:
        """Return what a worker is asked for one run."""
        spec = self.model(prompts)
        return {
            "files": _files(prompts),
            "inputs": dict(example.inputs),
            "trial": trial,
            "model": "" if spec is None else spec.model,
            "processor_seconds": 4 * self.settings.timeout,
        }

    def check(self, prompts: Prompts, examples: Sequence[Example]) -> list[str]:  # noqa: ARG002 - the protocol
        """Import the file, and see that prompts and predictors fit each other.

        Raises:
            ConfigError: when the program cannot be used with its prompts.
        """
        self.predictors(prompts)
        return self._missing

    def predictors(self, prompts: Prompts) -> tuple[Predictor, ...]:
        """Return the predictors of a DSPy module with the prompts put in; none of a function.

        Raises:
            ConfigError: when the prompts do not fit the module.
        """
        if not self.is_dspy:
            return ()
        if prompts.digest not in self._described:
            self._described[prompts.digest] = self._describe(prompts)
        return self._described[prompts.digest]

    def close(self) -> None:
        """End its workers, if it has any."""
        self._code.close()

    def _describe(self, prompts: Prompts) -> tuple[Predictor, ...]:
        with self.speakers.lend() as speaker:
            run = secrets.token_hex(8)
            inbox = speaker.open(run)
            speaker.send({"id": run, "describe": True, "files": _files(prompts)})
            try:
                answer = inbox.get(timeout=_DESCRIBE)
            except queue.Empty:
                answer = {}
            speaker.leave(run, is_over=bool(answer))
        if isinstance(answer, WorkerError) or not answer:
            what = "took too long" if not answer else f"ended its process ({answer.status})"
            raise ConfigError(f"{self.name} {what} when its prompts were put in", path=self.path)
        if "raised" in answer:
            told = read_told(answer["raised"], "program")
            raise ConfigError(
                f"the prompts do not fit {self.name}: {told.text}",
                path=prompts.files[0].path,
                hint="a prompt file of text is called like the predictor whose instructions it "
                "holds; a .json file is what `module.save` has written",
            )
        return tuple(_predictor(told) for told in answer["predictors"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """What is known once the file has been imported."""

    speakers: Speakers
    digest: str
    is_dspy: bool


class _Code:
    """The user's file, imported when it is first asked for."""

    def __init__(self, file: UserFile, spec: ProgramSpec, concurrency: int, place: Place) -> None:
        self._file = file
        self._spec = spec
        self._concurrency = concurrency
        self._place = place
        self._lock = Lock()
        self._loaded: _Loaded | None = None

    @property
    def loaded(self) -> _Loaded:
        """Return what is known of it, importing it the first time."""
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def close(self) -> None:
        """End the workers, if there are any."""
        with self._lock:
            if self._loaded is not None:
                self._loaded.speakers.close()

    def _load(self) -> _Loaded:
        file = self._file
        worker, function = file.load()
        try:
            self._refuse_misfit(function)
        except ConfigError:
            worker.close()
            raise
        processes, threads = capacity(self._spec, self._concurrency)
        speakers = Speakers(
            lambda: Speaker(file.load()[0].child, knows_where=True),
            processes=processes,
            threads=threads,
        )
        speakers.add(Speaker(worker.child, knows_where=True))
        code = digest(["python", _VERSION, file.function, file.sources.complete()])
        is_dspy = function.facts.get("kind") == "dspy"
        return _Loaded(speakers=speakers, digest=code, is_dspy=is_dspy)

    def _refuse_misfit(self, function: UserFunction) -> None:
        name, path = self._file.function, self._file.path
        if not function.is_callable:
            found = (
                f"'{name}' in '{path}' is not a function"
                if function.is_there
                else f"'{path}' has no function '{name}'"
            )
            where, line = self._place
            there = ", ".join(function.others) or "none"
            raise ConfigError(
                found, path=where or path, line=line, hint=f"functions there: {there}"
            )
        parameters = function.parameters
        if function.facts.get("kind") == "dspy" or parameters is None:
            return
        positional = [p for p in parameters if p.kind.startswith("POSITIONAL")]
        required = sum(p.is_required for p in positional)
        has_rest = any(p.kind == "VAR_POSITIONAL" for p in parameters)
        keywords = any(p.kind == "KEYWORD_ONLY" and p.is_required for p in parameters)
        if keywords or required > _ARGUMENTS or (len(positional) < _ARGUMENTS and not has_rest):
            raise ConfigError(
                f"program '{name}' cannot be called with (prompts, inputs, lm): "
                f"it is {function.shown}",
                path=path,
                line=function.line,
                hint="write it as (prompts, inputs, lm), or without parameters and returning a "
                "dspy.Module",
            )


def _files(prompts: Prompts) -> list[dict[str, str]]:
    return [{"path": f.path, "source": f.source.decode("latin-1")} for f in prompts.files]


def _predictor(told: Mapping[str, Any]) -> Predictor:
    return Predictor(
        name=str(told["name"]),
        instructions=str(told["instructions"]),
        inputs=tuple(Field(name=str(n), description=str(d)) for n, d in told["inputs"]),
        outputs=tuple(Field(name=str(n), description=str(d)) for n, d in told["outputs"]),
    )
