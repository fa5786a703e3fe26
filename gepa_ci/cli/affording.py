"""Owns what a run would cost before it is made, and what the caps say to that."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gepa_ci.cli.choosing import reflection_of
from gepa_ci.cli.judges import judging_cost, ruler_cost
from gepa_ci.core.call import Call
from gepa_ci.core.suite import HeldOutSet
from gepa_ci.errors import CapError
from gepa_ci.evaluate.estimate import Estimate, estimate
from gepa_ci.lm.meter import Amount
from gepa_ci.metrics import judge_calls

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gepa_ci.cli.session import Session
    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.spend import Usage
    from gepa_ci.core.suite import Example

_CANDIDATE_GROWTH = 1.5


def afford(
    session: Session,
    inputs: TaskInputs,
    prompts: Sequence[Prompts],
    examples: HeldOutSet | Sequence[Example],
    trials: range,
) -> None:
    """Raise CapError when the caps cannot pay for an evaluation."""
    if not _has_caps(session):
        return
    cost = estimated(session, inputs, prompts, examples, trials) + ruler_cost(session, inputs)
    check_caps(session, inputs, prompts, examples, cost)


def estimated(
    session: Session,
    inputs: TaskInputs,
    prompts: Sequence[Prompts],
    examples: HeldOutSet | Sequence[Example],
    trials: range,
    *,
    cached: bool = True,
) -> Estimate:
    """Return what running prompts on examples would cost; see `evaluate.estimate`."""
    usual = session.usual.get(inputs.task.name)
    program = session.program(inputs)
    cost = estimate(session.client, program, prompts, examples, trials, cached=cached, usual=usual)
    return cost + judging_cost(session, inputs, prompts, examples, trials, cached=cached)


def check_caps(
    session: Session,
    inputs: TaskInputs,
    prompts: Sequence[Prompts],
    examples: HeldOutSet | Sequence[Example],
    cost: Estimate,
) -> None:
    """Raise CapError when the caps cannot pay for an evaluation, or need an unknown price."""
    if not _has_caps(session):
        return
    for prompt in prompts:
        # A cap that needs a price or a bound must say so before the first call.
        _check_bounds(session, inputs, prompt, _first(examples))
    _refuse(session, _amount(cost), cost, "the evaluation")


def _check_bounds(session: Session, inputs: TaskInputs, prompt: Prompts, example: Example) -> None:
    """Raise CapError where a cap needs a price or a longest answer that is not known."""
    program = session.program(inputs)
    calls, spec = program.calls(prompt, example, 0), program.model(prompt)
    if calls is None:
        calls = () if spec is None else (Call(spec=spec, messages=()),)
    for call in (*calls, *judge_calls((inputs.metric, *inputs.guards.values()), example, None)):
        session.client.worst_case(call)


def _has_caps(session: Session) -> bool:
    caps = session.client.meter.caps
    return caps.calls is not None or caps.usd is not None or caps.tokens is not None


@contextmanager
def keep_for_proof(
    session: Session, inputs: TaskInputs, prompt: Prompts, calls: int
) -> Iterator[None]:
    """Keep what so many calls cost out of reach for the block, or raise CapError."""
    from gepa_ci.optimizers.proposers import preflight_call

    if not _has_caps(session):
        yield
        return
    held_out = inputs.suite.held_out
    _check_bounds(session, inputs, prompt, held_out.examples[0])
    spec = reflection_of(session.workspace.config, inputs.task.optimize)
    if spec is not None:
        # Before the first call too: the task LM is asked long before the reflection LM.
        session.client.worst_case(preflight_call(spec))
    once = estimated(session, inputs, (prompt,), held_out, range(1), cached=False)
    # Candidates are longer than the baseline more often than not.
    runs = len(held_out.examples)
    proof = once.scaled(_CANDIDATE_GROWTH * calls / runs)
    kept = Amount(
        calls=-(-calls * once.calls // runs),
        tokens=proof.input_tokens + proof.output_tokens,
        usd=proof.usd or 0.0,
    )
    _refuse(session, kept, None, "the proof on held-out examples")
    with session.client.meter.keeping(kept):
        yield


def _refuse(session: Session, amount: Amount, cost: Estimate | None, what: str) -> None:
    cap = session.client.meter.shortfall(amount)
    if cap is None:
        return
    needs = f"{cost.new_calls if cost is not None else amount.calls} calls"
    if amount.usd:
        needs += f", about ${amount.usd:.2f}"
    raise CapError(
        f"the spend cap '{cap}' cannot pay for {what}: it needs {needs}",
        path=session.workspace.config.path,
        hint="raise the cap under `spend:`, or use fewer held-out examples or trials; "
        "`gepa-ci plan` shows the cost",
    )


def cost_of_run(usage: Usage) -> Estimate:
    """Return what one run has cost as if nothing of it had been cached."""
    calls = max(1, usage.calls + usage.cached_calls)
    share = calls / usage.calls if usage.calls else 0.0
    return Estimate(
        calls=calls,
        input_tokens=round(usage.input_tokens * share),
        output_tokens=round(usage.output_tokens * share),
        usd=None if usage.usd is None else usage.usd * share,
    )


def _amount(cost: Estimate) -> Amount:
    # Calls are exact; tokens and dollars are not, and only a clear shortfall may refuse a run.
    return Amount(calls=cost.new_calls, tokens=0, usd=0.5 * (cost.usd or 0.0))


def _first(examples: HeldOutSet | Sequence[Example]) -> Example:
    return (examples.examples if isinstance(examples, HeldOutSet) else examples)[0]
