"""Owns the preparation of a search: proposer, admission, budget and journal of one task."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import gepa_ci
from gepa_ci.cli.choosing import reflection_of
from gepa_ci.cli.interrupts import stopping_by_hand
from gepa_ci.core.config import CacheMode, Proposer
from gepa_ci.core.digests import digest
from gepa_ci.core.prompt import Prompt
from gepa_ci.errors import ConfigError
from gepa_ci.formats import dspy_json, read_prompt
from gepa_ci.formats.shipped import shipped_file
from gepa_ci.optimizers import registry
from gepa_ci.optimizers.admission import admission
from gepa_ci.optimizers.budget import plan_budget
from gepa_ci.optimizers.journal import Journal
from gepa_ci.optimizers.proposers import (
    ExampleProposer,
    ReflectionProposer,
    example_turns,
    preflight_call,
)
from gepa_ci.optimizers.search import Search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from gepa_ci.cli.session import Session
    from gepa_ci.cli.workspace import TaskInputs, Workspace
    from gepa_ci.core.call import Call
    from gepa_ci.core.config import ModelSpec
    from gepa_ci.core.optimization import CandidateRecord
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.spend import Usage
    from gepa_ci.core.suite import TuningSet
    from gepa_ci.evaluate import Evaluator
    from gepa_ci.lm.client import LMClient
    from gepa_ci.optimizers.budget import MetricCalls
    from gepa_ci.optimizers.custom_proposer import CodeProposer
    from gepa_ci.optimizers.proposers import Ask
    from gepa_ci.optimizers.proposers import Proposer as Proposing

REFLECTION_PROMPT = "reflection.md"
_UNSTOPPED: dict[str, Any] = {
    "stop_at_score": None,
    "stop_without_improvement": None,
    "stop_after_minutes": None,
    "stop_after_proposals": None,
    "stop_after_candidates": None,
    "stop_at_usd": None,
}


def prepare_search(
    session: Session,
    inputs: TaskInputs,
    evaluator: Evaluator,
    prompt: Prompts,
    tuning: TuningSet,
    *,
    repeats: bool,
) -> Search:
    """Put together what a search needs, and reach the reflection LM once before it is needed."""
    policy, config = inputs.task.optimize, session.workspace.config
    turns = {}
    shows = policy.proposer is Proposer.EXAMPLES or registry.changes(policy) & registry.DEMOS
    if shows and isinstance(prompt, Prompt) and prompt.format != dspy_json.NAME:
        turns = example_turns(
            prompt, tuning.train, lambda e, answer: evaluator.metric(e, answer).value >= 1.0
        )
    checks = admission(prompt, tuning, turns=turns.values(), max_chars=policy.max_chars)
    spec, template = reflection_of(config, policy), reflection_prompt()
    with ExitStack() as undo:
        asking = _Asking(session.client)
        proposer: Proposing = ExampleProposer(turns=turns, max_demos=policy.max_demos)
        code = ""
        if policy.proposer is Proposer.CODE:
            proposer = code_proposer(session.workspace, inputs, spec, asking, checks.rules)
            undo.callback(proposer.close)
            code = proposer.digest
        elif spec is not None:
            proposer = ReflectionProposer(
                template=template, spec=spec, ask=asking, rules=checks.rules
            )
        journal = Journal(_journal_path(session, inputs, prompt, spec, [template.digest, code]))
        undo.callback(journal.close)
        asking.journal = journal
        if spec is not None:
            asking(preflight_call(spec))
        components = (
            _components(inputs, prompt, proposer)
            if policy.optimizer == "gepa"
            else registry.components(policy, prompt)
        )
        budget = plan_budget(
            policy, train=len(tuning.train), val=len(tuning.val), components=len(components)
        )
        if budget.warning is not None:
            session.progress.warn(budget.warning)
        undo.pop_all()
        return Search(
            prompt=prompt,
            tuning=tuning,
            policy=policy,
            budget=budget,
            evaluator=evaluator,
            proposer=proposer,
            reflection=spec,
            ask=asking,
            admission=checks,
            journal=journal,
            components=components,
            spent=lambda: _total(session),
            repeats=repeats,
            choice=inputs.choice,
            on_candidate=partial(_watched, session),
        )


def code_proposer(
    workspace: Workspace,
    inputs: TaskInputs,
    spec: ModelSpec | None,
    ask: Ask,
    rules: Callable[[str], list[str]],
) -> CodeProposer:
    """Load a task's own proposer.

    Raises:
        ConfigError: its file or function cannot be used.
    """
    from gepa_ci.optimizers.custom_proposer import build_code_proposer

    return build_code_proposer(
        inputs.task.optimize.proposer_code,
        workspace.read,
        where=workspace.config.path,
        line=inputs.task.line or None,
        spec=spec,
        ask=ask,
        rules=rules,
    )


def check_proposers(tasks: Iterable[TaskInputs], workspace: Workspace) -> None:
    """Raise ConfigError unless each task's own proposer can be loaded; no model is called."""
    for inputs in tasks:
        if inputs.task.optimize.proposer is Proposer.CODE:
            code_proposer(workspace, inputs, None, _Asking(None), lambda _: []).close()


def check_stop_at_usd(session: Session, tasks: Iterable[TaskInputs]) -> None:
    """Raise ConfigError where a search is to stop at so many dollars, and nobody can count them."""
    config = session.workspace.config
    for inputs in tasks:
        policy = inputs.task.optimize
        if policy.stop_at_usd is None:
            continue
        for spec in (inputs.program.model(inputs.prompt), reflection_of(config, policy)):
            if spec is not None and session.client.facts(spec).price is None:
                raise ConfigError(
                    f"the price of model '{spec.model}' is not known, and `stop_at_usd` is set",
                    path=config.path,
                    line=inputs.task.line or None,
                    hint="state it in dollars per million tokens: "
                    f"{{model: {spec.model}, price: {{input: 0.25, output: 2.00}}}}",
                )


def _watched(session: Session, record: CandidateRecord, calls: MetricCalls) -> None:
    session.progress.candidate(record, calls)
    if session.watch is not None:
        session.watch(record, calls)


class _Asking:
    """Answers calls to the reflection LM, from the journal where they were asked before."""

    def __init__(self, client: LMClient | None) -> None:
        """Take the client; None answers from the journal alone."""
        self._client = client
        self.journal = Journal(None)

    def __call__(self, call: Call) -> str:
        known = self.journal.text(call.digest)
        if known is None:
            assert self._client is not None
            known = self._client.complete(call).text
            self.journal.add_text(call.digest, known)
        return known


@contextmanager
def stoppable(session: Session, search: Search) -> Iterator[Search]:
    """Let Ctrl-C stop the search in the block, and keep its best, where the session wants it."""
    if session.patience is None:
        yield search
        return

    def stop() -> None:
        session.client.stop()
        session.progress.tell(
            f"stopping: calls in flight have {session.patience:g} s to end; "
            "press Ctrl-C again to end at once"
        )

    with stopping_by_hand(stop) as ours:
        yield replace(search, patience=session.patience) if ours else search


def reflection_prompt() -> Prompt:
    """Return our reflection prompt."""
    return read_prompt(f"prompts/{REFLECTION_PROMPT}", shipped_file(REFLECTION_PROMPT))


def _components(inputs: TaskInputs, prompt: Prompts, proposer: Proposing) -> tuple[str, ...]:
    able = proposer.components(prompt)
    wanted = inputs.task.optimize.components
    chosen = able if wanted is None else tuple(name for name in wanted if name in able)
    if not chosen:
        known = ", ".join(component.name for component in prompt.components)
        raise ConfigError(
            f"{', '.join(inputs.task.prompts)} has no component that `proposer: "
            f"{inputs.task.optimize.proposer.value}` can change",
            path=inputs.task.prompts[0],
            hint=f"its components: {known}; `optimize: {{components: [...]}}` chooses among them",
        )
    return chosen


def _journal_path(
    session: Session,
    inputs: TaskInputs,
    prompt: Prompts,
    spec: ModelSpec | None,
    proposing: list[str],
) -> Path | None:
    """Name the checkpoint by everything that goes into the search."""
    if session.workspace.config.cache is CacheMode.REPLAY:
        return None
    task_spec = inputs.program.model(prompt)
    key = digest(
        {
            "prompt": prompt.digest,
            "train": [[e.id, e.digest] for e in inputs.suite.tuning.train],
            "val": [[e.id, e.digest] for e in inputs.suite.tuning.val],
            "metric": inputs.metric.digest,
            # When to stop decides how far a search goes, and not where.
            "policy": repr(replace(inputs.task.optimize, tracking=None, **_UNSTOPPED)),
            "task_lm": repr(task_spec),
            "program": inputs.program.digest,
            "reflection_lm": repr(spec),
            "proposing": proposing,
            "version": gepa_ci.__version__,
        }
    )
    from gepa_ci.cli.session import prepare_state_dir

    return prepare_state_dir(session.state_dir) / "checkpoints" / f"{key}.jsonl"


def _total(session: Session) -> Usage:
    return session.client.meter.total
