"""Owns the JSON document of a run, `result.json`, which `result.schema.json` describes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gepa_ci.core.result import SCHEMA_VERSION
from gepa_ci.reports.diff import unified_diff
from gepa_ci.reports.document_optimization import optimization_document
from gepa_ci.reports.lengths import length
from gepa_ci.reports.redact import without_texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.core.comparison import Comparison, Interval, Slice
    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.ledger import LedgerState, Shrunk
    from gepa_ci.core.result import RunResult, TaskResult
    from gepa_ci.core.score import Trial
    from gepa_ci.core.spend import Usage
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON
    from gepa_ci.core.verdict import GuardDecision


def result_document(result: RunResult, *, texts: bool) -> dict[str, JSON]:
    """Return the JSON document of a run.

    Args:
        result: What the run found out.
        texts: Whether examples carry inputs, answers, outputs and feedback: true for the file that
            stays with the user, false for whatever is posted.

    Raises:
        ValueError: a number is not finite.
    """
    document: dict[str, JSON] = {
        "schema_version": SCHEMA_VERSION,
        "command": result.command,
        "tasks": [_task(task) for task in result.tasks],
        "spend": _usage(result.spend),
        "seconds": result.seconds,
        "config_digest": result.config_digest,
        "versions": dict(result.versions),
        "replay": result.replay,
        "made_at": result.made_at,
    }
    _check_finite(document, "result")
    return document if texts else without_texts(document)


def _task(task: TaskResult) -> dict[str, JSON]:
    return {
        "name": task.name,
        "verdict": None if task.verdict is None else str(task.verdict),
        "cause": None if task.cause is None else str(task.cause),
        "reasons": list(task.reasons),
        "notes": list(task.notes),
        "model": task.model,
        "method": task.method,
        "trials": task.trials,
        "planned": task.planned,
        "written": list(task.written),
        "baseline": None if task.baseline is None else _evaluation(task.baseline),
        "candidate": None if task.candidate is None else _evaluation(task.candidate),
        "comparison": None if task.comparison is None else _comparison(task.comparison),
        "margin": task.margin,
        "guards": [_guard(guard) for guard in task.guards],
        "slices": [_slice(item) for item in task.slices],
        "ledger": None if task.ledger is None else _ledger(task.ledger),
        "shrunk": None if task.shrunk is None else _shrunk(task.shrunk),
        "examples": _examples(task.baseline, task.candidate),
        "optimization": None
        if task.optimization is None
        else optimization_document(task.optimization),
        "changes": [
            {
                "path": change.path,
                "diff": unified_diff(change.path, change.before, change.after),
                "before": length(change.before),
                "after": length(change.after),
            }
            for change in task.changes
        ],
        "spend": _usage(task.spend),
        "spend_by_model": [
            {"purpose": part.purpose, "model": part.model, **_usage(part.usage)}
            for part in task.spend_by_model
        ],
        "phases": dict(task.phases),
    }


def _evaluation(evaluation: Evaluation) -> dict[str, JSON]:
    return {
        "mean": evaluation.mean,
        "n": len(evaluation.examples),
        "errors": evaluation.failures,
        "digest": evaluation.prompt_digest,
    }


def _comparison(comparison: Comparison) -> dict[str, JSON]:
    return {
        "n": comparison.n,
        "units": comparison.units,
        "missing": comparison.missing,
        "baseline_mean": comparison.baseline_mean,
        "candidate_mean": comparison.candidate_mean,
        "difference": comparison.difference,
        "interval": _interval(comparison.interval),
        "p_value": comparison.p_value,
        "p_better": comparison.p_better,
        "p_worse": comparison.p_worse,
        "wins": comparison.wins,
        "losses": comparison.losses,
        "ties": comparison.ties,
        "mde": comparison.mde,
        "n_needed": comparison.n_needed,
        "trials_needed": comparison.trials_needed,
        "more": None if comparison.more is None else str(comparison.more),
    }


def _interval(interval: Interval) -> dict[str, JSON]:
    return {"low": interval.low, "high": interval.high, "level": interval.level}


def _guard(guard: GuardDecision) -> dict[str, JSON]:
    return {
        "name": guard.name,
        "relative": guard.relative,
        "verdict": str(guard.verdict),
        "baseline_mean": guard.baseline_mean,
        "candidate_mean": guard.candidate_mean,
        "change": guard.change,
        "tolerated": guard.tolerated,
        "adjusted_p": guard.adjusted_p,
        "n": guard.decision.comparison.n,
        "missing": guard.decision.comparison.missing,
        "reasons": list(guard.decision.reasons),
    }


def _slice(item: Slice) -> dict[str, JSON]:
    return {
        "tag": item.tag,
        "n": item.n,
        "baseline_mean": item.baseline_mean,
        "candidate_mean": item.candidate_mean,
        "difference": item.difference,
        "interval": _interval(item.interval),
        "p_worse": item.p_worse,
        "adjusted_p": item.adjusted_p,
        "flagged": item.flagged,
        "sentence": item.sentence,
    }


def _ledger(state: LedgerState) -> dict[str, JSON]:
    return {
        "mode": str(state.mode),
        "uses": state.uses,
        "promotions": state.promotions,
        "inherited": state.inherited,
        "budget": state.budget,
        "spent": state.spent,
        "left": state.left,
        "next_alpha": state.next_alpha,
        "tests_left": state.tests_left,
        "first_use": state.first_use,
        "worn": state.worn,
        "summary": state.summary,
    }


def _shrunk(shrunk: Shrunk) -> dict[str, JSON]:
    return {
        "difference": shrunk.difference,
        "spread": shrunk.spread,
        "answers": shrunk.answers,
    }


def _examples(baseline: Evaluation | None, candidate: Evaluation | None) -> list[dict[str, JSON]]:
    before, after = _trials_by_id(baseline), _trials_by_id(candidate)
    rows: dict[str, tuple[Example, str]] = {}
    for evaluation in (baseline, candidate):
        if evaluation is not None:
            rows |= {example.id: (example, str(evaluation.part)) for example in evaluation.examples}
    return [
        _example(example, part, before.get(key, ()), after.get(key, ()))
        for key, (example, part) in rows.items()
    ]


def _trials_by_id(evaluation: Evaluation | None) -> dict[str, tuple[Trial, ...]]:
    if evaluation is None:
        return {}
    return {
        example.id: row for example, row in zip(evaluation.examples, evaluation.trials, strict=True)
    }


def _example(
    example: Example, part: str, before: Sequence[Trial], after: Sequence[Trial]
) -> dict[str, JSON]:
    def sides(value: Callable[[Trial], JSON]) -> dict[str, JSON]:
        return {"baseline": [value(t) for t in before], "candidate": [value(t) for t in after]}

    return {
        "id": example.id,
        "part": part,
        "tags": list(example.tags),
        **sides(lambda trial: trial.score.value),
        "inputs": dict(example.inputs),
        "expected": example.expected,
        "outputs": sides(lambda trial: trial.output),
        "feedback": sides(lambda trial: trial.score.feedback),
        "failures": sides(lambda trial: None if trial.failure is None else str(trial.failure)),
    }


def _usage(usage: Usage) -> dict[str, JSON]:
    return {
        "calls": usage.calls,
        "cached_calls": usage.cached_calls,
        "failed_calls": usage.failed_calls,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "usd": usage.usd,
        "seconds": usage.seconds,
    }


def _check_finite(value: JSON, where: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is {value}, which JSON cannot say")
    if isinstance(value, Mapping):
        for key, item in value.items():
            _check_finite(item, f"{where}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, item in enumerate(value):
            _check_finite(item, f"{where}[{number}]")
