"""Owns the scores of the examples run so far, and what they show at a look."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gepa_ci.gate.bounds import PlusTwo, pairs_for, plus_two
from gepa_ci.gate.evidence import Evidence, check_alpha, gather, is_too_many, trouble
from gepa_ci.gate.example_order import plan
from gepa_ci.gate.pairing import lattice_of, relative_weights, unit_differences
from gepa_ci.gate.progress import Progress
from gepa_ci.gate.running_null import Crossing, RunningNull
from gepa_ci.gate.signflip import fitting_lattice, on_lattice
from gepa_ci.gate.spending import nominal_levels, spent

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike

    Row = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the examples run so far show."""

    number: int
    """Which look, from 1."""
    last: bool
    """Whether all examples have been run."""
    loss: Crossing
    """Whether the sign-flip test allows to claim a loss at this look."""
    gain: bool
    """Whether it allows to claim a gain."""
    units: int
    """Units that have scores."""
    moments: PlusTwo
    """Their moments, for bounds of this look's level."""
    level: float
    """One-sided level of this look's confidence bounds."""
    last_level: float
    """That of the last look."""
    to_come: int
    """Units that have not been run yet."""
    trouble: str | None
    """A finished sentence when failed calls forbid a verdict so far."""
    beyond_repair: bool
    """Whether so many examples failed that there can be no verdict whatever comes."""


class ExamplesRun:
    """Collects scores in the planned order."""

    def __init__(
        self,
        n: int,
        *,
        alpha: float,
        loss_alpha: float,
        trials: int,
        seed: int | str,
        groups: Sequence[Hashable] | None,
        weights: ArrayLike | None,
        looks: int,
    ) -> None:
        check_alpha(alpha)
        check_alpha(loss_alpha)
        if trials < 1:
            raise ValueError(f"trials must be at least 1, not {trials}")
        self.alpha = alpha
        self.plan = plan(n, seed=seed, groups=groups, looks=looks)
        order = np.asarray(self.plan.order)
        self._groups = None if groups is None else list(groups)
        self._weights = None if weights is None else np.asarray(weights, dtype=np.float64)
        self._relative = relative_weights(weights, n)[order]
        self._units = np.asarray(self.plan.units)
        self._differences = np.zeros(n)
        self._kept = np.zeros(n, dtype=np.bool_)
        self._rows: tuple[list[Row], list[Row]] = ([], [])
        self._failed, self._asked = [0, 0], [0, 0]
        # Until there are scores it is as if so many trials had been run of nothing.
        self._trials = trials
        self._lattice, self._looked = 0, 0
        self._levels = (alpha, loss_alpha)
        # A gain is tested as the mirror image of a loss, by the same limits if at the same level.
        self._nulls = [RunningNull() for _ in set(self._levels)]

    def __len__(self) -> int:
        """Return how many examples have been run."""
        return len(self._rows[0])

    @property
    def is_at_look(self) -> bool:
        """Tell whether a look is due."""
        return len(self) in self.plan.looks

    def add(self, base_row: ArrayLike, candidate_row: ArrayLike) -> None:
        """Take the scores of the next example.

        Raises:
            ValueError: a score is outside [0, 1], or the number of trials has changed.
        """
        position = len(self)
        rows = (_row(base_row), _row(candidate_row))
        for name, row, earlier in zip(("baseline", "candidate"), rows, self._rows, strict=True):
            if not all(0.0 <= score <= 1.0 for score in row if not math.isnan(score)):
                example = self.plan.order[position]
                raise ValueError(f"{name} has a score outside [0, 1] at example {example}")
            if not row or (earlier and len(row) != len(earlier[0])):
                raise ValueError(f"{name} must have the same number of trials for each example")
        means = []
        for arm, row in enumerate(rows):
            scored = [score for score in row if not math.isnan(score)]
            self._rows[arm].append(row)
            self._asked[arm] += len(row)
            self._failed[arm] += len(row) - len(scored)
            means.append(sum(scored) / len(scored) if scored else math.nan)
        difference = means[1] - means[0]
        self._kept[position] = not math.isnan(difference)
        # An example without scores is a difference of nothing: it can bring no claim about.
        self._differences[position] = difference if self._kept[position] else 0.0

    def look(self) -> Look:
        """Return what the examples so far show; once per look, at the look."""
        run, plan_ = len(self), self.plan
        number = plan_.looks.index(run)
        shares = plan_.shares
        units, values = self._unit_differences(), self._new_values()
        crossings = []
        for null, level in zip(self._nulls, self._levels, strict=False):
            null.extend(values)
            crossings.append(null.look(spent(level, shares[number])))
        levels = nominal_levels(self.alpha, shares)
        missing = run - int(np.count_nonzero(self._kept[:run]))
        return Look(
            number=number + 1,
            last=run == len(plan_.order),
            loss=crossings[-1],
            gain=crossings[0].is_gain,
            units=units.size,
            moments=plus_two(units, pairs=pairs_for(levels[number], self.alpha)),
            level=levels[number],
            last_level=levels[-1],
            to_come=plan_.units_at[-1] - plan_.units_at[number],
            trouble=trouble(
                n=run - missing,
                missing=missing,
                failed=(self._failed[0], self._failed[1]),
                asked=(self._asked[0], self._asked[1]),
            ),
            beyond_repair=is_too_many(missing, len(plan_.order)),
        )

    def progress(self, *, decided: bool, futile: bool) -> Progress:
        """Return how far the run got."""
        looks = sum(look <= len(self) for look in self.plan.looks)
        levels = nominal_levels(self.alpha, self.plan.shares)
        return Progress(
            run=len(self),
            planned=len(self.plan.order),
            looks=looks,
            planned_looks=len(levels),
            level=levels[max(0, looks - 1)],
            decided=decided,
            futile=futile,
        )

    def evidence(self) -> Evidence:
        """Weigh what was run as if it had been all, in the examples' own order."""
        where = np.argsort(np.asarray(self.plan.order[: len(self)], dtype=np.intp))
        examples = [self.plan.order[position] for position in where]
        base, candidate = (
            np.asarray(rows, dtype=np.float64).reshape(len(self), self._width(rows))[where]
            for rows in self._rows
        )
        return gather(
            base,
            candidate,
            alpha=self.alpha,
            groups=None if self._groups is None else [self._groups[e] for e in examples],
            weights=None if self._weights is None else self._weights[examples],
        )

    def _width(self, rows: list[Row]) -> int:
        return len(rows[0]) if rows else self._trials

    def _new_values(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Return the lattice points of the units since the last look."""
        new = slice(self._looked, len(self))
        self._looked = len(self)
        weighted = self._differences[new] * self._relative[new]
        units = self._units[new] - self._units[new.start]
        if not self._lattice:
            # Chosen once: rounding that changed on the way would change what was decided on.
            finest = lattice_of(*map(self._width, self._rows))
            growth = (self._units[-1] + 1) / (units[-1] + 1)
            self._lattice = fitting_lattice(weighted, units, finest, growth=growth)
        return on_lattice(weighted, units, self._lattice)

    def _unit_differences(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        kept = self._kept[: len(self)]
        weights = self._relative[: len(self)][kept]
        codes = np.unique(self._units[: len(self)][kept], return_inverse=True)[1]
        weighted = self._differences[: len(self)][kept] * weights
        return unit_differences(weighted, codes, float(weights.sum()))


def _row(scores: ArrayLike) -> Row:
    return tuple(np.asarray(scores, dtype=np.float64).ravel().tolist())
