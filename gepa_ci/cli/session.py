"""Owns the wiring of one run: the client, and the services that the pipeline needs for a task."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from gepa_ci.cli.clock import now
from gepa_ci.cli.digests import exam_digest
from gepa_ci.cli.readiness import reflection_model
from gepa_ci.cli.results import import_for_delivery
from gepa_ci.cli.tree import reason, write_prompts
from gepa_ci.core.config import CacheMode, Proposer
from gepa_ci.core.spend import Usage
from gepa_ci.core.suite import HeldOutSet, Part
from gepa_ci.delivery.ledger_file import LedgerFile
from gepa_ci.errors import CacheMissError, CapError, UsageError
from gepa_ci.evaluate import Evaluator
from gepa_ci.evaluate.estimate import Estimate, estimate
from gepa_ci.lm.cache import ResponseCache
from gepa_ci.lm.client import LMClient
from gepa_ci.lm.engines import Engines
from gepa_ci.lm.limiter import Limiter
from gepa_ci.lm.meter import Amount, Meter
from gepa_ci.lm.prices import LOCAL
from gepa_ci.pipeline import Recorded, Services
from gepa_ci.programs import ChatProgram

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from gepa_ci.cli.progress import Progress
    from gepa_ci.cli.workspace import TaskInputs, Workspace
    from gepa_ci.core.call import Purpose
    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.optimization import Optimization
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.suite import Example, TuningSet

PROBES = 10
_CANDIDATE_GROWTH = 1.5


@dataclass(frozen=True, kw_only=True)
class Session:
    """One run's client and where it keeps its state."""

    workspace: Workspace
    client: LMClient
    state_dir: Path
    progress: Progress

    def program(self, inputs: TaskInputs) -> ChatProgram:
        """Return the program of a task."""
        return ChatProgram(client=self.client, model=inputs.task.model)

    def evaluator(self, inputs: TaskInputs) -> Evaluator:
        """Return the evaluator of a task."""
        return Evaluator(
            program=self.program(inputs),
            metric=inputs.metric,
            concurrency=self.workspace.config.concurrency,
            on_trial=self.progress.trial,
            guards=inputs.guards,
        )

    def services(self, inputs: TaskInputs) -> Services:
        """Return what the pipeline needs for a task."""
        evaluator = self.evaluator(inputs)
        before = self.client.meter.by_purpose
        return Services(
            preflight=partial(self._preflight, inputs, evaluator),
            known_to_repeat=partial(self._known_to_repeat, inputs),
            repeats=partial(self._repeats, inputs, evaluator),
            evaluate=partial(self._evaluate, evaluator),
            recall=partial(self._recall, inputs, evaluator),
            afford=partial(self._afford, inputs),
            keep_for_proof=partial(self._keep_for_proof, inputs),
            optimize=partial(self._optimize, inputs, evaluator),
            book=LedgerFile(self.state_dir / "ledger", task=inputs.task.name),
            exam=partial(exam_digest, inputs),
            run="",
            now=now,
            recorded=lambda *_: Recorded(),
            write=partial(write_prompts, self.workspace.root, inputs.prompt),
            spent=lambda: _since(before, self.client.meter.by_purpose),
            clock=time.perf_counter,
        )

    def _preflight(
        self,
        inputs: TaskInputs,
        evaluator: Evaluator,
        prompt: Prompts,
        examples: HeldOutSet | Sequence[Example],
    ) -> None:
        first = self.program(inputs).call(prompt, _first(examples), 0)
        if not self.client.is_cached(first):
            self.client.prepare(first.spec)
        # The first call goes alone; what the end of the run needs is imported while it is out.
        threading.Thread(target=import_for_delivery, name="warm-up", daemon=True).start()
        with self.progress.phase(f"{inputs.task.name}: first call", total=1):
            evaluator.preflight(prompt, examples)

    def _known_to_repeat(self, inputs: TaskInputs, prompt: Prompts) -> bool:
        spec = self.program(inputs).spec(prompt)
        return spec.model == LOCAL and spec.parameters.get("temperature") == 0

    def _repeats(
        self,
        inputs: TaskInputs,
        evaluator: Evaluator,
        prompt: Prompts,
        examples: HeldOutSet | Sequence[Example],
    ) -> bool:
        if self._known_to_repeat(inputs, prompt):
            return True
        if self.program(inputs).spec(prompt).parameters.get("temperature") != 0:
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
        with self.progress.phase(f"evaluate on {part.value.replace('_', '-')}", total=total):
            return evaluator.evaluate_arms(
                prompts, examples, part=part, trials=trials, tolerated=tolerated
            )

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
            if not self.client.is_cached(program.call(prompt, example, trial)):
                raise CacheMissError("an answer is not in the cache any more")
        return self._evaluate(evaluator, prompts, examples, part, trials, tolerated)

    def _afford(
        self,
        inputs: TaskInputs,
        prompts: Sequence[Prompts],
        examples: HeldOutSet | Sequence[Example],
        trials: range,
    ) -> None:
        if not self._has_caps():
            return
        cost = estimate(self.client, self.program(inputs), prompts, examples, trials)
        self.check_caps(inputs, prompts, examples, cost)

    def check_caps(
        self,
        inputs: TaskInputs,
        prompts: Sequence[Prompts],
        examples: HeldOutSet | Sequence[Example],
        cost: Estimate,
    ) -> None:
        """Raise CapError when the caps cannot pay for an evaluation, or need an unknown price."""
        if not self._has_caps():
            return
        for prompt in prompts:
            # A cap that needs a price or a bound must say so before the first call.
            self.client.worst_case(self.program(inputs).call(prompt, _first(examples), 0))
        self._refuse_unaffordable(_amount(cost), cost, "the evaluation")

    def _has_caps(self) -> bool:
        caps = self.client.meter.caps
        return caps.calls is not None or caps.usd is not None or caps.tokens is not None

    @contextmanager
    def _keep_for_proof(self, inputs: TaskInputs, prompt: Prompts, calls: int) -> Iterator[None]:
        from gepa_ci.optimizers.proposers import preflight_call

        if not self._has_caps():
            yield
            return
        program, held_out = self.program(inputs), inputs.suite.held_out
        self.client.worst_case(program.call(prompt, held_out.examples[0], 0))
        if inputs.task.optimize.proposer is Proposer.REFLECTION:
            # Before the first call too: the task LM is asked long before the reflection LM.
            self.client.worst_case(preflight_call(reflection_model(self.workspace.config)))
        once = estimate(self.client, program, (prompt,), held_out, range(1), cached=False)
        # Candidates are longer than the baseline more often than not.
        proof = once.scaled(_CANDIDATE_GROWTH * calls / once.calls)
        kept = Amount(
            calls=calls,
            tokens=proof.input_tokens + proof.output_tokens,
            usd=proof.usd or 0.0,
        )
        self._refuse_unaffordable(kept, None, "the proof on held-out examples")
        with self.client.meter.keeping(kept):
            yield

    def _refuse_unaffordable(self, amount: Amount, cost: Estimate | None, what: str) -> None:
        cap = self.client.meter.shortfall(amount)
        if cap is None:
            return
        needs = f"{cost.new_calls if cost is not None else amount.calls} calls"
        if amount.usd:
            needs += f", about ${amount.usd:.2f}"
        raise CapError(
            f"the spend cap '{cap}' cannot pay for {what}: it needs {needs}",
            path=self.workspace.config.path,
            hint="raise the cap under `spend:`, or use fewer held-out examples or trials; "
            "`gepa-ci plan` shows the cost",
        )

    def _optimize(
        self, inputs: TaskInputs, evaluator: Evaluator, prompt: Prompts, tuning: TuningSet
    ) -> Optimization:
        from gepa_ci.cli.search import prepare_search
        from gepa_ci.optimizers import optimize

        search = prepare_search(self, inputs, evaluator, prompt, tuning)
        try:
            with self.progress.phase(
                f"{inputs.task.name}: optimize", total=search.budget.metric_calls
            ):
                return optimize(search)
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


def _since(before: Mapping[Purpose, Usage], after: Mapping[Purpose, Usage]) -> dict[str, Usage]:
    return {purpose.value: usage - before.get(purpose, Usage()) for purpose, usage in after.items()}


def _amount(cost: Estimate) -> Amount:
    # Calls are exact; tokens and dollars are not, and only a clear shortfall may refuse a run.
    return Amount(calls=cost.new_calls, tokens=0, usd=0.5 * (cost.usd or 0.0))


def _first(examples: HeldOutSet | Sequence[Example]) -> Example:
    return (examples.examples if isinstance(examples, HeldOutSet) else examples)[0]
