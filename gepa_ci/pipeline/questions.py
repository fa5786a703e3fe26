"""Owns what the ledger is asked and told: questions to a held-out set, and their answers."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

from gepa_ci.core.ledger import Answer, Question
from gepa_ci.pipeline.units import units_of

if TYPE_CHECKING:
    from gepa_ci.core.config import Task
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.suite import Suite
    from gepa_ci.core.verdict import Stage
    from gepa_ci.pipeline.proof import Proof
    from gepa_ci.pipeline.services import Services


def question_of(
    task: Task, arms: tuple[Prompts, Prompts], suite: Suite, services: Services
) -> Question:
    """Return the question whether a candidate is better than a baseline."""
    examples = suite.held_out.examples
    groups = units_of(examples).groups
    return Question(
        task=task.name,
        suite=suite.held_out.digest,
        exam=services.exam(arms[0]),
        baseline=arms[0].digest,
        candidate=arms[1].digest,
        examples=tuple(sorted(example.digest for example in examples)),
        n=len(examples) if groups is None else len(set(groups)),
        alpha=1 - task.gate.confidence,
        run=services.run,
    )


def worn_out(
    task: Task, prompt: Prompts, suite: Suite, services: Services
) -> tuple[str, ...] | None:
    """Return why no candidate may be asked any more, before a search is paid for."""
    from gepa_ci.gate import worn_reasons

    question = question_of(task, (prompt, prompt), suite, services)
    entries = services.book.transact(lambda known: (tuple(known), None))
    return worn_reasons(entries, question, task.gate.ledger, at=services.now())


def answer_of(proof: Proof, stage: Stage, *, e_value: float) -> Answer:
    """Return what the ledger keeps of a proof."""
    comparison = proof.comparison
    assert comparison is not None
    interval = comparison.interval
    z = NormalDist().inv_cdf((1 + interval.level) / 2)
    return Answer(
        decision=proof.verdict.value,
        stage=stage.value,
        p_value=comparison.p_value,
        e_value=e_value,
        difference=comparison.difference,
        se=(interval.high - interval.low) / (2 * z),
        reasons=proof.reasons,
        comparison=comparison,
    )
