"""Owns the lines of the main job: evaluate, gate, optimize; steps take and return values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gepa_ci.core.config import AUTO
from gepa_ci.core.result import PromptChange, TaskResult
from gepa_ci.core.spend import Usage
from gepa_ci.core.suite import HeldOutSet, Part
from gepa_ci.core.verdict import Promotion, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from gepa_ci.core.comparison import Comparison
    from gepa_ci.core.config import Task
    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.optimization import Optimization
    from gepa_ci.core.prompt import Prompt
    from gepa_ci.core.suite import Example, Suite, TuningSet
    from gepa_ci.core.verdict import Screening

_FEW, _TRIALS = 200, 3
_ONE_TRIAL = (
    "The model gives the same answer to the same request, so each example was run once per prompt."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the lines need of the outside, made for one task."""

    preflight: Callable[[Prompt, HeldOutSet | Sequence[Example]], None]
    """One task call and one metric call, before anything that costs."""
    known_to_repeat: Callable[[Prompt], bool]
    """Whether the model is known, without a call, to give the same answer to the same request."""
    repeats: Callable[[Prompt, HeldOutSet | Sequence[Example]], bool]
    """The same, found out by asking a few examples twice where it is worth asking."""
    evaluate: Callable[
        [Sequence[Prompt], HeldOutSet | Sequence[Example], Part, range], list[Evaluation]
    ]
    """Run prompts on examples for the given trial numbers, interleaved."""
    afford: Callable[[Sequence[Prompt], HeldOutSet | Sequence[Example], range], None]
    """Raise CapError when the caps cannot pay for an evaluation."""
    keep_for_proof: Callable[[Prompt, int], AbstractContextManager[None]]
    """Keep what so many calls cost out of reach for the block, or raise CapError."""
    optimize: Callable[[Prompt, TuningSet], Optimization]
    write: Callable[[Prompt], tuple[str, ...]]
    """Write a prompt file and return the paths written."""
    spent: Callable[[], Mapping[str, Usage]]
    """What this task has spent so far, by purpose."""
    clock: Callable[[], float]
    """Seconds, monotonic."""


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
    baseline, candidate = services.evaluate((base, head), suite.held_out, Part.HELD_OUT, trials)
    units = _units(suite.held_out.examples)
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
            notes=(*notes, f"The tolerated loss (margin) is {decision.margin:g}."),
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
    proof = _prove(task, prompt, optimization, suite, services, repeats=repeats)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    """How far a candidate came, and with which figures."""

    verdict: Promotion
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    trials: int = 1
    baseline: Evaluation | None = None
    candidate: Evaluation | None = None
    comparison: Comparison | None = None


def _prove(
    task: Task,
    prompt: Prompt,
    optimization: Optimization,
    suite: Suite,
    services: Services,
    *,
    repeats: bool,
) -> _Proof:
    """Take a candidate over the hurdles: val screen, held-out screen, fresh confirm."""
    from gepa_ci.gate import confirm_on_screen, held_out_screen, promotion, val_screen

    if not optimization.changed:
        return _Proof(
            verdict=Promotion.HOLD,
            reasons=(
                "No candidate beat the baseline on the val examples, so there is nothing to prove.",
                optimization.stop_reason,
            ),
        )
    arms, held_out = (prompt, optimization.candidate), suite.held_out
    # Val scores chose the candidate, so a model that varies is asked afresh for the screen.
    fresh = range(1) if repeats else range(1, 1 + _TRIALS)
    val = services.evaluate(arms, suite.tuning.val, Part.VAL, fresh)
    val_units, units = _units(suite.tuning.val), _units(held_out.examples)
    screen = val_screen(*_scores(val), groups=val_units.groups, weights=val_units.weights)
    if not screen.passed:
        return _held(screen, val, optimization)
    first = services.evaluate(arms, held_out, Part.HELD_OUT, range(1))
    alpha, gain = 1 - task.gate.confidence, task.gate.min_gain
    if repeats:
        decision = confirm_on_screen(
            *_scores(first),
            alpha=alpha,
            min_gain=gain,
            groups=units.groups,
            weights=units.weights,
        )
        return _decided(decision.verdict, decision.comparison, decision.reasons, first)
    second = held_out_screen(*_scores(first), groups=units.groups, weights=units.weights)
    if not second.passed:
        return _held(second, first, optimization)
    confirm = services.evaluate(arms, held_out, Part.HELD_OUT, range(1, 1 + _TRIALS))
    decision = promotion(
        *_scores(confirm),
        alpha=alpha,
        min_gain=gain,
        groups=units.groups,
        weights=units.weights,
    )
    return _decided(decision.verdict, decision.comparison, decision.reasons, confirm)


def _held(screen: Screening, arms: list[Evaluation], optimization: Optimization) -> _Proof:
    on_val = screen.stage is Stage.VAL_SCREEN
    return _Proof(
        verdict=Promotion.HOLD,
        reasons=(*screen.reasons, optimization.stop_reason),
        notes=("The held-out examples were not used.",) if on_val else (),
        trials=len(arms[0].scores[0]),
        baseline=None if on_val else arms[0],
        candidate=None if on_val else arms[1],
        comparison=screen.comparison,
    )


def _decided(
    verdict: Promotion, comparison: Comparison, reasons: tuple[str, ...], arms: list[Evaluation]
) -> _Proof:
    return _Proof(
        verdict=verdict,
        reasons=reasons,
        trials=len(arms[0].scores[0]),
        baseline=arms[0],
        candidate=arms[1],
        comparison=comparison,
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
    return _TRIALS if len(held_out.examples) < _FEW else 1


def _margin(task: Task, held_out: HeldOutSet) -> float:
    from gepa_ci.gate import auto_margin, planned_mde

    if task.gate.margin != AUTO:
        return float(task.gate.margin)
    # From the size alone: a margin worked out from the scores would be chosen by what it judges.
    return auto_margin(planned_mde(len(held_out.examples), alpha=1 - task.gate.confidence))


def planned_proof_calls(suite: Suite, *, repeats: bool) -> int:
    """Return the most calls that a proof makes: both arms, all three hurdles."""
    if repeats:
        # The confirm test uses the screen's answers; val's come from the cache, where there is one.
        return 2 * (len(suite.tuning.val) + len(suite.held_out.examples))
    held_out = (1 + _TRIALS) * len(suite.held_out.examples)
    return 2 * (_TRIALS * len(suite.tuning.val) + held_out)


def _scores(
    arms: Sequence[Evaluation],
) -> tuple[tuple[tuple[float, ...], ...], tuple[tuple[float, ...], ...]]:
    return arms[0].scores, arms[1].scores


@dataclass(frozen=True, slots=True, kw_only=True)
class _Units:
    """How examples count: clusters and weights, None where all are alike."""

    groups: list[str] | None
    weights: list[float] | None


def _units(examples: Sequence[Example]) -> _Units:
    grouped = any(example.group is not None for example in examples)
    weighted = any(example.weight != 1.0 for example in examples)
    return _Units(
        # An example without a group is a unit of its own; ids and groups must not meet.
        groups=[f"g:{e.group}" if e.group is not None else f"e:{e.id}" for e in examples]
        if grouped
        else None,
        weights=[example.weight for example in examples] if weighted else None,
    )


def _change(before: Prompt, after: Prompt) -> PromptChange:
    return PromptChange(
        path=after.path,
        before=before.source.decode("utf-8", "replace"),
        after=after.source.decode("utf-8", "replace"),
    )
