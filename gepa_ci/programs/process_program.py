"""Owns what python and command programs share: runs in processes, and what becomes of them."""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from gepa_ci.core.config import ProgramKind
from gepa_ci.core.score import ModelFailure
from gepa_ci.errors import ProgramError
from gepa_ci.programs.answers import BadAnswerError, NotAScoreError, read_answer
from gepa_ci.programs.conversation import Conversation, TimedOutError
from gepa_ci.programs.own_spend import BadUsageError, OwnSpend, read_usage
from gepa_ci.workers.answers import excerpt, harmless, read_told, show_printed
from gepa_ci.workers.child import End, WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gepa_ci.core.call import Call
    from gepa_ci.core.config import ModelSpec, ProgramSpec
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.score import Output
    from gepa_ci.core.spend import Price
    from gepa_ci.core.suite import Example
    from gepa_ci.lm.client import LMClient
    from gepa_ci.programs.model_calls import Caller
    from gepa_ci.programs.speakers import Speakers

_ATTEMPTS = 2

_SIDE_BY_SIDE = 4
"""Processes of a command that may run however few cores there are: they mostly wait."""

_USUAL_THREADS = 32
"""Runs at once in one process, as long as there are processes enough."""

Place: TypeAlias = "tuple[str | None, int | None]"
"""File and line of the config, for errors."""

Clean: TypeAlias = "Callable[[str], str]"
"""Takes secrets out of a text."""

_SCORED = frozenset({"output", "text", "score", "steps", "usage"})
"""Parts of an answer that are taken as they are: a metric judges them, and nobody is shown them."""


class ProcessProgram(ABC):
    """A program that runs in processes of its own."""

    keeps_stderr = False
    """Whether what a process writes to stderr during a run is its trace."""

    def __init__(
        self, *, name: str, path: str | None, spec: ProgramSpec, caller: Caller, clean: Clean = str
    ) -> None:
        """Take what it is called in messages, its file, its settings and who makes its calls.

        `clean` takes secrets out of what it prints and tells besides its output.
        """
        self.name = name
        self.path = path
        self.settings = spec
        self.caller = caller
        self._clean = clean
        self._own_spend = OwnSpend()

    @property
    @abstractmethod
    def speakers(self) -> Speakers:
        """Return its processes."""

    @abstractmethod
    def request(self, prompts: Prompts, example: Example, trial: int) -> dict[str, Any]:
        """Return what a process is asked for one run."""

    def bound(self, client: LMClient) -> Self:
        """Return the program with a client that makes its calls; the processes are the same."""
        program = copy.copy(self)
        program.caller = replace(self.caller, client=client)
        return program

    def model(self, prompts: Prompts) -> ModelSpec | None:
        """Return the one model that all its prompts run with; None when they differ."""
        return self.caller.spec(prompts)

    def price(self, prompts: Prompts) -> Price | None:
        """Return the price of that model; None when it is not known."""
        return self.caller.price(prompts)

    def calls(
        self,
        prompts: Prompts,  # noqa: ARG002 - the protocol
        example: Example,  # noqa: ARG002
        trial: int,  # noqa: ARG002
    ) -> tuple[Call, ...] | None:
        """Return None: only running it tells."""
        return None

    def run(self, prompts: Prompts, example: Example, trial: int) -> Output:
        """Run one trial of one example; what is lost with a process is tried once more, alone.

        Raises:
            LMError: a model could not be reached, whatever the program made of that.
            SpendError: a cap has no room for a call.
            ProgramError: the program is broken.
        """
        self._own_spend.refuse_over(self.caller.client)
        for attempt in range(_ATTEMPTS):
            talk = Conversation(caller=self.caller, prompts=prompts, trial=trial)
            try:
                with self.speakers.lend(alone=attempt > 0) as speaker:
                    mark = speaker.child.written
                    try:
                        answer = talk.hold(
                            speaker, self.request(prompts, example, trial), self.settings.timeout
                        )
                    except TimedOutError:
                        # Others may still be at work in there; it ends with the last of them.
                        speaker.is_retired = True
                        raise
                    if self.keeps_stderr:
                        answer = {"trace": speaker.child.written_since(mark), **answer}
            except (WorkerError, TimedOutError) as error:
                if talk.error is not None:
                    raise talk.error from None
                if isinstance(error, TimedOutError) and talk.made:
                    return self._hung(talk, error)
                if attempt == _ATTEMPTS - 1:
                    raise self._lost(error, example) from None
                continue
            answer = self._cleaned(answer)
            self._count(answer, talk, example)
            if talk.error is not None:
                raise talk.error
            return self._outcome(answer, talk, example)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """End its processes."""
        self.speakers.close()

    def _cleaned(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return an answer without secrets in what is shown of it."""
        return {
            name: value if name in _SCORED else _each_text(self._clean, value)
            for name, value in answer.items()
        }

    def _count(self, answer: dict[str, Any], talk: Conversation, example: Example) -> None:
        """Count what the program says that calls of its own have cost."""
        try:
            talk.own_usage = read_usage(answer.get("usage"))
            self._own_spend.count(talk.own_usage, self.caller.client)
        except BadUsageError as error:
            hint = 'tell of one run, as in {"calls": 2, "input_tokens": 900, "output_tokens": 60, '
            hint += '"usd": 0.004}'
            raise self._error(
                f"gave the usage {harmless(str(error))}", example, hint=hint
            ) from None

    def _outcome(self, answer: dict[str, Any], talk: Conversation, example: Example) -> Output:
        show_printed(answer)
        if "raised" in answer:
            return self._raised(answer, talk, example)
        try:
            text, more = read_answer(answer)
        except NotAScoreError as error:
            hint = "answer a score from 0 to 1, and feedback that is text"
            raise self._error(
                f"gave the score {harmless(str(error))}", example, hint=hint
            ) from None
        except BadAnswerError as error:
            said = harmless(str(answer["error"])) if answer.get("error") else f"answered {error}"
            if not talk.made:
                raise self._error(f"failed: {said}", example) from None
            return self._failed(talk, ModelFailure.PROGRAM, said)
        return talk.output(text, **more)

    def _raised(self, answer: dict[str, Any], talk: Conversation, example: Example) -> Output:
        told = read_told(answer["raised"], "program")
        if not talk.made:
            raise ProgramError(
                f"{self.name} raised {told.type} on example '{example.id}' before any model had "
                f"answered: {told.text}\n{told.frames}".rstrip(),
                path=self.path,
                line=told.line,
                hint=told.hint,
            )
        where = "" if told.line is None else f" ({self.path}:{told.line})"
        kind = ModelFailure.PROGRAM
        if answer.get("failure") == ModelFailure.UNPARSABLE:
            kind = ModelFailure.UNPARSABLE
        detail = f"{told.type}: {told.text}{where}"
        return self._failed(talk, kind, detail, trace=told.frames, answer=answer)

    def _hung(self, talk: Conversation, error: TimedOutError) -> Output:
        told = read_told(error.told)
        where = "" if told.line is None else f"; it was in {self.path}:{told.line}"
        detail = f"no output within {self.settings.timeout:g} s{where}"
        return self._failed(talk, ModelFailure.PROGRAM, detail, trace=told.frames)

    def _failed(
        self,
        talk: Conversation,
        kind: ModelFailure,
        detail: str,
        *,
        trace: str = "",
        answer: dict[str, Any] | None = None,
    ) -> Output:
        failure, said = talk.failure(kind, detail)
        more = {} if answer is None else read_answer({"output": "", **answer})[1]
        last = talk.made[-1][1].text
        return talk.output(
            last, **{**more, "failure": failure, "detail": said, "trace": trace or detail}
        )

    def _lost(self, error: WorkerError | TimedOutError, example: Example) -> ProgramError:
        if isinstance(error, TimedOutError):
            told = read_told(error.told)
            return self._error(
                f"gave no output within {self.settings.timeout:g} s, twice, and asked no model",
                example,
                hint="make it faster, or raise `timeout:` of the program",
                where=told.frames,
                line=told.line,
            )
        where, line = excerpt(error, self.path or "")
        what, hint = _loss(error)
        return self._error(what, example, hint=hint, where=where, line=line)

    def _error(
        self,
        what: str,
        example: Example,
        *,
        hint: str | None = None,
        where: str = "",
        line: int | None = None,
    ) -> ProgramError:
        return ProgramError(
            f"{self.name} {what} on example '{example.id}'\n{where}".rstrip(),
            path=self.path,
            line=line,
            hint=hint,
        )


def _each_text(clean: Clean, value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(name): _each_text(clean, item) for name, item in value.items()}
    return [_each_text(clean, item) for item in value] if isinstance(value, list) else value


def missing_variables(spec: ProgramSpec, environment: Mapping[str, str]) -> list[str]:
    """Return a sentence about variables that a program names and that are not set."""
    missing = ", ".join(name for name in spec.environment if name not in environment)
    return [f"The program names variables that are not set: {missing}."] if missing else []


def capacity(spec: ProgramSpec, concurrency: int) -> tuple[int, int]:
    """Return how many processes a program may have, and how many runs at once each of them."""
    usual = spec.threads or _USUAL_THREADS
    side_by_side = max(
        _SIDE_BY_SIDE if spec.kind is ProgramKind.COMMAND else 1, os.cpu_count() or 1
    )
    processes = spec.processes or min(-(-concurrency // usual), side_by_side)
    # What mostly waits costs less in one process than in several.
    return processes, spec.threads or max(usual, -(-concurrency // processes))


def _loss(error: WorkerError) -> tuple[str, str]:
    """Return what became of a process, and what to do about it."""
    if error.end is End.BROKEN:
        hint = "print to stderr: stdout is for one JSON line per question, with the question's 'id'"
        return f"wrote a line that is no answer: {harmless(error.status)},", hint
    if error.end is End.ABSENT:
        return f"could not be started ({error.status}) for a run", "see whether it is installed"
    hint = "answer each question, or raise an exception, instead of ending the process"
    if error.status == "SIGKILL":
        hint = "the system may have had too little memory for it"
    return f"ended its process ({error.status}), twice,", hint
