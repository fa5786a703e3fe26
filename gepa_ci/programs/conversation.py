"""Owns one run of a program: what it is asked, the calls that it makes, and its time."""

from __future__ import annotations

import contextlib
import queue
import secrets
import time
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from gepa_ci.core.score import ModelFailure, Output
from gepa_ci.core.spend import Usage
from gepa_ci.programs.chat import usage_of
from gepa_ci.programs.model_calls import CallProblemError, Wanted
from gepa_ci.workers.child import WorkerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.call import Reply
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.programs.model_calls import Caller
    from gepa_ci.programs.speaker import Inbox, Speaker

_MOST_CALLS = 1_000
"""Calls of one run; more than that is a loop without an end."""

_GRACE = 5.0
"""Seconds that a run has to end once one of its calls has failed for good."""


_PATIENCE = 1.0
"""Seconds for a process to say where a run of it hangs."""


class TimedOutError(Exception):
    """A run did not end in time; `told` says where it was, if its process knows."""

    def __init__(self, told: Any = None) -> None:
        super().__init__("no output in time")
        self.told = told


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of one call."""

    key: Any
    wanted: Wanted
    reply: Reply | None = None
    error: BaseException | None = None


@dataclass(slots=True, kw_only=True)
class Conversation:
    """One run: the calls that it has made so far, and what came of them."""

    caller: Caller
    prompts: Prompts
    trial: int
    made: list[tuple[Wanted, Reply]] = field(default_factory=list)
    """Calls that were answered, in the order in which they were asked."""
    error: BaseException | None = None
    """Why one of its calls was not answered; the run has no outcome then."""
    own_usage: Usage = field(default_factory=Usage)
    """What the program says that calls of its own have cost."""
    _lock: Lock = field(default_factory=Lock)
    _asked: int = 0
    _open: int = 0
    _answered: dict[int, tuple[Wanted, Reply]] = field(default_factory=dict)

    def hold(self, speaker: Speaker, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Let a process do the run, and return its answer.

        Time that its calls take is not the program's, and not counted.

        Raises:
            WorkerError: the process is gone.
            TimedOutError: it took too long.
        """
        run = secrets.token_hex(8)
        inbox = speaker.open(run)
        is_over = False
        try:
            speaker.send({"id": run, **request})
            answer = self._listen(speaker, run, inbox, seconds)
            is_over = True
            return answer
        finally:
            self.made = [self._answered[number] for number in sorted(self._answered)]
            speaker.leave(run, is_over=is_over)

    def _listen(self, speaker: Speaker, run: str, inbox: Inbox, left: float) -> dict[str, Any]:
        while True:
            started = time.monotonic()
            try:
                message = inbox.get(timeout=None if self._open else max(0.0, left))
            except queue.Empty:
                if self._open:  # pragma: no cover - asked for in the very moment of the last look
                    continue
                raise TimedOutError(_place(speaker, run, inbox)) from None
            if not self._open:
                left -= time.monotonic() - started
            if isinstance(message, WorkerError):
                raise message
            if not isinstance(message, Done) and "call" in message:
                message = self._ask(speaker, run, inbox, message, is_first=inbox.empty())
                if message is None:
                    continue
            if isinstance(message, Done):
                had_error = self.error is not None
                speaker.send({"id": run, **self._take(message)})
                if self.error is not None and not had_error:
                    left = min(left, _GRACE)
            else:
                answer: dict[str, Any] = message
                return answer

    def _ask(
        self,
        speaker: Speaker,
        run: str,
        inbox: Inbox,
        message: dict[str, Any],
        *,
        is_first: bool = False,
    ) -> Done | None:
        """Have a call made: on this thread and at once if nothing else waits, else on another."""
        with self._lock:
            key, number = message.get("key"), self._asked
            self._asked += 1
            try:
                self._refuse_further(number)
                wanted = self.caller.wanted(self.prompts, self.trial, message["call"])
            except CallProblemError as error:
                speaker.send({"id": run, "key": key, "reply": {"error": str(error)}})
                return None
            is_alone = is_first and not self._open
            self._open += 1
        if not is_alone:
            Thread(
                target=lambda: inbox.put(self._done((key, number), wanted)),
                name="call",
                daemon=True,
            ).start()
            return None
        # A run may ask for several at once; the others come while this thread is busy.
        inbox.aside = lambda another: self._ask(speaker, run, inbox, another)
        try:
            return self._done((key, number), wanted)
        finally:
            inbox.aside = None

    def _refuse_further(self, number: int) -> None:
        if self.error is not None:
            raise CallProblemError("a call of this run has failed")
        if number >= _MOST_CALLS:
            raise CallProblemError(f"more than {_MOST_CALLS} calls in one run")

    def _done(self, key: Any, wanted: Wanted) -> Done:
        try:
            return Done(key=key, wanted=wanted, reply=self.caller.complete(wanted.call))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread of the run
            return Done(key=key, wanted=wanted, error=error)

    def _take(self, done: Done) -> dict[str, Any]:
        with self._lock:
            self._open -= 1
        key, number = done.key
        if done.reply is None:
            self.error = self.error or done.error
            return {"key": key, "reply": {"error": "the model could not be asked"}}
        self._answered[number] = (done.wanted, done.reply)
        reply: dict[str, Any] = {"text": done.reply.text}
        if done.reply.failure is not None:
            reply |= {"failure": done.reply.failure.value, "detail": done.reply.detail}
        return {"key": key, "reply": reply}

    def failure(self, otherwise: ModelFailure, detail: str) -> tuple[ModelFailure, str]:
        """Return why a run came to nothing: a failure of a model comes before one of the code."""
        for _, reply in reversed(self.made):
            if reply.failure is not None:
                return reply.failure, reply.detail
        return otherwise, detail

    def output(self, text: str, **more: Any) -> Output:
        """Return an output with what the calls were and have cost, its own ones included."""
        replies = [reply for _, reply in self.made]
        told = {"steps": tuple(wanted.step(reply) for wanted, reply in self.made), **more}
        return Output(
            text=text,
            usage=sum((usage_of(reply) for reply in replies), self.own_usage),
            model=", ".join(dict.fromkeys(reply.model for reply in replies if reply.model)),
            prompt_length=sum(
                len(message.content) for wanted, _ in self.made for message in wanted.call.messages
            ),
            input_tokens=sum((r.input_tokens for r in replies), self.own_usage.input_tokens),
            output_tokens=sum((r.output_tokens for r in replies), self.own_usage.output_tokens),
            seconds=self._seconds(),
            **told,
        )

    def _seconds(self) -> float | None:
        """Return the wall time of all calls; None when that of any is not known."""
        taken: dict[str, float] = {}
        total = 0.0
        for wanted, reply in self.made:
            # The second of two equal calls is answered by the first, and would have taken as long.
            key = wanted.call.digest
            seconds = taken.get(key) if reply.seconds is None else reply.seconds
            if seconds is None:
                return None
            taken.setdefault(key, seconds)
            total += seconds
        return total if self.made else None


def _place(speaker: Speaker, run: str, inbox: Inbox) -> Any:
    """Return what a process says about where a run is, if it knows."""
    if not speaker.knows_where:
        return None
    speaker.send({"id": run, "where": True})
    deadline = time.monotonic() + _PATIENCE
    with contextlib.suppress(queue.Empty):
        while True:
            message = inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            if isinstance(message, dict) and "where" in message:
                return message["where"]
    return None
