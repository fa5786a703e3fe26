# ruff: noqa: E501 - sentences as the gate writes them
"""Sample results of every verdict, made of the same values as the real ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.core.comparison import Comparison, Interval, More, Slice
from gepa_ci.core.evaluation import Evaluation
from gepa_ci.core.ledger import LedgerMode, LedgerState, Shrunk
from gepa_ci.core.optimization import (
    CandidateRecord,
    Edit,
    Failure,
    Optimization,
    Origin,
    Rejection,
)
from gepa_ci.core.prompt import Component, ComponentKind, Prompt, Role, Span
from gepa_ci.core.result import PromptChange, RunResult, TaskResult
from gepa_ci.core.score import ModelFailure, Score, Trial
from gepa_ci.core.spend import ModelSpend, Usage
from gepa_ci.core.suite import Example, Part
from gepa_ci.core.verdict import Cause, GuardDecision, RegressionDecision, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

BEFORE = """\
messages:
  - role: system
    content: |
      Read the e-mail and give the order number, the name and the item.
  - role: user
    content: "{{email}}"
"""
AFTER = """\
messages:
  - role: system
    content: |
      Read the e-mail. Answer with one JSON object and nothing else:
      {"order": "...", "name": "...", "item": "..."}
      Use null for whatever the e-mail does not say.
  - role: user
    content: "{{email}}"
"""
EMAIL = (
    "Hello, my name is Marta Lindqvist and the blue enamel teapot from order {number} arrived "
    "without its lid, could you please send me a new one?"
)
RIGHT = '{{"order": "{}", "name": "Marta Lindqvist", "item": "teapot"}}'
WRONG = '{"order": "1000"}'
PRAISE = "All 3 fields are as expected."
BLAME = "name: expected 'Marta Lindqvist', got nothing"
TASK_SPEND = Usage(
    calls=612, cached_calls=88, failed_calls=3, input_tokens=184_320, output_tokens=20_811, usd=0.31
)
REFLECTION_SPEND = Usage(calls=24, input_tokens=40_960, output_tokens=18_202, usd=0.23)
SMALL_SPEND = Usage(calls=39, input_tokens=11_700, output_tokens=1_209, usd=0.0042)
MODELS = {"task": "openai/gpt-5-mini", "reflection": "openai/gpt-5", "judge": "openai/gpt-5-nano"}


def by_model(**usages: Usage) -> tuple[ModelSpend, ...]:
    return tuple(
        ModelSpend(purpose=purpose, model=MODELS[purpose], usage=usage)
        for purpose, usage in usages.items()
    )


def example(number: int) -> Example:
    return Example(
        id=f"mail-{number:03}",
        inputs={"email": EMAIL.format(number=1000 + number)},
        expected={"order": str(1000 + number), "name": "Marta Lindqvist", "item": "teapot"},
        tags=(*(["returns"] if number % 3 == 0 else []), *(["urgent"] if number % 10 == 0 else [])),
    )


def evaluation(
    scores: Sequence[tuple[float, ...]], *, part: Part = Part.HELD_OUT, digest: str = "b" * 64
) -> Evaluation:
    examples = tuple(example(number) for number in range(len(scores)))
    trials = tuple(
        tuple(
            Trial(
                example_id=row.id,
                number=k,
                output=RIGHT.format(1000 + int(row.id[-3:])) if value == 1 else WRONG,
                score=Score(value=value, feedback=PRAISE if value == 1 else BLAME),
                failure=ModelFailure.TRUNCATED if value == 0 and k == 1 else None,
            )
            for k, value in enumerate(values)
        )
        for row, values in zip(examples, scores, strict=True)
    )
    return Evaluation(prompt_digest=digest, part=part, examples=examples, trials=trials)


def comparison(before: Evaluation, after: Evaluation, low: float, high: float) -> Comparison:
    rows = [
        ([trial.score.value for trial in b], [trial.score.value for trial in a])
        for b, a in zip(before.trials, after.trials, strict=True)
    ]
    means = [(sum(b) / len(b), sum(a) / len(a)) for b, a in rows if a and b]
    baseline, candidate = (sum(side) / len(means) for side in zip(*means, strict=True))
    wins, losses = sum(a > b for b, a in means), sum(a < b for b, a in means)
    return Comparison(
        n=len(means),
        units=len(means),
        missing=len(rows) - len(means),
        baseline_mean=baseline,
        candidate_mean=candidate,
        difference=candidate - baseline,
        interval=Interval(low=low, high=high, level=0.9),
        p_value=0.21,
        p_better=0.21,
        p_worse=0.79,
        wins=wins,
        losses=losses,
        ties=len(means) - wins - losses,
        mde=0.11,
    )


def prompt(text: str) -> Prompt:
    return Prompt(
        path="prompts/orders.prompt.yml",
        format="prompt_yml",
        source=text.encode(),
        components=(
            Component(
                name="system",
                kind=ComponentKind.TEXT,
                role=Role.SYSTEM,
                text=text,
                span=Span(start=0, end=len(text)),
                line=4,
            ),
        ),
        variables=("email",),
    )


FIRST = Edit(
    component="system",
    removed=("Read the e-mail and give the order number, the name and the item.",),
    added=("Read the e-mail.", "Answer with one JSON object and nothing else:"),
    candidate=1,
    failures=(
        Failure(
            example_id="mail-201", score=0.0, feedback="expected a JSON object, got a sentence"
        ),
        Failure(example_id="mail-214", score=0.5, feedback="item: expected 'lamp', got nothing"),
    ),
)
SECOND = Edit(
    component="system",
    removed=(),
    added=("Use null for whatever the e-mail does not say.",),
    candidate=2,
    failures=(Failure(example_id="mail-207", score=0.0, feedback=""),),
)


def val_scores(*scores: float) -> dict[str, float]:
    return {f"v{number}": score for number, score in enumerate(scores, 1)}


def optimization(*, best: int, proposer: str = "reflection") -> Optimization:
    origin = Origin.EXAMPLES if proposer == "example accumulation" else Origin.REFLECTION
    records = (
        CandidateRecord(
            number=0,
            origin=Origin.BASELINE,
            texts={"system": BEFORE},
            val_scores=val_scores(0.5, 0.3, 0.44, 0.4),
            metric_calls=4,
        ),
        CandidateRecord(
            number=1,
            origin=origin,
            parents=(0,),
            texts={"system": AFTER},
            val_scores=val_scores(0.9, 0.3, 0.5, 0.5) if best else val_scores(0.5, 0.2, 0.42, 0.4),
            metric_calls=14,
            examples=("mail-201", "mail-214", "mail-230"),
            edits=(FIRST,),
        ),
        CandidateRecord(
            number=2,
            origin=origin,
            parents=(1,),
            texts={"system": AFTER},
            val_scores=val_scores(0.6, 0.9, 0.7, 0.6) if best else val_scores(0.4, 0.4, 0.44, 0.4),
            metric_calls=31,
            examples=("mail-207", "mail-219", "mail-222"),
            edits=(SECOND,),
            outputs={"v2": '{"order": "1000"}'},
        ),
    )
    return Optimization(
        optimizer="gepa",
        proposer=proposer,
        candidate=prompt(AFTER if best else BEFORE),
        best=best,
        candidates=records[: best + 1] if best else records,
        rejections=(
            Rejection(
                reason="The placeholder '{{email}}' is missing.", component="user", text="Read it."
            ),
            Rejection(
                reason="The text is 5,120 characters long; at most 4,000 are allowed.",
                component="system",
                text="Read " * 1024,
            ),
            Rejection(
                reason="The placeholder '{{email}}' is missing.", component="user", text="Mail:"
            ),
        ),
        metric_calls=300,
        budget=300,
        proposals=24,
        stop_reason="The budget of 300 metric calls is used up.",
        seed=0,
        edits=(FIRST, SECOND)[:best],
        seconds=12.4,
    )


def base_task(name: str = "orders") -> TaskResult:
    return TaskResult(
        name=name,
        verdict=None,
        model="openai/gpt-5-mini",
        spend=TASK_SPEND,
        spend_by_model=by_model(task=TASK_SPEND),
        phases={"preflight": 0.8, "evaluate": 9.1},
    )


def run(command: str, *tasks: TaskResult, replay: str = "") -> RunResult:
    return RunResult(
        command=command,
        tasks=tasks,
        spend=sum((task.spend for task in tasks), Usage()),
        seconds=0.3 + sum(seconds for task in tasks for seconds in task.phases.values()),
        config_digest="4f1c" * 16,
        versions={"gepa-ci": "0.1.0", "gepa": "0.1.4", "dspy": "3.4.1", "python": "3.11.7"},
        replay=replay,
        made_at="2026-03-05T04:10:00+00:00",
    )


CHANGES = (PromptChange(path="prompts/orders.prompt.yml", before=BEFORE, after=AFTER),)
LOW = [(0.0, 0.0, 0.0)] * 40 + [(1.0, 1.0, 0.0)] * 20 + [(1.0, 1.0, 1.0)] * 40
HIGH = [(1.0, 1.0, 1.0)] * 31 + [(0.0, 0.0, 0.0)] * 9 + [(1.0, 1.0, 0.0)] * 16
HIGH += [(0.0, 1.0, 0.0)] * 4 + [(1.0, 1.0, 1.0)] * 40


def _optimized(best: int, proposer: str = "reflection") -> TaskResult:
    return replace(
        base_task(),
        trials=3,
        optimization=optimization(best=best, proposer=proposer),
        spend=TASK_SPEND + REFLECTION_SPEND,
        spend_by_model=by_model(task=TASK_SPEND, reflection=REFLECTION_SPEND),
        phases={"preflight": 0.8, "optimize": 12.4, "evaluate": 9.1},
        changes=CHANGES if best else (),
    )


_OPTIMIZE = "gepa-ci optimize orders"
_GATE_METHOD = (
    "exact one-sided sign-flip test, alpha 0.05; look {look} of 10 (alpha t^2 spent){last}; pass: plus-two lower "
    "bound above -0.05 at z {z}; given up at conditional power below 0.2 (pass 0.1); {n} examples, 3 trials each"
)
_PROOF_METHOD = (
    "exact one-sided sign-flip test, alpha 0.05; look 10 of 10, for futility only (conditional power below 0.2); "
    "100 examples, 3 trials each"
)
LEDGER = LedgerState(
    mode=LedgerMode.BUDGET,
    uses=8,
    promotions=1,
    inherited=0.0,
    budget=0.5,
    spent=0.35,
    left=0.15,
    next_alpha=0.05,
    tests_left=3,
    first_use="2025-10-02T03:11:09+00:00",
    worn=None,
    summary="The held-out examples have judged 8 candidates, 1 of them promoted; 0.35 of 0.5 expected false promotions are spent, which leaves 3 questions.",
)
NO_LEDGER = LedgerState(
    mode=LedgerMode.NONE,
    uses=0,
    promotions=0,
    inherited=0.0,
    budget=None,
    spent=None,
    left=None,
    next_alpha=0.05,
    tests_left=None,
    first_use=None,
    worn=None,
    summary="No record is kept of how often the held-out examples are asked.",
)
SHRUNK = Shrunk(difference=0.262, spread=0.13, answers=7)


def promote() -> RunResult:
    before, after = evaluation(LOW), evaluation(HIGH, digest="c" * 64)
    task = replace(
        _optimized(best=2),
        verdict="promote",
        reasons=(
            (
                "The candidate is better on held-out examples: the mean score went from 0.533 to "
                "0.83 (+0.297) over 100 examples, 31 better, 4 worse and 65 equal. A candidate that is no "
                "better would do as well in fewer than 0.1% of runs (p < 0.001)."
            ),
        ),
        notes=(
            "The verdict rests on 3 fresh trials of each held-out example, which no screen used.",
        ),
        written=("prompts/orders.prompt.yml",),
        baseline=before,
        candidate=after,
        comparison=replace(
            comparison(before, after, 0.21, 0.37), p_value=2.4e-7, p_better=2.4e-7, p_worse=1.0
        ),
        method=_PROOF_METHOD,
        planned=100,
        ledger=LEDGER,
        shrunk=SHRUNK,
    )
    return run("optimize", task, replay=_OPTIMIZE)


def promote_by_examples() -> RunResult:
    result = promote()
    task = replace(
        result.tasks[0],
        model="local",
        optimization=optimization(best=2, proposer="example accumulation"),
        ledger=NO_LEDGER,
        shrunk=None,
        notes=(
            (
                "The model gives the same answer to the same request, so it was not asked twice: the "
                "confirm test was made on the answers of the held-out screen."
            ),
        ),
        spend=Usage(calls=520, input_tokens=93_000, output_tokens=11_000, usd=None),
        spend_by_model=(
            ModelSpend(
                purpose="task",
                model="local",
                usage=Usage(calls=520, input_tokens=93_000, output_tokens=11_000, usd=None),
            ),
        ),
    )
    return replace(result, tasks=(task,), spend=task.spend)


def hold_no_improvement() -> RunResult:
    task = replace(
        _optimized(best=0),
        verdict="hold",
        reasons=(
            "Held: no candidate scored higher than the baseline on the val part.",
            "Nothing was measured on held-out examples, so they stay unused.",
        ),
        trials=1,
    )
    return run("optimize", task, replay=_OPTIMIZE)


def hold_budget_too_small() -> RunResult:
    records = optimization(best=0).candidates[:1]
    task = replace(
        _optimized(best=0),
        verdict="hold",
        reasons=(
            (
                "Held: the budget of 40 metric calls is too small to try anything: scoring the "
                "baseline takes 38, and one proposal takes 44 more. Set max_metric_calls to 200 or "
                "more."
            ),
        ),
        trials=1,
        spend=SMALL_SPEND,
        spend_by_model=by_model(task=SMALL_SPEND),
        phases={"preflight": 0.8, "optimize": 1.9},
        optimization=replace(
            optimization(best=0),
            candidates=records,
            rejections=(),
            metric_calls=38,
            budget=40,
            proposals=0,
            stop_reason="The budget is too small to try a proposal.",
        ),
    )
    return run("optimize", task, replay=_OPTIMIZE)


def hold_val_screen() -> RunResult:
    before = evaluation([(0.0,)] * 24 + [(1.0,)] * 16)
    after = evaluation([(0.0,)] * 17 + [(1.0,)] * 18 + [(0.0,)] * 5)
    task = replace(
        _optimized(best=1),
        verdict="hold",
        reasons=(
            (
                "The val screen is not passed: the mean score went from 0.40 to 0.45 (+0.05) over 40 "
                "examples, 7 better, 5 worse and 28 equal. A candidate that is no better would do as "
                "well in 29% of runs (p = 0.29); the screen's limit is 20%."
            ),
        ),
        notes=("The held-out examples were not used.",),
        trials=1,
        comparison=replace(
            comparison(before, after, -0.03, 0.12),
            interval=Interval(low=-0.03, high=0.12, level=0.6),
            p_value=0.29,
        ),
    )
    return run("optimize", task, replay=_OPTIMIZE)


def hold_confirm() -> RunResult:
    before = evaluation(LOW)
    after = evaluation(LOW[:38] + [(1.0, 1.0, 1.0)] * 7 + LOW[45:97] + [(0.0, 1.0, 0.0)] * 3)
    task = replace(
        _optimized(best=1),
        verdict="hold",
        reasons=(
            (
                "Held: the gain may be luck: the mean score went from 0.533 to 0.55 (+0.017) over 100 "
                "examples, 7 better, 3 worse and 90 equal. A candidate that is no better would do as "
                "well in 21% of runs (p = 0.21); the limit is 5%."
            ),
            "About 900 examples would show a gain of this size.",
        ),
        baseline=before,
        candidate=after,
        comparison=replace(
            comparison(before, after, -0.03, 0.06), n_needed=900, more=More.EXAMPLES
        ),
        method=_PROOF_METHOD,
        planned=100,
        ledger=LEDGER,
        shrunk=Shrunk(difference=0.004, spread=0.02, answers=7),
    )
    return run("optimize", task, replay=_OPTIMIZE)


def _answered(result: RunResult) -> RunResult:
    """Return the result of a run in which the ledger had the answer to the same question."""
    (task,) = result.tasks
    again = "Asked on 2025-11-14 already, and the answer stands: no second draw is made."
    answered = replace(
        task,
        model="",
        reasons=(again, *task.reasons),
        notes=("The held-out examples were not used again.",),
        method="",
        trials=1,
        planned=0,
        baseline=None,
        candidate=None,
        shrunk=None,
    )
    return replace(result, tasks=(answered,))


def promote_answered_before() -> RunResult:
    return _answered(promote())


def hold_answered_before() -> RunResult:
    return _answered(hold_confirm())


_USED_UP = (
    "The held-out examples are used up: the candidates that they judged may by now have brought 0.5 false promotions on average, and 0.5 are allowed.",
    "Renew them with `gepa-ci suite refresh orders`: those in use become examples to optimize on, and new ones take their place.",
    "Or add held-out examples: 12 more examples would allow another question.",
)


def hold_used_up() -> RunResult:
    task = TaskResult(name="orders", verdict="hold", reasons=_USED_UP)
    return run("optimize", task, replay=_OPTIMIZE)


def hold_used_up_after_search() -> RunResult:
    task = replace(
        _optimized(best=2),
        verdict="hold",
        reasons=(*_USED_UP, "The budget of 300 metric calls is used up."),
        model="",
        trials=1,
        ledger=replace(
            LEDGER,
            uses=10,
            promotions=0,
            spent=0.5,
            left=0.0,
            next_alpha=0.0,
            tests_left=0,
            worn=_USED_UP[0],
            summary="The held-out examples have judged 10 candidates; 0.5 of 0.5 expected false promotions are spent, which leaves 0 questions.",
        ),
    )
    return run("optimize", task, replay=_OPTIMIZE)


def _gated(
    verdict: str,
    reasons: tuple[str, ...],
    after: Evaluation,
    *,
    before: Evaluation | None = None,
    method: str = _GATE_METHOD.format(look=10, last=", mid-p at the last", z=1.85, n=100),
    planned: int = 100,
    **figures: float,
) -> RunResult:
    before = before or evaluation(LOW)
    compared = comparison(before, after, figures.pop("low"), figures.pop("high"))
    task = replace(
        base_task(),
        verdict=verdict,
        reasons=reasons,
        notes=("The margin of 0.05 and the confidence of 95% are those of the config.",),
        trials=3,
        baseline=before,
        candidate=after,
        comparison=replace(compared, **figures),  # type: ignore[arg-type]
        margin=0.05,
        method=method,
        planned=planned,
        changes=CHANGES,
    )
    return run("gate", task, replay="gepa-ci gate --base 3f9d2c1 --head 81bb0aa")


def gate_improved() -> RunResult:
    return _gated(
        "improved",
        (
            (
                "The candidate is better: the mean score went from 0.533 to 0.83 (+0.297) over 100 "
                "examples, 31 better, 4 worse and 65 equal. If it were not, a gain like this would "
                "come up in fewer than 0.1% of runs (p < 0.001)."
            ),
        ),
        evaluation(HIGH),
        low=0.21,
        high=0.37,
        p_value=2e-7,
    )


def gate_pass() -> RunResult:
    return _gated(
        "pass",
        (
            (
                "The candidate is not worse than the margin allows: the mean score went from 0.533 to "
                "0.533 (+0.00) over 100 examples, 0 better, 0 worse and 100 equal. With 95% "
                "confidence any loss is below 0.023, within the margin of 0.05."
            ),
        ),
        evaluation(LOW),
        low=-0.023,
        high=0.023,
        p_value=0.5,
    )


def gate_regression() -> RunResult:
    after = evaluation(LOW[:60] + [(0.0, 1.0, 1.0)] * 5 + [(0.0, 0.0, 0.0)] * 14 + LOW[79:])
    return _gated(
        "regression",
        (
            (
                "The candidate is worse: the mean score went from 0.533 to 0.377 (-0.157) over 100 "
                "examples, 0 better, 19 worse and 81 equal. If it were not, a loss like this would "
                "come up in fewer than 0.1% of runs (p < 0.001)."
            ),
        ),
        after,
        low=-0.216,
        high=-0.091,
        p_value=1e-6,
    )


def gate_inconclusive() -> RunResult:
    after = evaluation(LOW[:36] + [(1.0, 1.0, 1.0)] * 4 + LOW[40:93] + [(0.0, 0.0, 0.0)] * 7)
    return _gated(
        "inconclusive",
        (
            (
                "The data decide neither way: the mean score went from 0.533 to 0.503 (-0.03) over "
                "100 examples, 4 better, 7 worse and 89 equal. The loss may be as large as 0.085, "
                "beyond the margin of 0.05, but that there is a loss is not shown either."
            ),
            (
                "About 340 held-out examples would probably decide it. More trials of the same "
                "examples would help little."
            ),
        ),
        after,
        low=-0.085,
        high=0.026,
        p_value=0.19,
    )


def gate_stopped_early() -> RunResult:
    """A pass after 60 of 200 examples, of which the provider failed on three."""
    before: list[tuple[float, ...]] = [*LOW[10:70]]
    after = [*before]
    before[7] = after[23] = ()
    before[31] = after[31] = ()
    after[12] = (0.0, 0.0)
    return _gated(
        "pass",
        (
            (
                "The candidate is not worse than the margin allows: the mean score went from 0.398 to 0.398 (+0.00) "
                "over 57 examples, 0 better, 0 worse and 57 equal. With 95% confidence any loss is below 0.049, "
                "within the margin of 0.05."
            ),
            "Decided after 60 of 200 examples, so the others were not run.",
        ),
        evaluation(after),
        before=evaluation(before),
        method=_GATE_METHOD.format(look=3, last="", z=2.72, n=57),
        planned=200,
        low=-0.049,
        high=0.049,
        p_value=0.5,
    )


def guard(
    name: str,
    verdict: Verdict,
    means: tuple[float, float],
    reason: str,
    *,
    change: float,
    tolerated: float = 0.1,
    adjusted_p: float | None = 0.4,
) -> GuardDecision:
    compared = comparison(evaluation(LOW), evaluation(LOW), -0.02, 0.02)
    return GuardDecision(
        name=name,
        relative=name in ("cost", "latency", "output_length", "prompt_length"),
        tolerated=tolerated,
        decision=RegressionDecision(
            verdict=verdict, comparison=compared, reasons=(reason,), alpha=0.05, margin=0.05
        ),
        baseline_mean=means[0],
        candidate_mean=means[1],
        change=change,
        adjusted_p=adjusted_p,
    )


def tagged(tag: str, n: int, before: float, after: float, *, adjusted_p: float) -> Slice:
    flagged = adjusted_p <= 0.05
    return Slice(
        tag=tag,
        n=n,
        baseline_mean=before,
        candidate_mean=after,
        difference=after - before,
        interval=Interval(low=after - before - 0.1, high=after - before + 0.1, level=0.9),
        p_worse=adjusted_p / 3,
        adjusted_p=adjusted_p,
        flagged=flagged,
        sentence=f"On the {n} examples tagged '{tag}' the candidate looks worse: the mean score went from {before:g} to {after:g} (p = {adjusted_p:g}, adjusted for the number of tags). This does not block."
        if flagged
        else "",
    )


_HOLDING = (
    guard(
        "contains",
        Verdict.PASS,
        (0.95, 0.94),
        "The guard 'contains' holds: the mean score went from 0.95 to 0.94 (-0.01) over 100 examples, and a larger loss than the tolerated 0.05 is ruled out.",
        change=-0.01,
        tolerated=0.05,
    ),
    guard(
        "prompt_length",
        Verdict.PASS,
        (612.0, 668.0),
        "The guard 'prompt_length' holds: its mean went from 612 to 668 (+9.2%), within the tolerated 10%.",
        change=0.092,
        adjusted_p=None,
    ),
)
_SLICES = (
    tagged("refund", 31, 0.61, 0.32, adjusted_p=0.004),
    tagged("lost parcel", 24, 0.5, 0.46, adjusted_p=0.4),
    tagged("praise", 45, 0.51, 0.67, adjusted_p=0.98),
)


def gate_guards() -> RunResult:
    result = gate_pass()
    task = replace(
        result.tasks[0],
        reasons=(
            *result.tasks[0].reasons,
            "The guards 'contains' and 'prompt_length' hold.",
        ),
        guards=_HOLDING,
        slices=_SLICES,
    )
    return replace(result, tasks=(task,))


def gate_guard_regression() -> RunResult:
    result = gate_pass()
    worse = guard(
        "latency",
        Verdict.REGRESSION,
        (0.8412, 1.1034),
        "The guard 'latency' is worse: its mean went from 0.841 s to 1.1 s over 100 examples (+30.1% on a typical example). Chance does not explain it (p < 0.001, adjusted for 3 tests).",
        change=0.301,
        adjusted_p=1e-6,
    )
    task = replace(
        result.tasks[0],
        verdict="regression",
        reasons=(*worse.decision.reasons, *result.tasks[0].reasons),
        guards=(*_HOLDING, worse),
        slices=_SLICES[1:],
    )
    return replace(result, tasks=(task,))


def promote_guarded() -> RunResult:
    result = promote()
    task = replace(result.tasks[0], guards=_HOLDING, slices=_SLICES[1:])
    return replace(result, tasks=(task,))


def gate_three_tasks() -> RunResult:
    results = (gate_pass(), gate_regression(), gate_inconclusive())
    names = ("orders", "triage", "summary")
    tasks = tuple(
        replace(result.tasks[0], name=name) for result, name in zip(results, names, strict=True)
    )
    return run("gate", *tasks, replay="gepa-ci gate --base 3f9d2c1")


def evaluated() -> RunResult:
    task = replace(
        base_task(), candidate=evaluation(HIGH, part=Part.VAL), trials=3, notes=("Seed 7 was set.",)
    )
    return run("evaluate", task, replay="gepa-ci evaluate orders --part val")


def gate_unchanged() -> RunResult:
    task = TaskResult(
        name="orders",
        verdict=None,
        cause=Cause.UNCHANGED,
        reasons=("The prompt file is the same on base and head, so nothing was run.",),
    )
    return run("gate", task, replay="gepa-ci gate --base 3f9d2c1")


def gate_new_prompt() -> RunResult:
    task = replace(
        base_task(),
        reasons=("The prompt is new, so there is nothing to compare it with.",),
        candidate=evaluation(HIGH),
        trials=3,
    )
    return run("gate", task, replay="gepa-ci gate --base 3f9d2c1")


def gate_ruler_changed() -> RunResult:
    task = replace(
        base_task(),
        verdict=Verdict.RULER_CHANGED,
        reasons=(
            "The ruler changed: the judge 'openai/gpt-5' does not score its 24 anchors as when it was calibrated on 2026-05-02; on average they now get 0.81 points less (p = 3.8e-06). Its scores say nothing about the prompts.",
            "Calibrate it again (gepa-ci judge calibrate orders --labels FILE --write-anchors prompts/anchors.jsonl) and commit that file.",
        ),
        spend=SMALL_SPEND,
        spend_by_model=by_model(judge=SMALL_SPEND),
        phases={},
    )
    return run("gate", task, replay="gepa-ci gate --base 3f9d2c1")


def nothing() -> RunResult:
    return run("gate")


def _because(cause: Cause, result: RunResult) -> RunResult:
    return replace(result, tasks=(replace(result.tasks[0], cause=cause),))


def _undecided(cause: Cause, reason: str) -> RunResult:
    result = _gated(
        "inconclusive",
        (reason,),
        evaluation(LOW[:36] + [(1.0, 1.0, 1.0)] * 4 + LOW[40:93] + [(0.0, 0.0, 0.0)] * 7),
        low=-0.085,
        high=0.026,
        p_value=0.19,
    )
    return _because(cause, result)


def gate_too_few_examples() -> RunResult:
    before = evaluation([*LOW[36:44]])
    after = evaluation([(0.0, 0.0, 0.0), *LOW[37:44]])
    result = _gated(
        "inconclusive",
        (
            "8 examples are too few for a verdict, which needs 10: the mean score went from 0.333 to 0.333 (+0.00) over 8 examples, 0 better, 0 worse and 8 equal.",
            "About 60 held-out examples would probably decide it. More trials of the same examples would help little.",
        ),
        after,
        before=before,
        planned=8,
        low=-0.31,
        high=0.31,
        p_value=1.0,
    )
    return _because(Cause.TOO_FEW, result)


def gate_calls_failed() -> RunResult:
    before: list[tuple[float, ...]] = [*LOW]
    after = [*before]
    for number in range(10, 26):
        after[number] = ()
    result = _gated(
        "inconclusive",
        (
            "No verdict. 16 of 100 examples have no score for one prompt or both, more than 10%: the calls failed, which says nothing about the prompt. Run it again.",
        ),
        evaluation(after),
        before=evaluation(before),
        low=-0.02,
        high=0.02,
        p_value=0.5,
    )
    return _because(Cause.CALLS_FAILED, result)


def gate_uneven_failures() -> RunResult:
    return _undecided(
        Cause.CALLS_FAILED,
        "No verdict. Calls failed for 1 of 300 trials of the baseline but 21 of 300 of the candidate, more than chance explains (p = 0.00002), so the scores that are there may not be comparable. Run it again.",
    )


def gate_no_scores() -> RunResult:
    result = _undecided(
        Cause.NOTHING_COMPARED,
        "No verdict. No example has a score for both prompts, so there is nothing to compare.",
    )
    task = result.tasks[0]
    assert task.comparison is not None
    empty = replace(
        task.comparison,
        n=0,
        units=0,
        missing=100,
        baseline_mean=0.0,
        candidate_mean=0.0,
        difference=0.0,
        interval=Interval(low=-1.0, high=1.0, level=0.9),
        p_value=1.0,
        wins=0,
        losses=0,
        ties=0,
    )
    task = replace(task, comparison=empty, baseline=None, candidate=None)
    return replace(result, tasks=(task,))


def gate_guard_undecided() -> RunResult:
    result = gate_pass()
    undecided = guard(
        "contains",
        Verdict.INCONCLUSIVE,
        (0.95, 0.92),
        "The guard 'contains' is undecided: the mean score went from 0.95 to 0.92 (-0.03) over 100 examples. A larger loss than the tolerated 0.05 is not ruled out, but that there is any loss is not shown either; about 280 held-out examples would probably decide it.",
        change=-0.03,
        tolerated=0.05,
        adjusted_p=0.12,
    )
    unmeasured = guard(
        "latency",
        Verdict.INCONCLUSIVE,
        (0.0, 0.0),
        "The guard 'latency' has no verdict: 100 of 100 examples have no value for one prompt or both, more than 10%. An answer from the response cache has no latency; with `cache: off` in the config every call is timed.",
        change=0.0,
    )
    compared = replace(unmeasured.decision.comparison, n=0, units=0, missing=100)
    unmeasured = replace(unmeasured, decision=replace(unmeasured.decision, comparison=compared))
    task = replace(
        result.tasks[0],
        verdict="inconclusive",
        cause=Cause.GUARDS,
        reasons=(
            *undecided.decision.reasons,
            *unmeasured.decision.reasons,
            *result.tasks[0].reasons,
        ),
        guards=(undecided, unmeasured),
    )
    return replace(result, tasks=(task,))


def hold_ruler_changed() -> RunResult:
    task = replace(gate_ruler_changed().tasks[0], verdict="hold")
    return run("optimize", task, replay=_OPTIMIZE)


def hold_interrupted() -> RunResult:
    task = replace(
        _optimized(best=1),
        verdict="hold",
        reasons=(
            "The search was stopped by hand, so nothing was proved on held-out examples.",
            "The best so far is candidate 1, with 0.550 on val; the baseline has 0.410.",
            "The same command goes on from here; what was paid for is kept.",
        ),
        trials=1,
        optimization=replace(
            optimization(best=1),
            interrupted=True,
            stop_reason="It was stopped by hand.",
            metric_calls=81,
        ),
    )
    return run("optimize", task, replay=_OPTIMIZE)


def hold_gain_too_small() -> RunResult:
    result = hold_confirm()
    (task,) = result.tasks
    reason = "Held: the gain is real but smaller than 0.05, which is asked for: the mean score went from 0.533 to 0.55 (+0.017) over 100 examples, 7 better, 3 worse and 90 equal."
    return replace(result, tasks=(replace(task, reasons=(reason,)),))


def hold_guard() -> RunResult:
    result = promote()
    worse = guard(
        "prompt_length",
        Verdict.REGRESSION,
        (612.0, 868.0),
        "The guard 'prompt_length' is worse: its mean went from 612 to 868 (+41.8%), more than the tolerated 10%.",
        change=0.418,
        adjusted_p=None,
    )
    (task,) = result.tasks
    held = replace(
        task,
        verdict="hold",
        reasons=(*worse.decision.reasons, *task.reasons),
        guards=(_HOLDING[0], worse),
        written=(),
        shrunk=None,
    )
    return replace(result, tasks=(held,))


SAMPLES = {
    make.__name__: make
    for make in (
        promote,
        promote_by_examples,
        promote_guarded,
        hold_no_improvement,
        hold_budget_too_small,
        hold_val_screen,
        hold_confirm,
        promote_answered_before,
        hold_answered_before,
        hold_used_up,
        hold_used_up_after_search,
        gate_improved,
        gate_pass,
        gate_stopped_early,
        gate_regression,
        gate_inconclusive,
        gate_ruler_changed,
        gate_guards,
        gate_guard_regression,
        gate_three_tasks,
        gate_unchanged,
        gate_new_prompt,
        evaluated,
        nothing,
        gate_too_few_examples,
        gate_calls_failed,
        gate_uneven_failures,
        gate_no_scores,
        gate_guard_undecided,
        hold_ruler_changed,
        hold_interrupted,
        hold_gain_too_small,
        hold_guard,
    )
}
