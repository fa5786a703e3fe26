"""Owns what is worked out for `gepa-ci power`: a task's design, and the chances that follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.cli.affording import estimated
from gepa_ci.core.config import AUTO
from gepa_ci.gate import auto_margin, planned_mde
from gepa_ci.gate.power import Chances, chances, smallest_seen, units_for
from gepa_ci.gate.regression_gate import MIN_UNITS
from gepa_ci.pipeline import planned_trials
from gepa_ci.pipeline.units import units_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.cli.power_source import Source
    from gepa_ci.cli.session import Session
    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.core.config import GatePolicy
    from gepa_ci.core.suite import Example
    from gepa_ci.gate.noise import Noise

EFFECTS = (0.02, 0.05, 0.10, 0.15, 0.20)
"""Drops of the mean score that the table has a column for."""
_SIZES = (50, 100, 200, 500, 1000)
_TRIALS = (1, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a gate of some size sees, and the most that it costs."""

    examples: int
    trials: int
    margin: float
    seen: tuple[float, ...]
    """Chance that each of EFFECTS is seen."""
    passes: float
    """Chance that a change which loses nothing passes."""
    calls: int
    usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What it takes to see a drop of one size."""

    trials: int
    examples: int
    calls: int
    usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a task's held-out examples can show."""

    name: str
    model: str
    policy: GatePolicy
    source: Source
    examples: int
    """Held-out examples."""
    groups: int | None
    """Groups and single examples; None where there are no groups."""
    units: int
    """Independent examples that the test can count on; 0 without held-out examples."""
    share: float
    """Units per example."""
    repeats: bool
    """Whether the model gives the same answer to the same request."""
    trials: int
    """Trials of each example that the gate will run."""
    usd: float | None
    """Price of one call, uncached; None when it is unknown."""
    effect: float | None
    """The drop that was asked about."""

    @property
    def alpha(self) -> float:
        """Return the level of one claim of the gate."""
        return 1 - self.policy.confidence

    @property
    def noise(self) -> Noise:
        """Return how scores vary."""
        return self.source.noise

    @property
    def all_trials(self) -> tuple[int, ...]:
        """Return the numbers of trials that are worth comparing."""
        return (1,) if self.repeats else tuple(sorted({*_TRIALS, self.trials}))

    @property
    def smallest(self) -> float | None:
        """Return the smallest drop that this gate sees in 4 of 5 runs."""
        if not self.units:
            return None
        return smallest_seen(self.units, self.trials, alpha=self.alpha, noise=self.noise)

    def chances(self, effect: float, trials: int | None = None) -> Chances:
        """Return what the gate says of a drop, on the examples that there are."""
        return self._chances(self.examples, effect, trials or self.trials)

    def margin(self, examples: int) -> float:
        """Return the margin that a gate of that size uses."""
        if self.policy.margin != AUTO:
            return float(self.policy.margin)
        return auto_margin(planned_mde(examples, alpha=self.alpha))

    def rows(self) -> list[Row]:
        """Return the rows of the table: the suite as it is, and the usual sizes."""
        sizes = sorted({*_SIZES, self.examples} - {0})
        return [self._row(size, trials) for size in sizes for trials in self.all_trials]

    def needed(self) -> list[Needed]:
        """Return how many examples show the drop that was asked about."""
        if self.effect is None:
            return []
        return [self._needed(self.effect, trials) for trials in self.all_trials]

    def cost(self, examples: int, trials: int) -> tuple[int, float | None]:
        """Return calls and price of one gate that asks everything."""
        calls = 2 * examples * trials
        return calls, None if self.usd is None else self.usd * calls

    def _row(self, examples: int, trials: int) -> Row:
        calls, usd = self.cost(examples, trials)
        return Row(
            examples=examples,
            trials=trials,
            margin=self.margin(examples),
            seen=tuple(self._chances(examples, effect, trials).seen for effect in EFFECTS),
            passes=self._chances(examples, 0.0, trials).passes,
            calls=calls,
            usd=usd,
        )

    def _needed(self, effect: float, trials: int) -> Needed:
        units = max(MIN_UNITS, units_for(effect, trials, alpha=self.alpha, noise=self.noise))
        examples = -int(-units // self.share)
        calls, usd = self.cost(examples, trials)
        return Needed(trials=trials, examples=examples, calls=calls, usd=usd)

    def _chances(self, examples: int, effect: float, trials: int) -> Chances:
        return chances(
            max(1, round(examples * self.share)),
            effect,
            trials,
            alpha=round(self.alpha, 9),
            margin=self.margin(examples),
            noise=self.noise,
        )


def outlook(session: Session, inputs: TaskInputs, source: Source, effect: float | None) -> Outlook:
    """Work out what a task's gate will run, and what one call of it costs."""
    held_out, policy = inputs.suite.held_out, inputs.task.gate
    repeats = session.services(inputs).known_to_repeat(inputs.prompt)
    units, groups = _units(held_out.examples)
    tuning = inputs.suite.tuning
    priced = held_out.examples or (*tuning.train, *tuning.val)
    once = estimated(session, inputs, (inputs.prompt,), priced, range(1), cached=False)
    return Outlook(
        name=inputs.task.name,
        model=inputs.model_name,
        policy=policy,
        source=source,
        examples=len(held_out.examples),
        groups=groups,
        units=units,
        share=units / len(held_out.examples) if units else 1.0,
        repeats=repeats,
        trials=planned_trials(inputs.task, held_out, repeats=repeats),
        usd=None if once.usd is None else once.usd / once.calls,
        effect=effect,
    )


def _units(examples: Sequence[Example]) -> tuple[int, int | None]:
    """Return how many independent examples these count as at least, and their groups if any."""
    if not examples:
        return 0, None
    found = units_of(examples)
    names = found.groups or [str(number) for number in range(len(examples))]
    weights = found.weights or [1.0] * len(examples)
    totals: dict[str, float] = {}
    for name, weight in zip(names, weights, strict=True):
        totals[name] = totals.get(name, 0.0) + weight
    # Kish (1965): unequal weights leave as many units as equal ones of the same variance.
    size = sum(totals.values()) ** 2 / sum(weight**2 for weight in totals.values())
    return max(1, int(size + 1e-9)), None if found.groups is None else len(totals)
