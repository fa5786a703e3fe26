"""Owns baselines: recorded scores of the default branch, and when they stand in for new ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gepa_ci.cli.clock import now
from gepa_ci.cli.digests import baseline_digest, history_digest
from gepa_ci.cli.measured import is_fresh, spread_of
from gepa_ci.core.evaluation import Evaluation
from gepa_ci.core.score import Score, Trial
from gepa_ci.core.suite import Part
from gepa_ci.delivery.data_branch import Baseline, HistoryEntry
from gepa_ci.pipeline import Recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.result import TaskResult
    from gepa_ci.core.suite import HeldOutSet

_FRESH = timedelta(hours=24)
ENOUGH_TRIALS = 3


def recorded_baseline(desk: Desk, inputs: TaskInputs) -> Callable[[Prompts, HeldOutSet], Recorded]:
    """Return how the gate finds a recorded evaluation of its base.

    One recorded run of a model that varies would be wrong for every pull request in the same
    direction. So it counts only with three trials, from the same model, and no older than a day;
    and only runs on the default branch record, never the one that won a promotion.
    """

    def find(prompt: Prompts, held_out: HeldOutSet) -> Recorded:
        known = desk.data.read().baselines.get(inputs.task.name)
        if known is None:
            return Recorded()
        refusal = _refusal(known, inputs, prompt)
        if refusal:
            return Recorded(note=f"The base was run afresh, as its recorded scores {refusal}.")
        evaluation = _evaluation(known, prompt, held_out)
        if evaluation is None:
            return Recorded(note="The base was run afresh, as its recorded scores lack examples.")
        return Recorded(
            evaluation=evaluation,
            note=f"The base's scores were recorded on {known.made_at[:16]} and were not run again.",
        )

    return find


def _refusal(known: Baseline, inputs: TaskInputs, prompt: Prompts) -> str:
    if known.digest != baseline_digest(inputs, prompt):
        return "are of another prompt, model, suite or metric"
    if inputs.task.gate.guards:
        return "do not say what the guards measured"
    if known.repeats:
        return ""
    if known.trials < ENOUGH_TRIALS:
        return f"have fewer than {ENOUGH_TRIALS} trials"
    age = datetime.now(UTC) - datetime.fromisoformat(known.made_at)
    return "are older than a day" if not timedelta(0) <= age <= _FRESH else ""


def _evaluation(known: Baseline, prompt: Prompts, held_out: HeldOutSet) -> Evaluation | None:
    # All recorded trials count, however many the head gets: a single one would be the same luck
    # for every pull request.
    rows = [known.scores.get(example.id, ()) for example in held_out.examples]
    if any(len(row) < known.trials or None in row for row in rows):
        return None
    return Evaluation(
        prompt_digest=prompt.digest,
        part=Part.HELD_OUT,
        examples=held_out.examples,
        trials=tuple(
            tuple(
                Trial(
                    example_id=example.id,
                    number=number,
                    output="",
                    score=Score(value=value, feedback="recorded; its output was not kept"),
                )
                for number, value in enumerate(row)
                if value is not None
            )
            for example, row in zip(held_out.examples, rows, strict=True)
        ),
        model=known.model,
    )


def baseline_of(
    desk: Desk, inputs: TaskInputs, evaluation: Evaluation, *, commit: str, repeats: bool
) -> Baseline:
    """Return an evaluation of the default branch as it is recorded."""
    return Baseline(
        task=inputs.task.name,
        digest=baseline_digest(inputs, inputs.prompt),
        prompt_digest=evaluation.prompt_digest,
        suite_digest=inputs.suite.digest,
        model=evaluation.model,
        trials=len(evaluation.scores[0]),
        scores={
            example.id: tuple(row)
            for example, row in zip(evaluation.examples, evaluation.scores, strict=True)
        },
        repeats=repeats,
        made_at=now(),
        commit=commit,
        run=desk.run,
    )


def history_entry(desk: Desk, inputs: TaskInputs, result: TaskResult, commit: str) -> HistoryEntry:
    """Return one line of a task's score history."""
    # What was promoted is not on the branch before it is merged.
    shown = result.baseline or result.candidate
    spread = None if shown is None else spread_of(shown)
    return HistoryEntry(
        task=result.name,
        at=now(),
        commit=commit,
        digest=history_digest(inputs, inputs.prompt, shown),
        prompt_digest=inputs.prompt.digest,
        model="" if shown is None else shown.model,
        mean=None if shown is None else shown.mean,
        se=None if spread is None else spread.error,
        low=None if spread is None else spread.low,
        high=None if spread is None else spread.high,
        n=0 if shown is None else len(shown.examples),
        units=0 if spread is None else spread.units,
        fresh=shown is not None and is_fresh(shown),
        verdict=result.verdict,
        usd=result.spend.usd,
        calls=result.spend.calls,
        run=desk.run,
    )
