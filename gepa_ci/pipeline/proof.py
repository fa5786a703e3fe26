"""Owns the proof of a candidate: val screen, ledger, held-out screen, fresh confirm, guards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gepa_ci.core.suite import Part
from gepa_ci.core.verdict import Cause, Promotion, Stage
from gepa_ci.errors import CacheMissError
from gepa_ci.pipeline.advice import price_of_more
from gepa_ci.pipeline.looks import LOOKS, MOST_MISSING, run_looks, seed_of
from gepa_ci.pipeline.questions import answer_of, question_of
from gepa_ci.pipeline.units import columns_of, guards_of, scores, units_of

if TYPE_CHECKING:
    from gepa_ci.core.comparison import Comparison
    from gepa_ci.core.config import Task
    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.ledger import Answer, LedgerState, Shrunk
    from gepa_ci.core.optimization import Optimization
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.suite import Suite
    from gepa_ci.core.verdict import GuardDecision, PromotionDecision, Screening
    from gepa_ci.gate import Granted, Known
    from gepa_ci.pipeline.services import Services

TRIALS = 3
"""Trials per example and prompt where the model varies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How far a candidate came, and with which figures."""

    verdict: Promotion
    reasons: tuple[str, ...]
    cause: Cause | None = None
    notes: tuple[str, ...] = ()
    method: str = ""
    trials: int = 1
    planned: int = 0
    baseline: Evaluation | None = None
    candidate: Evaluation | None = None
    comparison: Comparison | None = None
    guards: tuple[GuardDecision, ...] = ()
    ledger: LedgerState | None = None
    shrunk: Shrunk | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is to be proved, and with what."""

    task: Task
    arms: tuple[Prompts, Prompts]
    """Baseline and candidate."""
    suite: Suite
    services: Services
    repeats: bool
    """Whether the model gives the same answer to the same request."""


def prove(
    task: Task,
    prompt: Prompts,
    optimization: Optimization,
    suite: Suite,
    services: Services,
    *,
    repeats: bool,
) -> Proof:
    """Take a candidate over the hurdles; only the confirm test on held-out examples promotes."""
    if not optimization.changed:
        return Proof(
            verdict=Promotion.HOLD,
            reasons=(
                "No candidate beat the baseline on the val examples, so there is nothing to prove.",
                optimization.stop_reason,
            ),
        )
    case = Case(
        task=task,
        arms=(prompt, optimization.candidate),
        suite=suite,
        services=services,
        repeats=repeats,
    )
    proof = _screened_on_val(case) or _asked(case)
    if proof.verdict is Promotion.PROMOTE:
        return proof
    return replace(proof, reasons=(*proof.reasons, optimization.stop_reason))


def _screened_on_val(case: Case) -> Proof | None:
    """Return the end of the proof when the val screen is not passed."""
    from gepa_ci.gate import val_screen

    # Val scores chose the candidate, so a model that varies is asked afresh for the screen.
    fresh = range(1) if case.repeats else range(1, 1 + TRIALS)
    val = case.suite.tuning.val
    arms = case.services.evaluate(case.arms, val, Part.VAL, fresh, 0)
    units = units_of(val)
    screen = val_screen(*scores(arms), groups=units.groups, weights=units.weights)
    if screen.passed:
        return None
    return Proof(
        verdict=Promotion.HOLD,
        reasons=screen.reasons,
        cause=_cause(screen),
        notes=("The held-out examples were not used.",),
        trials=arms[0].width,
        comparison=screen.comparison,
    )


def _asked(case: Case) -> Proof:
    """Ask the held-out examples, if the ledger allows it, and write down what came of it."""
    from gepa_ci.gate import Exhausted, Known, close_question, open_question, shrunk

    policy, services = case.task.gate.ledger, case.services
    question = question_of(case.task, case.arms, case.suite, services)
    grant = open_question(services.book, question, policy, at=services.now())
    if isinstance(grant, Exhausted):
        return Proof(verdict=Promotion.HOLD, reasons=grant.reasons, ledger=grant.state)
    if isinstance(grant, Known):
        return _again(case, grant, question.alpha) or _known(grant)
    before = services.book.transact(lambda entries: (tuple(entries), None))
    proof, answer = _measured(case, grant)
    if answer is None:
        # Calls that failed are no answer: the question stays open, and is asked again for nothing.
        return replace(proof, ledger=grant.state)
    state = close_question(services.book, question, policy, answer, at=services.now())
    estimate = shrunk(answer.difference, answer.se, before, task=case.task.name)
    return replace(proof, ledger=state, shrunk=estimate)


def _again(case: Case, known: Known, alpha: float) -> Proof | None:
    """Return an earlier proof from the answers that it rests on, where they are all kept."""
    from gepa_ci.gate import Granted

    kept = replace(case, services=replace(case.services, evaluate=case.services.recall))
    try:
        proof, _ = _measured(kept, Granted(alpha=alpha, state=known.state))
    except CacheMissError:
        return None
    return replace(proof, ledger=known.state) if proof.verdict == known.answer.decision else None


def _known(known: Known) -> Proof:
    answer = known.answer
    return Proof(
        verdict=Promotion(answer.decision),
        reasons=(
            f"Asked on {known.at[:10]} already, and the answer stands: no second draw is made.",
            *answer.reasons,
        ),
        notes=("The held-out examples were not used again.",),
        comparison=answer.comparison,
        ledger=known.state,
    )


def _measured(case: Case, grant: Granted) -> tuple[Proof, Answer | None]:
    """Run the held-out screen, the confirm test and the guards; no answer where calls failed."""
    from gepa_ci.gate import e_value, held_out_screen, held_without_evidence, on_screen

    units = units_of(case.suite.held_out.examples)
    if not case.repeats:
        first = _evaluated(case, range(1))
        screen = held_out_screen(*scores(first), groups=units.groups, weights=units.weights)
        if not screen.passed:
            proof = _figures(case, first, screen.comparison, screen.reasons, Promotion.HOLD)
            proof = replace(proof, cause=_cause(screen))
            answer = answer_of(proof, Stage.HELD_OUT_SCREEN, e_value=1.0)
            return proof, answer if screen.is_measured else None
    arms, decision = _confirmed(case, grant.alpha)
    asked = units_of(arms[0].examples)
    e = e_value(*scores(arms), groups=asked.groups, weights=asked.weights)
    decision = held_without_evidence(decision, e, grant.needs_e)
    if case.repeats:
        decision = on_screen(decision)
    proof = _figures(case, arms, decision.comparison, decision.reasons, decision.verdict)
    proof = replace(proof, method=decision.method, cause=_cause(decision))
    if proof.verdict is Promotion.PROMOTE:
        proof = _guarded(case, proof, arms)
    answer = answer_of(proof, decision.stage, e_value=e)
    return proof, answer if decision.is_measured else None


def _confirmed(case: Case, alpha: float) -> tuple[list[Evaluation], PromotionDecision]:
    """Run the confirm test, and stop it early when it cannot succeed any more."""
    from gepa_ci.gate import SequentialPromotion

    held_out, gate = case.suite.held_out, case.task.gate
    trials = range(1) if case.repeats else range(1, 1 + TRIALS)
    units = units_of(held_out.examples)
    run = SequentialPromotion(
        len(held_out.examples),
        alpha=alpha,
        min_gain=gate.min_gain,
        trials=len(trials),
        seed=seed_of(case.arms, case.suite.digest),
        groups=units.groups,
        weights=units.weights,
        looks=LOOKS if gate.sequential else 1,
    )

    def feed(before: Evaluation, after: Evaluation, index: int) -> bool:
        return run.update(before.scores[index], after.scores[index]) is not None

    arms = run_looks(run, case.arms, held_out, trials, case.services, feed=feed)
    return arms, run.decision()


def _guarded(case: Case, proof: Proof, arms: list[Evaluation]) -> Proof:
    """Hold a candidate that a guard does not let through."""
    from gepa_ci.gate import guards_hold

    guards = guards_of(case.task)
    names = [guard.name for guard in guards]
    units = units_of(arms[0].examples)
    found = guards_hold(
        columns_of(arms[0], names),
        columns_of(arms[1], names),
        guards,
        alpha=1 - case.task.gate.confidence,
        groups=units.groups,
        weights=units.weights,
    )
    proof = replace(proof, guards=found)
    failed = tuple(guard.reason for guard in found if not guard.passes)
    if not failed:
        return proof
    reasons = (*failed, *proof.reasons)
    return replace(proof, verdict=Promotion.HOLD, reasons=reasons, cause=Cause.GUARDS)


def _cause(found: Screening | PromotionDecision) -> Cause | None:
    if found.is_measured:
        return None
    return Cause.CALLS_FAILED if found.comparison.n else Cause.NOTHING_COMPARED


def _evaluated(case: Case, trials: range) -> list[Evaluation]:
    held_out = case.suite.held_out
    spare = int(MOST_MISSING * len(held_out.examples))
    return case.services.evaluate(case.arms, held_out, Part.HELD_OUT, trials, spare)


def _figures(
    case: Case,
    arms: list[Evaluation],
    comparison: Comparison,
    reasons: tuple[str, ...],
    verdict: Promotion,
) -> Proof:
    return Proof(
        verdict=verdict,
        reasons=(*reasons, *price_of_more(comparison, (arms[0], arms[1]))),
        trials=arms[0].width,
        planned=len(case.suite.held_out.examples),
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
