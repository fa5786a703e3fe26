"""Owns the preparation of a search: proposer, admission, budget and journal of one task."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import gepa_ci
from gepa_ci.cli.readiness import reflection_model
from gepa_ci.cli.shipped import shipped_file
from gepa_ci.core.config import CacheMode, Proposer
from gepa_ci.core.digests import digest
from gepa_ci.errors import ConfigError
from gepa_ci.formats import read_prompt
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
    from pathlib import Path

    from gepa_ci.cli.session import Session
    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.core.call import Call
    from gepa_ci.core.config import ModelSpec
    from gepa_ci.core.prompt import Prompt, Prompts
    from gepa_ci.core.spend import Usage
    from gepa_ci.core.suite import TuningSet
    from gepa_ci.evaluate import Evaluator

REFLECTION_PROMPT = "reflection.md"


def prepare_search(
    session: Session,
    inputs: TaskInputs,
    evaluator: Evaluator,
    prompt: Prompts,
    tuning: TuningSet,
) -> Search:
    """Put together what a search needs, and reach the reflection LM once before it is needed."""
    policy, config = inputs.task.optimize, session.workspace.config
    turns = {}
    if policy.proposer is Proposer.EXAMPLES:
        turns = example_turns(
            prompt, tuning.train, lambda e, answer: inputs.metric(e, answer).value >= 1.0
        )
    checks = admission(prompt, tuning, turns=turns.values(), max_chars=policy.max_chars)
    spec = reflection_model(config) if policy.proposer is Proposer.REFLECTION else None
    template = reflection_prompt()
    journal = Journal(_journal_path(session, inputs, prompt, spec, template))
    with ExitStack() as undo:
        undo.callback(journal.close)

        def ask(call: Call) -> str:
            known = journal.text(call.digest)
            if known is None:
                known = session.client.complete(call).text
                journal.add_text(call.digest, known)
            return known

        proposer: ExampleProposer | ReflectionProposer
        if spec is None:
            proposer = ExampleProposer(turns=turns, max_demos=policy.max_demos)
        else:
            proposer = ReflectionProposer(template=template, spec=spec, ask=ask, rules=checks.rules)
            ask(preflight_call(spec))
        components = _components(inputs, prompt, proposer)
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
            ask=ask,
            admission=checks,
            journal=journal,
            components=components,
            spent=lambda: _total(session),
            on_candidate=session.progress.candidate,
        )


def reflection_prompt() -> Prompt:
    """Return our reflection prompt."""
    return read_prompt(f"prompts/{REFLECTION_PROMPT}", shipped_file(REFLECTION_PROMPT))


def _components(
    inputs: TaskInputs, prompt: Prompts, proposer: ExampleProposer | ReflectionProposer
) -> tuple[str, ...]:
    able = proposer.components(prompt)
    wanted = inputs.task.optimize.components
    chosen = able if wanted is None else tuple(name for name in wanted if name in able)
    if not chosen:
        known = ", ".join(component.name for component in prompt.components)
        raise ConfigError(
            f"{prompt.path} has no component that `proposer: "
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
    template: Prompt,
) -> Path | None:
    """Name the checkpoint by everything that goes into the search."""
    if session.workspace.config.cache is CacheMode.REPLAY:
        return None
    task_spec = session.program(inputs).spec(prompt)
    key = digest(
        {
            "prompt": prompt.digest,
            "train": [[e.id, e.digest] for e in inputs.suite.tuning.train],
            "val": [[e.id, e.digest] for e in inputs.suite.tuning.val],
            "metric": inputs.metric.digest,
            "policy": repr(inputs.task.optimize),
            "task_lm": repr(task_spec),
            "reflection_lm": repr(spec),
            "reflection_prompt": template.digest,
            "version": gepa_ci.__version__,
        }
    )
    from gepa_ci.cli.session import prepare_state_dir

    return prepare_state_dir(session.state_dir) / "checkpoints" / f"{key}.jsonl"


def _total(session: Session) -> Usage:
    return session.client.meter.total
