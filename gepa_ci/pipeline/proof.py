"""Owns the proof of a candidate: val screen, held-out screen, fresh confirm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.suite import Part
from gepa_ci.core.verdict import Promotion, Stage
from gepa_ci.pipeline.units import scores, units_of

if TYPE_CHECKING:
    from gepa_ci.core.comparison import Comparison
    from gepa_ci.core.config import Task
    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.optimization import Optimization
    from gepa_ci.core.prompt import Prompt
    from gepa_ci.core.suite import Suite
    from gepa_ci.core.verdict import Screening
    from gepa_ci.pipeline.services import Services

TRIALS = 3
"""Trials per example and prompt where the model varies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How far a candidate came, and with which figures."""

    verdict: Promotion
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    trials: int = 1
    baseline: Evaluation | None = None
    candidate: Evaluation | None = None
    comparison: Comparison | None = None


def prove(
    task: Task,
    prompt: Prompt,
    optimization: Optimization,
    suite: Suite,
    services: Services,
    *,
    repeats: bool,
) -> Proof:
    """Take a candidate over the hurdles: val screen, held-out screen, fresh confirm."""
    from gepa_ci.gate import confirm_on_screen, held_out_screen, promotion, val_screen

    if not optimization.changed:
        return Proof(
            verdict=Promotion.HOLD,
            reasons=(
                "No candidate beat the baseline on the val examples, so there is nothing to prove.",
                optimization.stop_reason,
            ),
        )
    arms, held_out = (prompt, optimization.candidate), suite.held_out
    # Val scores chose the candidate, so a model that varies is asked afresh for the screen.
    fresh = range(1) if repeats else range(1, 1 + TRIALS)
    val = services.evaluate(arms, suite.tuning.val, Part.VAL, fresh)
    val_units, units = units_of(suite.tuning.val), units_of(held_out.examples)
    screen = val_screen(*scores(val), groups=val_units.groups, weights=val_units.weights)
    if not screen.passed:
        return _held(screen, val, optimization)
    services.use_held_out(*arms)
    first = services.evaluate(arms, held_out, Part.HELD_OUT, range(1))
    alpha, gain = 1 - task.gate.confidence, task.gate.min_gain
    if repeats:
        decision = confirm_on_screen(
            *scores(first),
            alpha=alpha,
            min_gain=gain,
            groups=units.groups,
            weights=units.weights,
        )
        return _decided(decision.verdict, decision.comparison, decision.reasons, first)
    second = held_out_screen(*scores(first), groups=units.groups, weights=units.weights)
    if not second.passed:
        return _held(second, first, optimization)
    confirm = services.evaluate(arms, held_out, Part.HELD_OUT, range(1, 1 + TRIALS))
    decision = promotion(
        *scores(confirm),
        alpha=alpha,
        min_gain=gain,
        groups=units.groups,
        weights=units.weights,
    )
    return _decided(decision.verdict, decision.comparison, decision.reasons, confirm)


def _held(screen: Screening, arms: list[Evaluation], optimization: Optimization) -> Proof:
    on_val = screen.stage is Stage.VAL_SCREEN
    return Proof(
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
) -> Proof:
    return Proof(
        verdict=verdict,
        reasons=reasons,
        trials=len(arms[0].scores[0]),
        baseline=arms[0],
        candidate=arms[1],
        comparison=comparison,
    )


def planned_proof_calls(suite: Suite, *, repeats: bool) -> int:
    """Return the most calls that a proof makes: both arms, all three hurdles."""
    if repeats:
        # The confirm test uses the screen's answers; val's come from the cache, where there is one.
        return 2 * (len(suite.tuning.val) + len(suite.held_out.examples))
    held_out = (1 + TRIALS) * len(suite.held_out.examples)
    return 2 * (TRIALS * len(suite.tuning.val) + held_out)
