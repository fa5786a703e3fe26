"""Owns the wiring of one run: the client, and the services that the pipeline needs for a task."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from gepa_ci.cli.affording import afford, cost_of_run, keep_for_proof
from gepa_ci.cli.clock import now
from gepa_ci.cli.digests import exam_digest
from gepa_ci.cli.judges import bound_guards, check_ruler, recalled
from gepa_ci.cli.results import import_for_delivery
from gepa_ci.cli.tree import reason, write_prompts
from gepa_ci.core.config import CacheMode, ProgramKind
from gepa_ci.core.spend import ModelSpend, Usage
from gepa_ci.core.suite import HeldOutSet, Part
from gepa_ci.delivery.ledger_file import LedgerFile
from gepa_ci.errors import CacheMissError, UsageError
from gepa_ci.evaluate import Evaluator
from gepa_ci.lm.cache import ResponseCache
from gepa_ci.lm.client import LMClient
from gepa_ci.lm.engines import Engines
from gepa_ci.lm.limiter import Limiter
from gepa_ci.lm.meter import Meter
from gepa_ci.lm.prices import LOCAL
from gepa_ci.metrics import bind
from gepa_ci.pipeline import Recorded, Services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gepa_ci.cli.progress import Progress
    from gepa_ci.cli.workspace import TaskInputs, Workspace
    from gepa_ci.core.call import Purpose
    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.optimization import CandidateRecord, Optimization
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.suite import Example, TuningSet
    from gepa_ci.evaluate.estimate import Estimate
    from gepa_ci.optimizers.budget import MetricCalls
    from gepa_ci.programs import Program

PROBES = 10


@dataclass(frozen=True, kw_only=True)
class Session:
    """One run's client and where it keeps its state."""

    workspace: Workspace
    client: LMClient
    state_dir: Path
    progress: Progress
    patience: float | None = None
    """Seconds that Ctrl-C leaves to the calls of a search; None where it ends the run."""
    watch: Callable[[CandidateRecord, MetricCalls], None] | None = None
    """Called after each candidate's val run, besides the progress."""
    usual: dict[str, Estimate] = field(default_factory=dict)
    """What one run of each task's program has cost, where only running it tells."""

    def program(self, inputs: TaskInputs) -> Program:
        """Return the program of a task, which makes its calls through this session's client."""
        return inputs.program.bound(self.client)

    def evaluator(self, inputs: TaskInputs) -> Evaluator:
        """Return the evaluator of a task."""
        return Evaluator(
            program=self.program(inputs),
            metric=bind(inputs.metric, self.client.complete),
            concurrency=self.workspace.config.concurrency,
            on_trial=self.progress.trial,
            guards=bound_guards(inputs.guards, self.client.complete),
        )

    def services(self, inputs: TaskInputs) -> Services:
        """Return what the pipeline needs for a task."""
        evaluator = self.evaluator(inputs)
        before = self.client.meter.by_model
        return Services(
            preflight=partial(self._preflight, inputs, evaluator),
            known_to_repeat=partial(self._known_to_repeat, inputs),
            repeats=partial(self._repeats, inputs, evaluator),
            evaluate=partial(self._evaluate, evaluator),
            planned=self._planned,
            recall=partial(self._recall, inputs, evaluator),
            afford=partial(afford, self, inputs),
            keep_for_proof=partial(keep_for_proof, self, inputs),
            optimize=partial(self._optimize, inputs, evaluator),
            book=LedgerFile(self.state_dir / "ledger", task=inputs.task.name),
            exam=partial(exam_digest, inputs),
            run="",
            now=now,
            recorded=lambda *_: Recorded(),
            write=partial(write_prompts, self.workspace.root, inputs.prompt),
            spent=lambda: _since(before, self.client.meter.by_model),
            clock=time.perf_counter,
            ruler=partial(check_ruler, self, inputs),
        )

    def _preflight(
        self,
        inputs: TaskInputs,
        evaluator: Evaluator,
        prompt: Prompts,
        examples: HeldOutSet | Sequence[Example],
    ) -> None:
        program, first = self.program(inputs), _first(examples)
        calls, spec = program.calls(prompt, first, 0), program.model(prompt)
        if spec is not None and not all(self.client.is_cached(call) for call in calls or ()):
            self.client.prepare(spec)
        # The first call goes alone; what the end of the run needs is imported while it is out.
        threading.Thread(target=import_for_delivery, name="warm-up", daemon=True).start()
        with self.progress.phase(f"{inputs.task.name}: first call", total=1):
            trial = evaluator.preflight(prompt, examples)
        if calls is None:
            self.usual[inputs.task.name] = cost_of_run(trial.usage)

    def _known_to_repeat(self, inputs: TaskInputs, prompt: Prompts) -> bool:
        if inputs.task.program.kind is not ProgramKind.CHAT:
            # The model is not all that answers.
            return False
        spec = inputs.program.model(prompt)
        return spec is not None and spec.model == LOCAL and spec.parameters.get("temperature") == 0

    def _repeats(
        self,
        inputs: TaskInputs,
        evaluator: Evaluator,
        prompt: Prompts,
        examples: HeldOutSet | Sequence[Example],
    ) -> bool:
        if self._known_to_repeat(inputs, prompt):
            return True
        spec = inputs.program.model(prompt)
        if spec is None or spec.parameters.get("temperature") != 0:
            return False
        rows = examples.examples if isinstance(examples, HeldOutSet) else tuple(examples)
        with self.progress.phase(f"{inputs.task.name}: is it repeatable?", total=2 * PROBES):
            probe = evaluator.evaluate(prompt, rows[:PROBES], part=Part.VAL, trials=range(2))
        return all(first.output == second.output for first, second in probe.trials)

    def _evaluate(
        self,
        evaluator: Evaluator,
        prompts: Sequence[Prompts],
        examples: HeldOutSet | Sequence[Example],
        part: Part,
        trials: range,
        tolerated: int,
    ) -> list[Evaluation]:
        count = len(examples.examples if isinstance(examples, HeldOutSet) else examples)
        total = len(prompts) * count * len(trials)
        with self.progress.phase(_evaluation_of(part), total=total):
            return evaluator.evaluate_arms(
                prompts, examples, part=part, trials=trials, tolerated=tolerated
            )

    def _planned(self, trials: int) -> AbstractContextManager[None]:
        # The looks of a comparison are phases within this one, and are counted here.
        return self.progress.phase(_evaluation_of(Part.HELD_OUT), total=trials)

    def _recall(
        self,
        inputs: TaskInputs,
        evaluator: Evaluator,
        prompts: Sequence[Prompts],
        examples: HeldOutSet | Sequence[Example],
        part: Part,
        trials: range,
        tolerated: int,
    ) -> list[Evaluation]:
        program = self.program(inputs)
        rows = examples.examples if isinstance(examples, HeldOutSet) else examples
        for prompt, example, trial in product(prompts, rows, trials):
            calls = program.calls(prompt, example, trial)
            if calls is None or not all(self.client.is_cached(call) for call in calls):
                raise CacheMissError("an answer is not in the cache any more")
        known = recalled(self.client)
        only_cached = replace(
            evaluator, metric=bind(inputs.metric, known), guards=bound_guards(inputs.guards, known)
        )
        return self._evaluate(only_cached, prompts, examples, part, trials, tolerated)

    def _optimize(
        self,
        inputs: TaskInputs,
        evaluator: Evaluator,
        prompt: Prompts,
        tuning: TuningSet,
        repeats: bool,  # noqa: FBT001 - a service is called by position
    ) -> Optimization:
        from gepa_ci.cli.search import prepare_search, stoppable
        from gepa_ci.optimizers import optimize

        search = prepare_search(self, inputs, evaluator, prompt, tuning, repeats=repeats)
        shown = self.progress.search(
            f"{inputs.task.name}: optimize", total=search.budget.metric_calls
        )
        try:
            with shown, stoppable(self, search) as stopping:
                return optimize(stopping)
        finally:
            search.journal.close()


@contextmanager
def open_session(
    workspace: Workspace, state_dir: Path | None, progress: Progress
) -> Iterator[Session]:
    """Open the client of a run and close it however the run ends."""
    # DSPy and LiteLLM fetch a price table from the network unless they are told not to.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    config = workspace.config
    folder = state_dir or workspace.root / ".gepa-ci"
    cache = None
    if config.cache is not CacheMode.OFF:
        cache = ResponseCache(prepare_state_dir(folder) / "responses.sqlite")
    client = LMClient(
        engines=Engines(environ=dict(os.environ)),
        meter=Meter(config.spend, clock=time.monotonic),
        limiter=Limiter(config.concurrency, clock=time.monotonic),
        cache=cache,
        mode=config.cache,
    )
    progress.follow(client)
    try:
        yield Session(workspace=workspace, client=client, state_dir=folder, progress=progress)
    except BaseException:
        client.stop()
        raise
    finally:
        client.close()


def prepare_state_dir(folder: Path) -> Path:
    """Make the folder of caches and checkpoints, which git is told to leave alone."""
    ignore = folder / ".gitignore"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write the state folder: {reason(error)}",
            path=str(folder),
            hint="name another one with --state",
        ) from error
    return folder


def _since(
    before: Mapping[tuple[Purpose, str], Usage], after: Mapping[tuple[Purpose, str], Usage]
) -> tuple[ModelSpend, ...]:
    spent = {key: usage - before.get(key, Usage()) for key, usage in after.items()}
    return tuple(
        ModelSpend(purpose=purpose.value, model=model, usage=usage)
        for (purpose, model), usage in spent.items()
        if usage != Usage()
    )


def _evaluation_of(part: Part) -> str:
    return f"evaluate on {part.value.replace('_', '-')}"


def _first(examples: HeldOutSet | Sequence[Example]) -> Example:
    return (examples.examples if isinstance(examples, HeldOutSet) else examples)[0]
