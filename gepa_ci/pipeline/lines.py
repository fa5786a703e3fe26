"""Owns the lines of the main job: evaluate, gate, optimize; steps take and return values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.core.config import AUTO
from gepa_ci.core.result import PromptChange, TaskResult
from gepa_ci.core.spend import Usage
from gepa_ci.core.suite import HeldOutSet, Part
from gepa_ci.core.verdict import Promotion
from gepa_ci.pipeline.proof import TRIALS, planned_proof_calls, prove
from gepa_ci.pipeline.units import units_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.config import Task
    from gepa_ci.core.prompt import Prompt
    from gepa_ci.core.suite import Example, Suite
    from gepa_ci.pipeline.services import Services

_FEW = 200
_ONE_TRIAL = (
    "The model gives the same answer to the same request, so each example was run once per prompt."
)


def evaluate(
    task: Task,
    prompt: Prompt,
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
    task: Task, base: Prompt | None, head: Prompt, suite: Suite, services: Services
) -> TaskResult:
    """Run base and head on the held-out examples and decide whether the change may be merged."""
    from gepa_ci.gate import regression

    if base is None:
        return _new_prompt(task, head, suite, services)
    if base.source == head.source:
        return _unchanged(task)
    started = services.clock()
    most = planned_trials(task, suite.held_out, repeats=services.known_to_repeat(head))
    services.afford((base, head), suite.held_out, range(most))
    services.preflight(head, suite.held_out)
    trials, notes = _trials(task, head, suite.held_out, services)
    ready = services.clock()
    recorded = services.recorded(base, suite.held_out)
    if recorded.evaluation is None:
        arms = services.evaluate((base, head), suite.held_out, Part.HELD_OUT, trials)
    else:
        arms = [
            recorded.evaluation,
            *services.evaluate((head,), suite.held_out, Part.HELD_OUT, trials),
        ]
    baseline, candidate = arms
    units = units_of(suite.held_out.examples)
    decision = regression(
        baseline.scores,
        candidate.scores,
        alpha=1 - task.gate.confidence,
        margin=_margin(task, suite.held_out),
        groups=units.groups,
        weights=units.weights,
    )
    return _measured(
        TaskResult(
            name=task.name,
            verdict=decision.verdict,
            reasons=decision.reasons,
            notes=(
                *notes,
                *([recorded.note] if recorded.note else []),
                f"The tolerated loss (margin) is {decision.margin:g}.",
            ),
            trials=len(trials),
            baseline=baseline,
            candidate=candidate,
            comparison=decision.comparison,
            changes=(_change(base, head),),
            phases={"preflight": ready - started, "evaluate": services.clock() - ready},
        ),
        services,
    )


def optimize(task: Task, prompt: Prompt, suite: Suite, services: Services) -> TaskResult:
    """Search on train and val, prove the candidate on held-out examples, write it if better."""
    started = services.clock()
    most = planned_proof_calls(suite, repeats=services.known_to_repeat(prompt))
    with services.keep_for_proof(prompt, most):
        services.preflight(prompt, suite.tuning.val)
        repeats = services.repeats(prompt, suite.tuning.val)
    ready = services.clock()
    with services.keep_for_proof(prompt, planned_proof_calls(suite, repeats=repeats)):
        optimization = services.optimize(prompt, suite.tuning)
    searched = services.clock()
    proof = prove(task, prompt, optimization, suite, services, repeats=repeats)
    promoted = proof.verdict is Promotion.PROMOTE
    written = services.write(optimization.candidate) if promoted else ()
    return _measured(
        TaskResult(
            name=task.name,
            verdict=proof.verdict,
            reasons=proof.reasons,
            notes=proof.notes,
            trials=proof.trials,
            written=written,
            baseline=proof.baseline,
            candidate=proof.candidate,
            comparison=proof.comparison,
            optimization=optimization,
            changes=(_change(prompt, optimization.candidate),) if optimization.changed else (),
            phases={
                "preflight": ready - started,
                "optimize": searched - ready,
                "evaluate": services.clock() - searched,
            },
        ),
        services,
    )


def _new_prompt(task: Task, head: Prompt, suite: Suite, services: Services) -> TaskResult:
    result = _scored(task, head, suite.held_out, services, part=Part.HELD_OUT, trials=range(1))
    reason = "The prompt is new, so there is nothing to compare it with."
    return replace(result, reasons=(reason, *result.reasons))


def _scored(
    task: Task,
    prompt: Prompt,
    examples: HeldOutSet | Sequence[Example],
    services: Services,
    *,
    part: Part,
    trials: range,
) -> TaskResult:
    started = services.clock()
    services.afford((prompt,), examples, trials)
    services.preflight(prompt, examples)
    ready = services.clock()
    (scored,) = services.evaluate((prompt,), examples, part, trials)
    return _measured(
        TaskResult(
            name=task.name,
            verdict=None,
            reasons=(f"The mean score on {part.value.replace('_', '-')} is {scored.mean:.3f}.",),
            trials=len(trials),
            candidate=scored,
            phases={"preflight": ready - started, "evaluate": services.clock() - ready},
        ),
        services,
    )


def _unchanged(task: Task) -> TaskResult:
    return TaskResult(
        name=task.name,
        verdict=None,
        reasons=("The prompt file is the same on base and head, so nothing was run.",),
    )


def _measured(result: TaskResult, services: Services) -> TaskResult:
    """Add what it cost, and which model ran."""
    by_purpose = dict(services.spent())
    model = next((e.model for e in (result.candidate, result.baseline) if e is not None), "")
    return replace(
        result,
        model=model,
        spend_by_purpose=by_purpose,
        spend=sum(by_purpose.values(), Usage()),
    )


def _trials(
    task: Task, head: Prompt, held_out: HeldOutSet, services: Services
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


def _change(before: Prompt, after: Prompt) -> PromptChange:
    return PromptChange(
        path=after.path,
        before=before.source.decode("utf-8", "replace"),
        after=after.source.decode("utf-8", "replace"),
    )
