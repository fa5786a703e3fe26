"""Owns small made-up results, on which a team's templates are tried before anything is paid for."""

from __future__ import annotations

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
from gepa_ci.core.verdict import GuardDecision, RegressionDecision, Verdict
from gepa_ci.reports.document import result_document

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON

_BEFORE, _AFTER = "Say which team it is for.\n", "Name the team.\nAnswer with one word.\n"
_PATH = "prompts/sample.md"
_USAGE = Usage(
    calls=24, cached_calls=6, failed_calls=1, input_tokens=900, output_tokens=60, usd=0.0125
)
_CHANGES = (PromptChange(path=_PATH, before=_BEFORE, after=_AFTER),)


def sample_documents(*, texts: bool = False) -> tuple[dict[str, JSON], ...]:
    """Return results of a gate, an optimization, several tasks, and of nothing to do."""
    gate, search = _gated("regression", "sample"), _searched()
    several = (gate, _gated("pass", "second"), _unmeasured())
    runs = (
        _run("gate", gate),
        _run("optimize", search),
        _run("gate", *several),
        _run("evaluate", _evaluated()),
        _run("gate"),
    )
    return tuple(result_document(run, texts=texts) for run in runs)


def _run(command: str, *tasks: TaskResult) -> RunResult:
    return RunResult(
        command=command,
        tasks=tasks,
        spend=_USAGE,
        seconds=4.2,
        config_digest="0" * 64,
        versions={"gepa-ci": "0"},
        replay=f"gepa-ci {command}",
    )


def _evaluation(*scores: float) -> Evaluation:
    examples = tuple(
        Example(id=f"e{n}", inputs={"text": f"text {n}"}, expected="sales", tags=("short",))
        for n in range(len(scores))
    )
    trials = tuple(
        (
            Trial(
                example_id=row.id,
                number=0,
                output="sales",
                score=Score(value=score, feedback="expected 'sales'"),
                failure=None if score else ModelFailure.TRUNCATED,
            ),
        )
        for row, score in zip(examples, scores, strict=True)
    )
    return Evaluation(prompt_digest="0" * 64, part=Part.HELD_OUT, examples=examples, trials=trials)


def _comparison() -> Comparison:
    return Comparison(
        n=4,
        units=4,
        missing=1,
        baseline_mean=0.5,
        candidate_mean=0.375,
        difference=-0.125,
        interval=Interval(low=-0.4, high=0.15, level=0.9),
        p_value=0.04,
        p_better=0.9,
        p_worse=0.04,
        wins=1,
        losses=2,
        ties=1,
        mde=0.3,
        n_needed=90,
        more=More.EXAMPLES,
    )


def _guard() -> GuardDecision:
    decision = RegressionDecision(
        verdict=Verdict.PASS,
        comparison=_comparison(),
        reasons=("The guard holds.",),
        alpha=0.05,
        margin=0.1,
    )
    return GuardDecision(
        name="cost",
        relative=True,
        tolerated=0.1,
        decision=decision,
        baseline_mean=0.01,
        candidate_mean=0.0102,
        change=0.02,
    )


def _gated(verdict: str, name: str) -> TaskResult:
    compared = _comparison()
    return TaskResult(
        name=name,
        verdict=verdict,
        reasons=("The candidate scores lower.", "More examples would show more."),
        notes=("The exam is the base's.",),
        model="provider/model",
        method="sign-flip test",
        planned=8,
        baseline=_evaluation(1.0, 1.0, 0.0, 0.5),
        candidate=_evaluation(0.0, 0.5, 1.0, 0.5),
        comparison=compared,
        margin=0.05,
        guards=(_guard(),),
        slices=(
            Slice(
                tag="short",
                n=4,
                baseline_mean=0.5,
                candidate_mean=0.375,
                difference=-0.125,
                interval=compared.interval,
                p_worse=0.04,
                adjusted_p=0.04,
                flagged=True,
                sentence="Short texts look worse.",
            ),
        ),
        changes=_CHANGES,
        spend=_USAGE,
        spend_by_model=(ModelSpend(purpose="task", model="provider/model", usage=_USAGE),),
        phases={"evaluate": 4.2},
    )


def _searched() -> TaskResult:
    gated = _gated("promote", "sample")
    ledger = LedgerState(
        mode=LedgerMode.BUDGET,
        uses=2,
        promotions=1,
        inherited=0.0,
        budget=0.5,
        spent=0.1,
        left=0.4,
        next_alpha=0.05,
        tests_left=8,
        first_use="2026-01-01T00:00:00+00:00",
        worn=None,
        summary="The held-out examples have judged 2 candidates.",
    )
    return TaskResult(
        name=gated.name,
        verdict=gated.verdict,
        reasons=gated.reasons,
        notes=gated.notes,
        model=gated.model,
        written=(_PATH,),
        baseline=gated.baseline,
        candidate=gated.candidate,
        comparison=gated.comparison,
        ledger=ledger,
        shrunk=Shrunk(difference=0.1, spread=0.05, answers=2),
        optimization=_optimization(),
        changes=_CHANGES,
        spend=_USAGE,
        spend_by_model=gated.spend_by_model,
        phases={"optimize": 4.2},
    )


def _optimization() -> Optimization:
    failure = Failure(example_id="t1", score=0.0, feedback="expected 'sales'")
    edit = Edit(
        component="body",
        removed=("Say which team it is for.",),
        added=("Name the team.",),
        candidate=1,
        failures=(failure,),
    )
    records = (
        CandidateRecord(
            number=0,
            origin=Origin.BASELINE,
            texts={"body": _BEFORE},
            val_scores={"v1": 0.5},
            metric_calls=2,
        ),
        CandidateRecord(
            number=1,
            origin=Origin.REFLECTION,
            parents=(0,),
            texts={"body": _AFTER},
            val_scores={"v1": 1.0},
            metric_calls=8,
            examples=("t1",),
            edits=(edit,),
        ),
    )
    component = Component(
        name="body",
        kind=ComponentKind.TEXT,
        role=Role.USER,
        text=_AFTER,
        span=Span(start=0, end=len(_AFTER)),
        line=1,
    )
    return Optimization(
        optimizer="gepa",
        proposer="reflection",
        candidate=Prompt(
            path=_PATH,
            format="text",
            source=_AFTER.encode(),
            components=(component,),
            variables=(),
        ),
        best=1,
        candidates=records,
        rejections=(Rejection(reason="It is too long.", component="body", text="long"),),
        metric_calls=10,
        budget=12,
        proposals=2,
        stop_reason="The budget is used up.",
        seed=0,
        edits=(edit,),
        seconds=4.2,
    )


def _evaluated() -> TaskResult:
    return TaskResult(
        name="sample", verdict=None, model="provider/model", candidate=_evaluation(1.0, 0.0, 0.5)
    )


def _unmeasured() -> TaskResult:
    return TaskResult(
        name="third", verdict="inconclusive", reasons=("No example has a score for both prompts.",)
    )
