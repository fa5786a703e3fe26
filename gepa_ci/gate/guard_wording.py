"""Owns the sentences about guards, for people who know no statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.core.config import Measure
from gepa_ci.core.verdict import Verdict
from gepa_ci.gate.wording import change, number, rate, things

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.comparison import Comparison
    from gepa_ci.core.verdict import GuardDecision

_UNITS = {Measure.LATENCY: " s", Measure.OUTPUT_LENGTH: "", Measure.PROMPT_LENGTH: ""}
_WHOLE = 100
_CURE = {
    Measure.LATENCY: "An answer from the response cache has no latency; with `cache: off` in the "
    "config every call is timed.",
    Measure.COST: "A call has no cost when its provider counts no tokens, or when the price of "
    "only one of the two models is known; state it as `price` of the model.",
}
_MOST_MISSING = 0.10
_LOST_CALLS = "Run it again: an example is left out when a call for it fails."


def is_troubled(n: int, missing: int) -> bool:
    """Return whether too many examples have no value for a verdict."""
    return n == 0 or missing > _MOST_MISSING * (n + missing)


def p_value(value: float) -> str:
    """Write a p value: `p = 0.012`, `p < 0.001`."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"


def guard_reason(guard: GuardDecision, *, tested: int) -> str:
    """Say what a guard says of a candidate, of so many tested together, and what to do about it."""
    if is_troubled(guard.decision.comparison.n, guard.decision.comparison.missing):
        return f"The guard '{guard.name}' has no verdict: {_missing(guard)}"
    if guard.adjusted_p is None:
        return _counted(guard)
    if guard.verdict is Verdict.REGRESSION:
        adjusted = f", adjusted for {tested} tests" if tested > 1 else ""
        return (
            f"The guard '{guard.name}' is worse: {_change(guard)}. Chance does not explain it "
            f"({p_value(guard.adjusted_p)}{adjusted})."
        )
    if guard.passes:
        return (
            f"The guard '{guard.name}' holds: {_change(guard)}, and {_limit(guard)} is ruled out."
        )
    return f"The guard '{guard.name}' is undecided: {_change(guard)}. {_undecided(guard)}"


def claims(guards: Sequence[GuardDecision]) -> tuple[str, ...]:
    """Say on which guards a candidate, already shown to be better, is better too."""
    names: list[str] = []
    for guard in guards:
        if guard.adjusted_p is None:
            # What was counted needs no test, and takes nothing from the tests after it.
            names += [guard.name] if guard.candidate_mean < guard.baseline_mean else []
        elif guard.verdict is Verdict.IMPROVED:
            names.append(guard.name)
        else:
            break
    return (f"It is also better on {_listed(names)}.",) if names else ()


def undecided_score(comparison: Comparison) -> str:
    """Say how far the task's own score was decided when a guard ended the run."""
    return f"The score itself was not decided by then: {change(comparison)}."


def holding(guards: Sequence[GuardDecision]) -> tuple[str, ...]:
    """Say that all guards hold."""
    names = _listed([guard.name for guard in guards])
    return (f"The guard {names} holds." if len(guards) == 1 else f"The guards {names} hold.",)


def method_line(primary: str, guards: Sequence[GuardDecision]) -> str:
    """Return the method of the primary with what the guards add to it."""
    tested = 1 + sum(guard.adjusted_p is not None for guard in guards)
    parts = [primary]
    if tested > 1:
        parts.append(
            f"{tested} metrics: a loss of any at alpha/{tested} (Holm), a pass of all at alpha "
            "(intersection-union), gains in fixed sequence"
        )
    if any(guard.relative and guard.adjusted_p is not None for guard in guards):
        parts.append("measures as (b-c)/(b+c), margin r/(2+r)")
    parts += [f"{guard.name} by its mean alone" for guard in guards if guard.adjusted_p is None]
    return "; ".join(parts)


def _missing(guard: GuardDecision) -> str:
    comparison = guard.decision.comparison
    cure = _CURE.get(Measure(guard.name), _LOST_CALLS) if guard.relative else _LOST_CALLS
    total = comparison.n + comparison.missing
    return (
        f"{comparison.missing} of {total} examples have no value for one prompt or both, more "
        f"than 10%. {cure}"
    )


def _counted(guard: GuardDecision) -> str:
    # What is counted without chance is either within what is tolerated or not.
    verb, how = ("holds", "within") if guard.passes else ("is worse", "more than")
    return (
        f"The guard '{guard.name}' {verb}: {_means(guard)} ({_share(guard)}), {how} the tolerated "
        f"{rate(guard.tolerated)}."
    )


def _change(guard: GuardDecision) -> str:
    comparison = guard.decision.comparison
    over = f"over {things(comparison, comparison.n)}"
    if guard.relative:
        return f"{_means(guard)} {over} ({_share(guard)} on a typical example)"
    return f"{_means(guard)} ({_signed(comparison.difference)}) {over}"


def _means(guard: GuardDecision) -> str:
    if not guard.relative:
        return f"the mean score went from {number(guard.baseline_mean)} to " + number(
            guard.candidate_mean
        )
    unit = _UNITS.get(Measure(guard.name), "")
    return (
        f"its mean went from {_figure(guard.baseline_mean)}{unit} to "
        f"{_figure(guard.candidate_mean)}{unit}"
    )


def _limit(guard: GuardDecision) -> str:
    if guard.relative:
        return f"a larger increase than the tolerated {rate(guard.tolerated)}"
    return f"a larger loss than the tolerated {number(guard.tolerated)}"


def _undecided(guard: GuardDecision) -> str:
    needed = guard.decision.comparison.n_needed
    tolerated = rate(guard.tolerated) if guard.relative else number(guard.tolerated)
    effect = "increase" if guard.relative else "loss"
    said = (
        f"A larger {effect} than the tolerated {tolerated} is not ruled out, but that there is "
        f"any {effect} is not shown either"
    )
    if needed is None:
        return f"{said}."
    return f"{said}; about {needed} held-out examples would probably decide it."


def _share(guard: GuardDecision) -> str:
    if guard.change is None:
        return "from nothing"
    share = f"{100 * abs(guard.change):,.1f}".removesuffix(".0")
    return f"{'-' if guard.change < 0 else '+'}{share}%"


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{number(abs(value))}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE else f"{value:.3g}"


def _listed(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]
