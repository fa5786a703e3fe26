"""Owns the verdict on several metrics at once: the task's score, and guards that must hold.

A loss of any metric blocks, each tested at alpha divided by their number, so that a change which
loses nothing is blocked with probability alpha at most. A pass needs every metric to be shown not
worse than its margin, each at alpha: such a claim is wrong only where one of them is, so it needs
no correction (intersection-union; Berger 1982).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.core.verdict import Cause, GuardDecision, GuardedDecision, RegressionDecision, Verdict
from gepa_ci.gate.adjust import holm
from gepa_ci.gate.guard_record import Guard, GuardRecord
from gepa_ci.gate.guard_wording import (
    claims,
    guard_reason,
    holding,
    method_line,
    undecided_score,
)
from gepa_ci.gate.progress import Progress
from gepa_ci.gate.regression_gate import regression
from gepa_ci.gate.sequential import SequentialRegression

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

PRIMARY = ""
"""The name of the task's own score among rows by name."""
_PASSES = (Verdict.PASS, Verdict.IMPROVED)


class GuardedRegression:
    """The regression gate on the task's score and its guards, one example after the other.

    A loss of any ends the run. A metric that is decided otherwise stays decided and is not looked
    at any more; when all are, the run ends. Without guards it is SequentialRegression.
    """

    def __init__(
        self,
        n: int,
        *,
        alpha: float,
        margin: float,
        trials: int,
        seed: str,
        guards: Sequence[Guard] = (),
        groups: Sequence[Hashable] | None = None,
        weights: Sequence[float] | None = None,
        looks: int = 10,
    ) -> None:
        """Plan a run over n examples; the arguments are those of SequentialRegression."""
        tested = 1 + sum(not guard.is_counted for guard in guards)

        def test(margin: float, trials: int) -> SequentialRegression:
            return SequentialRegression(
                n,
                alpha=alpha,
                margin=margin,
                trials=trials,
                seed=seed,
                groups=groups,
                weights=weights,
                looks=looks,
                block_alpha=alpha / tested if tested > 1 else None,
            )

        self._alpha = alpha
        self._weights = [1.0] * n if weights is None else [float(weight) for weight in weights]
        self._seen = 0
        self._ended = False
        self._primary = test(margin, trials)
        self._verdict: Verdict | None = None
        self._tracks = [
            _Track(
                guard,
                None if guard.is_counted else test(guard.score_margin, _trials(guard, trials)),
            )
            for guard in guards
        ]

    @property
    def order(self) -> Sequence[int]:
        """Return the places of the examples in the order in which they are run."""
        return self._primary.order

    @property
    def looks(self) -> Sequence[int]:
        """Return how many examples have been run at each look."""
        return self._primary.looks

    def update(
        self,
        base_rows: Mapping[str, Sequence[float]],
        candidate_rows: Mapping[str, Sequence[float]],
    ) -> Verdict | None:
        """Take the trials of the next example; return the verdict once there is one.

        The rows are by the guard's name, the task's own score under the empty name; NaN is a
        trial without a value.

        Raises:
            ValueError: all examples have been seen.
        """
        if self._seen == len(self.order):
            raise ValueError(f"all {self._seen} examples have been seen")
        weight = self._weights[self.order[self._seen]]
        self._seen += 1
        if self._verdict is None:
            self._verdict = self._primary.update(base_rows[PRIMARY], candidate_rows[PRIMARY])
        for track in self._tracks:
            track.update(base_rows[track.name], candidate_rows[track.name], weight)
        tested = [self._verdict, *(track.verdict for track in self._tracks if track.test)]
        self._ended = self._ended or Verdict.REGRESSION in tested or None not in tested
        return self.decision().verdict if self._ended else None

    def _reasons(
        self, verdict: Verdict, primary: RegressionDecision, guards: Sequence[GuardDecision]
    ) -> tuple[str, ...]:
        if not guards:
            return primary.reasons
        compared = primary.comparison
        said, used = primary.reasons, compared.n + compared.missing
        if used < len(self.order):
            # Its last sentence tells where the score was decided; the run may have gone on.
            said = said[:-1]
        if used < self._seen:
            earlier = f"The score was decided after {used} examples, and its figures are of these."
            said = (*said, earlier)
        of_guards = _guard_reasons(verdict, guards)
        progress = Progress(
            run=self._seen,
            planned=len(self.order),
            level=self._alpha,
            decided=self._ended,
            futile=verdict is Verdict.INCONCLUSIVE,
        )
        if verdict is Verdict.REGRESSION and primary.verdict is Verdict.INCONCLUSIVE:
            return (*of_guards, undecided_score(compared), *progress.reasons())
        if verdict is primary.verdict:
            return (*said, *of_guards, *progress.reasons())
        return (*of_guards, *said, *progress.reasons())

    def decision(self) -> GuardedDecision:
        """Return the verdict on what has been seen, with the decision on each metric."""
        primary = self._primary.decision()
        found = [track.decision(self._alpha) for track in self._tracks]
        guards = _adjusted(found, primary.comparison.p_worse)
        verdict = _overall([primary.verdict, *(guard.verdict for guard in guards)])
        return GuardedDecision(
            verdict=verdict,
            primary=primary,
            guards=guards,
            reasons=self._reasons(verdict, primary, guards),
            method=method_line(primary.method, guards) if guards else primary.method,
            cause=_cause(verdict, primary),
        )


def guards_hold(
    base_rows: Mapping[str, Sequence[Sequence[float]]],
    candidate_rows: Mapping[str, Sequence[Sequence[float]]],
    guards: Sequence[Guard],
    *,
    alpha: float = 0.05,
    groups: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
) -> tuple[GuardDecision, ...]:
    """Decide each guard on all examples at once; a promotion needs every one to pass.

    The rows by guard's name are n examples by K trials, NaN for a trial without a value.
    """
    found = []
    for guard in guards:
        record = GuardRecord(guard=guard)
        rows = zip(base_rows[guard.name], candidate_rows[guard.name], strict=True)
        for place, (base, candidate) in enumerate(rows):
            record.add(base, candidate, 1.0 if weights is None else float(weights[place]))
        decision = (
            record.counted(alpha)
            if guard.is_counted
            else regression(
                record.base,
                record.candidate,
                alpha=alpha,
                margin=guard.score_margin,
                groups=groups,
                weights=weights,
            )
        )
        found.append(record.concluded(decision))
    return _adjusted(found)


class _Track:
    """One guard of a run: its test, what was seen of it, and its verdict once there is one."""

    def __init__(self, guard: Guard, test: SequentialRegression | None) -> None:
        self.name = guard.name
        self.test = test
        self.verdict: Verdict | None = None
        self._record = GuardRecord(guard=guard)

    def update(self, base: Sequence[float], candidate: Sequence[float], weight: float) -> None:
        # What is decided is described by what it was decided on.
        if self.verdict is None:
            self._record.add(base, candidate, weight)
            if self.test is not None:
                self.verdict = self.test.update(self._record.base[-1], self._record.candidate[-1])

    def decision(self, alpha: float) -> GuardDecision:
        decision = self._record.counted(alpha) if self.test is None else self.test.decision()
        return self._record.concluded(decision)


def _trials(guard: Guard, trials: int) -> int:
    # A measure is compared by one number an example, made of the means of both sides.
    return 1 if guard.relative else trials


def _overall(verdicts: Sequence[Verdict]) -> Verdict:
    if Verdict.REGRESSION in verdicts:
        return Verdict.REGRESSION
    return verdicts[0] if all(verdict in _PASSES for verdict in verdicts) else Verdict.INCONCLUSIVE


def _cause(verdict: Verdict, primary: RegressionDecision) -> Cause | None:
    if verdict is not Verdict.INCONCLUSIVE:
        return None
    return Cause.GUARDS if primary.verdict in _PASSES else primary.cause


def _adjusted(found: Sequence[GuardDecision], *primary: float) -> tuple[GuardDecision, ...]:
    """Adjust the p values for each other, and say of each guard what it says."""
    p_values = [guard.adjusted_p for guard in found if guard.adjusted_p is not None]
    adjusted = iter(holm([*primary, *p_values])[len(primary) :])
    tested = len(primary) + len(p_values)
    result = []
    for guard in found:
        p_value = None if guard.adjusted_p is None else next(adjusted)
        known = replace(guard, adjusted_p=p_value)
        reason = guard_reason(known, tested=tested)
        result.append(replace(known, decision=replace(known.decision, reasons=(reason,))))
    return tuple(result)


def _guard_reasons(verdict: Verdict, guards: Sequence[GuardDecision]) -> tuple[str, ...]:
    """Return the sentences of the guards that made the verdict."""
    if verdict in _PASSES:
        return holding(guards) + (claims(guards) if verdict is Verdict.IMPROVED else ())
    worse = [guard for guard in guards if guard.verdict is Verdict.REGRESSION]
    open_ones = [guard for guard in guards if guard.verdict is Verdict.INCONCLUSIVE]
    # What is blocked is not helped by knowing what else is open.
    shown = open_ones if verdict is Verdict.INCONCLUSIVE else worse
    return tuple(guard.reason for guard in shown)
