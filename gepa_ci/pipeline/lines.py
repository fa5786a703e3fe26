"""Owns the lines of the main job: evaluate, gate, optimize; steps take and return values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.core.config import AUTO
from gepa_ci.core.prompt import file_name
from gepa_ci.core.result import PromptChange, TaskResult
from gepa_ci.core.spend import Usage
from gepa_ci.core.suite import HeldOutSet, Part
from gepa_ci.core.verdict import Cause, Promotion, Verdict
from gepa_ci.pipeline.advice import price_of_more, unproved
from gepa_ci.pipeline.looks import LOOKS, run_looks, seed_of
from gepa_ci.pipeline.proof import TRIALS, planned_proof_calls, prove
from gepa_ci.pipeline.questions import worn_out
from gepa_ci.pipeline.units import guards_of, in_order, row_of, units_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.config import Task
    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.judging import Ruler
    from gepa_ci.core.optimization import Optimization
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.suite import Example, Suite
    from gepa_ci.gate import GuardedRegression
    from gepa_ci.pipeline.services import Services

_FEW = 200
_ONE_TRIAL = (
    "The model gives the same answer to the same request, so each example was run once per prompt."
)


def evaluate(
    task: Task,
    prompt: Prompts,
    suite: Suite,
    services: Services,
    *,
    part: Part,
    trials: int,
) -> TaskResult:
    """Score one prompt on one part of the suite."""
    examples = suite.held_out if part is Part.HELD_OUT else suite.part(part)
    return _scored(task, prompt, examples, services, part=part, trials=range(trials))


def gate(
    task: Task, base: Prompts | None, head: Prompts, suite: Suite, services: Services
) -> TaskResult:
    """Run base and head on the held-out examples and decide whether the change may be merged."""
    from gepa_ci.gate import slices

    if base is None:
        return _new_prompt(task, head, suite, services)
    if base.digest == head.digest:
        return _unchanged(task)
    started = services.clock()
    held_out, arms = suite.held_out, (base, head)
    most = planned_trials(task, held_out, repeats=services.known_to_repeat(head))
    services.afford(arms, held_out, range(most))
    ruler = services.ruler()
    if ruler.moved:
        return _not_measured(task, ruler, services)
    # What is asked first is what is run first: an early stop must not have paid for more.
    first = in_order(held_out, _guarded(task, arms, suite, trials=most).order)
    services.preflight(head, first)
    trials, notes = _trials(task, head, first, services)
    ready = services.clock()
    recorded = services.recorded(base, held_out)
    run = _guarded(task, arms, suite, trials=len(trials))
    names = [guard.name for guard in task.gate.guards]

    def feed(before: Evaluation, after: Evaluation, index: int) -> bool:
        row = row_of(before, index, names), row_of(after, index, names)
        return run.update(*row) is not None

    baseline, candidate = run_looks(
        run, arms, held_out, trials, services, feed=feed, recorded=recorded.evaluation
    )
    decision = run.decision()
    units = units_of(baseline.examples)
    return _measured(
        TaskResult(
            name=task.name,
            verdict=decision.verdict,
            cause=decision.cause,
            reasons=(
                *decision.reasons,
                *price_of_more(decision.primary.comparison, (baseline, candidate)),
            ),
            notes=(
                *notes,
                *ruler.notes,
                *([recorded.note] if recorded.note else []),
                f"The tolerated loss (margin) is {decision.primary.margin:g}.",
            ),
            method=decision.method,
            trials=len(trials),
            planned=len(held_out.examples),
            baseline=baseline,
            candidate=candidate,
            comparison=decision.primary.comparison,
            margin=decision.primary.margin,
            guards=decision.guards,
            slices=slices(
                baseline.scores,
                candidate.scores,
                [example.tags for example in baseline.examples],
                alpha=1 - task.gate.confidence,
                groups=units.groups,
                weights=units.weights,
            ),
            changes=_changes(base, head),
            phases={"preflight": ready - started, "evaluate": services.clock() - ready},
        ),
        services,
    )


def _guarded(
    task: Task, arms: tuple[Prompts, Prompts], suite: Suite, *, trials: int
) -> GuardedRegression:
    from gepa_ci.gate import GuardedRegression

    units = units_of(suite.held_out.examples)
    return GuardedRegression(
        len(suite.held_out.examples),
        alpha=1 - task.gate.confidence,
        margin=_margin(task, suite.held_out),
        trials=trials,
        seed=seed_of(arms, suite.digest),
        guards=guards_of(task),
        groups=units.groups,
        weights=units.weights,
        looks=LOOKS if task.gate.sequential else 1,
    )


def optimize(task: Task, prompt: Prompts, suite: Suite, services: Services) -> TaskResult:
    """Search on train and val, prove the candidate on held-out examples, write it if better."""
    started = services.clock()
    worn = worn_out(task, prompt, suite, services)
    if worn is not None:
        notes = tuple(services.book.notes)
        return TaskResult(name=task.name, verdict=Promotion.HOLD, reasons=worn, notes=notes)
    ruler = services.ruler()
    if ruler.moved:
        held = _not_measured(task, ruler, services)
        return replace(held, verdict=Promotion.HOLD)
    most = planned_proof_calls(suite, repeats=services.known_to_repeat(prompt))
    with services.keep_for_proof(prompt, most):
        services.preflight(prompt, suite.tuning.val)
        repeats = services.repeats(prompt, suite.tuning.val)
    ready = services.clock()
    with services.keep_for_proof(prompt, planned_proof_calls(suite, repeats=repeats)):
        optimization = services.optimize(prompt, suite.tuning, repeats)
    searched = services.clock()
    phases = {"preflight": ready - started, "optimize": searched - ready}
    if optimization.interrupted:
        return _measured(
            TaskResult(
                name=task.name,
                verdict=Promotion.HOLD,
                reasons=unproved(optimization),
                notes=(*ruler.notes, *services.book.notes),
                optimization=optimization,
                changes=_changes(prompt, optimization.candidate),
                phases=phases,
            ),
            services,
        )
    proof = prove(task, prompt, optimization, suite, services, repeats=repeats)
    promoted = proof.verdict is Promotion.PROMOTE
    written = services.write(optimization.candidate) if promoted else ()
    return _measured(
        TaskResult(
            name=task.name,
            verdict=proof.verdict,
            cause=proof.cause,
            reasons=proof.reasons,
            notes=(*_choice(optimization), *proof.notes, *ruler.notes, *services.book.notes),
            method=proof.method,
            trials=proof.trials,
            planned=proof.planned,
            written=written,
            baseline=proof.baseline,
            candidate=proof.candidate,
            comparison=proof.comparison,
            guards=proof.guards,
            ledger=proof.ledger,
            shrunk=proof.shrunk,
            optimization=optimization,
            changes=_changes(prompt, optimization.candidate),
            phases={**phases, "evaluate": services.clock() - searched},
        ),
        services,
    )


def _new_prompt(task: Task, head: Prompts, suite: Suite, services: Services) -> TaskResult:
    result = _scored(task, head, suite.held_out, services, part=Part.HELD_OUT, trials=range(1))
    reason = "The prompt is new, so there is nothing to compare it with."
    return replace(result, reasons=(reason, *result.reasons))


def _scored(
    task: Task,
    prompt: Prompts,
    examples: HeldOutSet | Sequence[Example],
    services: Services,
    *,
    part: Part,
    trials: range,
) -> TaskResult:
    started = services.clock()
    services.afford((prompt,), examples, trials)
    ruler = services.ruler()
    if ruler.moved:
        return _not_measured(task, ruler, services)
    services.preflight(prompt, examples)
    ready = services.clock()
    (scored,) = services.evaluate((prompt,), examples, part, trials, 0)
    return _measured(
        TaskResult(
            name=task.name,
            verdict=None,
            reasons=(f"The mean score on {part.value.replace('_', '-')} is {scored.mean:.3f}.",),
            notes=ruler.notes,
            trials=len(trials),
            candidate=scored,
            phases={"preflight": ready - started, "evaluate": services.clock() - ready},
        ),
        services,
    )


def _not_measured(task: Task, ruler: Ruler, services: Services) -> TaskResult:
    """Return what is said when a judge has changed: no score of it would mean anything."""
    result = TaskResult(
        name=task.name, verdict=Verdict.RULER_CHANGED, reasons=ruler.moved, notes=ruler.notes
    )
    return _measured(result, services)


def _unchanged(task: Task) -> TaskResult:
    return TaskResult(
        name=task.name,
        verdict=None,
        cause=Cause.UNCHANGED,
        reasons=("The prompt file is the same on base and head, so nothing was run.",),
    )


def _measured(result: TaskResult, services: Services) -> TaskResult:
    """Add what it cost, and which model ran."""
    spent = services.spent()
    model = next((e.model for e in (result.candidate, result.baseline) if e is not None), "")
    return replace(
        result,
        model=model,
        spend_by_model=spent,
        spend=sum((part.usage for part in spent), Usage()),
    )


def _trials(
    task: Task, head: Prompts, held_out: HeldOutSet, services: Services
) -> tuple[range, tuple[str, ...]]:
    wanted = planned_trials(task, held_out)
    if wanted > 1 and services.repeats(head, held_out):
        return range(1), (_ONE_TRIAL,)
    return range(wanted), ()


def planned_trials(task: Task, held_out: HeldOutSet, *, repeats: bool = False) -> int:
    """Return the trials per example and prompt that a gate runs."""
    if repeats:
        return 1
    if isinstance(task.gate.trials, int):
        return task.gate.trials
    return TRIALS if len(held_out.examples) < _FEW else 1


def _margin(task: Task, held_out: HeldOutSet) -> float:
    from gepa_ci.gate import auto_margin, planned_mde

    if task.gate.margin != AUTO:
        return float(task.gate.margin)
    # From the size alone: a margin worked out from the scores would be chosen by what it judges.
    return auto_margin(planned_mde(len(held_out.examples), alpha=1 - task.gate.confidence))


def _choice(optimization: Optimization) -> tuple[str, ...]:
    return (optimization.choice,) if optimization.choice else ()


def _changes(before: Prompts, after: Prompts) -> tuple[PromptChange, ...]:
    """Return what changed, file by file; files are matched by name, unless there is only one."""
    known = {file_name(file.path): file for file in before.files}
    if len(before.files) == len(after.files) == 1:
        known = {file_name(after.files[0].path): before.files[0]}
    found = []
    for file in after.files:
        old = known.get(file_name(file.path))
        if old is None or old.source != file.source:
            text = "" if old is None else old.source.decode("utf-8", "replace")
            shown = file.source.decode("utf-8", "replace")
            found.append(PromptChange(path=file.path, before=text, after=shown))
    return tuple(found)
