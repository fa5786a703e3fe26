"""Owns the evaluation of prompts: from jobs to scored trials, and from trials to an Evaluation."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gepa_ci.core.config import Measure
from gepa_ci.core.evaluation import Evaluation
from gepa_ci.core.score import ModelFailure, Score, Trial
from gepa_ci.core.spend import Usage
from gepa_ci.core.suite import HeldOutSet, Part
from gepa_ci.errors import InfraError, ProgramError
from gepa_ci.evaluate.measures import guard_values, seen_of
from gepa_ci.evaluate.pool import run_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.score import Output
    from gepa_ci.core.suite import Example
    from gepa_ci.metrics import Metric
    from gepa_ci.programs import Program

_EXCERPT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One trial to run."""

    prompt: Prompts
    example: Example
    trial: int = 0
    guards: tuple[str, ...] = ()
    """Names of the guards to measure on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """Runs trials of one task's program and scores them with its metric."""

    program: Program
    metric: Metric
    concurrency: int
    """Trials at once; how many calls are in flight is the client's business."""
    on_trial: Callable[[Trial], None] | None = None
    """Called from worker threads after each trial, for progress."""
    first: dict[tuple[str, str, int], Trial] = field(default_factory=dict)
    """The preflight's trial, until the evaluation that it is part of takes it over."""
    guards: Mapping[str, Metric | Measure] = field(default_factory=dict)
    """What measures each guard of the task, by its name; measured on held-out examples only."""
    seconds: dict[tuple[str, str, int], float] = field(default_factory=dict)
    """How long trials took whose answers are in the cache by now, where there are guards."""

    def run(
        self,
        jobs: Sequence[Job],
        *,
        on_done: Callable[[Job, Trial], None] | None = None,
        patience: float = 0.0,
    ) -> list[Trial]:
        """Run jobs and return their trials in the same order.

        Ctrl-C waits so many seconds of `patience` for trials that are on the way.
        """

        def done(job: Job, trial: Trial) -> None:
            if on_done is not None:
                on_done(job, trial)
            if self.on_trial is not None:
                self.on_trial(trial)

        return run_all(jobs, self._trial, workers=self.concurrency, on_done=done, patience=patience)

    def _run_all(self, jobs: Sequence[Job], tolerance: _Tolerance) -> list[Trial | None]:
        def work(job: Job) -> Trial | None:
            try:
                return self._trial(job)
            except InfraError as error:
                tolerance.take(job.example.id, error)
                return None

        def done(_: Job, trial: Trial | None) -> None:
            if trial is not None and self.on_trial is not None:
                self.on_trial(trial)

        return run_all(jobs, work, workers=self.concurrency, on_done=done)

    def preflight(self, prompt: Prompts, examples: HeldOutSet | Sequence[Example]) -> Trial:
        """Run the first example once, so that a bad key or metric costs one call, not a run."""
        job = Job(prompt=prompt, example=_rows(examples)[0], guards=tuple(self.guards))
        (trial,) = self.run([job])
        self.first[_key(job)] = trial
        return trial

    def evaluate(
        self,
        prompt: Prompts,
        examples: HeldOutSet | Sequence[Example],
        *,
        part: Part,
        trials: range,
    ) -> Evaluation:
        """Run the given trial numbers of each example and return all scores."""
        return self.evaluate_arms((prompt,), examples, part=part, trials=trials)[0]

    def evaluate_arms(
        self,
        prompts: Sequence[Prompts],
        examples: HeldOutSet | Sequence[Example],
        *,
        part: Part,
        trials: range,
        tolerated: int = 0,
    ) -> list[Evaluation]:
        """Evaluate several prompts on the same examples, interleaved.

        Both arms of a comparison meet the same hour and the same state of the provider. Trials of
        so many examples as are `tolerated` may have no score because the provider failed.

        Raises:
            InfraError: the provider failed for more examples.
            ProgramError: the program gave no output in any of the trials.
        """
        rows = _rows(examples)
        guards = self._guards_of(prompts) if part is Part.HELD_OUT else ()
        started = time.perf_counter()
        jobs = [
            Job(prompt=prompt, example=example, trial=trial, guards=guards)
            for example in rows
            for trial in trials
            for prompt in prompts
        ]
        done = self._run_all(jobs, _Tolerance(tolerated))
        _refuse_broken(done)
        seconds = time.perf_counter() - started
        per_example = len(trials) * len(prompts)
        return [
            self._evaluation(
                prompt,
                rows,
                [
                    tuple(
                        trial
                        for trial in done[start + arm : start + per_example : len(prompts)]
                        if trial is not None
                    )
                    for start in range(0, len(done), per_example)
                ],
                part,
                seconds,
                len(trials),
            )
            for arm, prompt in enumerate(prompts)
        ]

    def _evaluation(
        self,
        prompt: Prompts,
        rows: tuple[Example, ...],
        trials: list[tuple[Trial, ...]],
        part: Part,
        seconds: float,
        asked: int,
    ) -> Evaluation:
        return Evaluation(
            prompt_digest=prompt.digest,
            part=part,
            examples=rows,
            trials=tuple(trials),
            asked=asked,
            usage=sum((trial.usage for row in trials for trial in row), Usage()),
            seconds=seconds,
            model="" if (spec := self.program.model(prompt)) is None else spec.model,
        )

    def _trial(self, job: Job) -> Trial:
        if (known := self.first.pop(_key(job), None)) is not None:
            return known
        output = self.program.run(job.prompt, job.example, job.trial)
        return Trial(
            example_id=job.example.id,
            number=job.trial,
            output=output.text,
            score=self._score(job.example, output),
            failure=output.failure,
            usage=output.usage,
            guards=self._guard_values(job, output) if self.guards else {},
            fields=output.fields,
            steps=output.steps,
            trace=output.trace,
        )

    def _guards_of(self, prompts: Sequence[Prompts]) -> tuple[str, ...]:
        """Return the names of the guards that these prompts can be compared by."""
        costs = [name for name, guard in self.guards.items() if guard is Measure.COST]
        # Dollars of one prompt cannot be held against tokens of another.
        if costs and len({self.program.price(prompt) is None for prompt in prompts}) > 1:
            return tuple(name for name in self.guards if name not in costs)
        return tuple(self.guards)

    def _guard_values(self, job: Job, output: Output) -> dict[str, float]:
        if output.seconds is not None:
            self.seconds[_key(job)] = output.seconds
        asked = {name: self.guards[name] for name in job.guards}
        return guard_values(
            asked,
            job.example,
            output,
            seconds=self.seconds.get(_key(job)),
            price=self.program.price(job.prompt) if Measure.COST in asked.values() else None,
        )

    def _score(self, example: Example, output: Output) -> Score:
        if output.failure is None:
            return self.metric(example, output.text, seen_of(output))
        said = f": {output.text[:_EXCERPT]!r}" if output.text else ""
        return Score(value=0.0, feedback=f"{output.failure.value}: {output.detail}{said}")


class _Tolerance:
    """Counts the examples for which the provider failed, and ends the run after the last one."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._failed: set[str] = set()
        self._lock = threading.Lock()

    def take(self, example_id: str, error: InfraError) -> None:
        """Let a failure pass, or raise it."""
        with self._lock:
            self._failed.add(example_id)
            if len(self._failed) <= self._limit:
                return
            if self._limit == 0:
                raise error
            (problem,) = error.problems
            raise InfraError(
                "calls failed for more examples than can be left out; the last one: "
                f"{problem.message}",
                hint=problem.hint,
            ) from error


def _refuse_broken(trials: Sequence[Trial | None]) -> None:
    """Refuse trials that say nothing of any prompt, as the program failed in each of them."""
    found = [trial for trial in trials if trial is not None]
    if found and all(trial.failure is ModelFailure.PROGRAM for trial in found):
        raise ProgramError(
            f"the program failed in all {len(found)} trials; the last one: "
            f"{found[-1].score.feedback}",
            hint="run it on one example by hand, and see what it makes of the model's answer",
        )


def _key(job: Job) -> tuple[str, str, int]:
    return job.prompt.digest, job.example.id, job.trial


def _rows(examples: HeldOutSet | Sequence[Example]) -> tuple[Example, ...]:
    return examples.examples if isinstance(examples, HeldOutSet) else tuple(examples)
