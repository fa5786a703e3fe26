"""Owns the comparison of two evaluations that were made at different times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gepa_ci.core.result import TaskResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.score import Trial
    from gepa_ci.core.suite import Example


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Two evaluations on the examples that they share."""

    baseline: Evaluation
    """The first one."""
    candidate: Evaluation
    """The second one, on the same examples in the same order."""
    notes: tuple[str, ...]
    """Finished sentences about examples that were left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaired:
    """Two evaluations that share no example with a score."""

    reason: str
    """Why: lower case, no full stop."""


def paired(first: Evaluation, second: Evaluation, *, by_texts: bool) -> Paired | Unpaired:
    """Pair two evaluations by the ids of their examples.

    Args:
        first: The baseline.
        second: The candidate.
        by_texts: Whether an example must have the same inputs and label in both, too.
    """
    before, after = _rows(first), _rows(second)
    shared = [key for key in after if key in before]
    same = [key for key in shared if not by_texts or _is_same(before[key][0], after[key][0])]
    if not any(before[key][1] and after[key][1] for key in same):
        return Unpaired(reason=_why(first, second, shared, same))
    examples = tuple(after[key][0] for key in same)
    return Paired(
        baseline=replace(first, examples=examples, trials=tuple(before[key][1] for key in same)),
        candidate=replace(second, examples=examples, trials=tuple(after[key][1] for key in same)),
        notes=_left_out(
            changed=len(shared) - len(same),
            first_only=len(before) - len(shared),
            second_only=len(after) - len(shared),
        ),
    )


def compared(pair: Paired, *, name: str, margin: float, confidence: float) -> TaskResult:
    """Decide about two evaluations as the gate does, each example a unit of its own.

    Raises:
        ValueError: the margin or the confidence is none.
    """
    from gepa_ci.gate import regression, slices

    alpha = 1 - confidence
    before, after = pair.baseline, pair.candidate
    decision = regression(before.scores, after.scores, alpha=alpha, margin=margin)
    tags = [example.tags for example in after.examples]
    return TaskResult(
        name=name,
        verdict=decision.verdict,
        cause=decision.cause,
        reasons=decision.reasons,
        notes=pair.notes,
        model=after.model or before.model,
        method=decision.method,
        trials=after.width,
        baseline=before,
        candidate=after,
        comparison=decision.comparison,
        margin=margin,
        slices=slices(before.scores, after.scores, tags, alpha=alpha),
    )


def _rows(evaluation: Evaluation) -> dict[str, tuple[Example, tuple[Trial, ...]]]:
    return {
        example.id: (example, trials)
        for example, trials in zip(evaluation.examples, evaluation.trials, strict=True)
    }


def _is_same(before: Example, after: Example) -> bool:
    return before.inputs == after.inputs and before.expected == after.expected


def _why(first: Evaluation, second: Evaluation, shared: Sequence[str], same: Sequence[str]) -> str:
    if same:
        return "no example has a score in both files"
    if shared:
        return "every example that both files have differs in its inputs or its expected answer"
    if first.part != second.part:
        return (
            f"the first file has scores on the {_words(first)} part and the second on the "
            f"{_words(second)} part, so they share no example"
        )
    return "the files share no example: no id is in both"


def _words(evaluation: Evaluation) -> str:
    return evaluation.part.value.replace("_", "-")


def _left_out(*, changed: int, first_only: int, second_only: int) -> tuple[str, ...]:
    found = []
    if changed:
        found.append(
            f"{_count(changed)} {'has' if changed == 1 else 'have'} other inputs or another "
            f"expected answer in the second file and {_are(changed)} left out."
        )
    for count, where in ((first_only, "first"), (second_only, "second")):
        if count:
            found.append(
                f"{_count(count)} {_are(count)} in the {where} file only and {_are(count)} left "
                "out."
            )
    return tuple(found)


def _count(count: int) -> str:
    return f"{count:,} example{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
