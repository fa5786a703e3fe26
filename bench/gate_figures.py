"""Asks the gate about simulated worlds and prints what must be beside what is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from gepa_ci.core.verdict import Promotion, Verdict
from gepa_ci.gate import promotion, regression

if TYPE_CHECKING:
    from collections.abc import Callable

    from gate_worlds import World

ALPHA = 0.05
QUICK_SHARE = 20
"""A quick run makes this many times fewer repetitions."""
WIDTH = 66
"""Of the first column."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Shares of the repetitions."""

    runs: int
    block: float
    passed: float
    promote: float
    mean_below: float
    two_points: float
    unpaired: float


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table."""

    what: str
    must: str
    measured: float
    where: str
    runs: int
    met: bool
    peers: tuple[float, float, float] | None = None


class Bench:
    """Runs worlds with one seed and collects figures."""

    def __init__(self, *, quick: bool, seed: int) -> None:
        self.quick = quick
        self.seed = seed
        self.figures: list[Figure] = []
        self._cells = 0

    def begin(self, runs: int) -> tuple[int, np.random.Generator]:
        """Return how many repetitions to make, and the next cell's own random numbers."""
        self._cells += 1
        runs = max(100, runs // QUICK_SHARE) if self.quick else runs
        return runs, np.random.default_rng([self.seed, self._cells])

    def rates(
        self,
        world: World,
        runs: int,
        *,
        margin: float = 0.05,
        promote: bool = False,
        grouped: bool = True,
    ) -> Rates:
        """Ask the gate about every repetition of a world."""
        runs, rng = self.begin(runs)
        groups = None
        if world.cluster > 1 and grouped:
            groups = [index // world.cluster for index in range(world.n)]
        counts = dict.fromkeys(Verdict, 0)
        promotions, peers = 0, np.zeros(3)
        for start in range(0, runs, 500):
            base, candidate = world.draw(rng, min(500, runs - start))
            peers += usual_rules(base, candidate)
            for one, other in zip(base, candidate, strict=True):
                counts[regression(one, other, margin=margin, groups=groups).verdict] += 1
                if promote:
                    verdict = promotion(one, other, groups=groups).verdict
                    promotions += verdict is Promotion.PROMOTE
        return Rates(
            runs=runs,
            block=counts[Verdict.REGRESSION] / runs,
            passed=(counts[Verdict.PASS] + counts[Verdict.IMPROVED]) / runs,
            promote=promotions / runs,
            mean_below=peers[0] / runs,
            two_points=peers[1] / runs,
            unpaired=peers[2] / runs,
        )

    def worst(
        self,
        what: str,
        limit: float | None,
        found: list[tuple[World, Rates]],
        rate: Callable[[Rates], float],
        *,
        note: str = "",
    ) -> None:
        """Record the worst of several worlds' error rates, which must not be above the limit.

        A limit of None records a figure about which nothing is promised.
        """
        world, rates = max(found, key=lambda pair: rate(pair[1]))
        measured = rate(rates)
        met = limit is None or measured <= limit + self.slack(limit, rates.runs, len(found))
        peers = peers_of(rates) if rate is blocked else None
        self.record(
            Figure(
                what=what,
                must="-" if limit is None else f"<= {limit:.4g}",
                measured=measured,
                where=f"{world} {note}".strip(),
                runs=rates.runs,
                met=met,
                peers=peers,
            )
        )

    def at_least(self, what: str, limit: float, world: World, rates: Rates, rate: float) -> None:
        """Record a rate that must not be below its limit."""
        self.record(
            Figure(
                what=what,
                must=f">= {limit:.4g}",
                measured=rate,
                where=str(world),
                runs=rates.runs,
                met=rate >= limit - self.slack(limit, rates.runs, 1),
                peers=peers_of(rates),
            )
        )

    def all(
        self, worlds: list[World], runs: int, *, promote: bool = False
    ) -> list[tuple[World, Rates]]:
        """Ask the gate about every repetition of several worlds."""
        return [(world, self.rates(world, runs, promote=promote)) for world in worlds]

    def slack(self, limit: float, runs: int, cells: int, spread: float | None = None) -> float:
        """Return how far beyond its limit a figure of a quick run may be.

        A quick run is too short for the limits of a full one, so it gets its own noise on top: the
        worst of more cells is noisier. `spread` is of one repetition, if it is no rate.
        """
        if not self.quick:
            return 0.0
        spread = math.sqrt(limit * (1 - limit)) if spread is None else spread
        return NormalDist().inv_cdf(1 - 0.002 / cells) * spread / math.sqrt(runs)

    def record(self, figure: Figure) -> None:
        """Keep a figure and print its line."""
        self.figures.append(figure)
        columns = " " * 19
        if figure.peers is not None:
            columns = "  ".join(f"{rate:5.3f}" for rate in figure.peers)
        print(
            f"{figure.what:<{WIDTH}} {figure.must:>9}  {figure.measured:6.4f}  "
            f"{'' if figure.met else 'MISSED':<6}  {columns}  {figure.runs:>6}  {figure.where}",
            flush=True,
        )


def blocked(rates: Rates) -> float:
    """Return the share that was blocked."""
    return rates.block


def promoted(rates: Rates) -> float:
    """Return the share that was promoted."""
    return rates.promote


def passed(rates: Rates) -> float:
    """Return the share that passed or improved."""
    return rates.passed


def usual_rules(base: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """Count blocks of `mean < baseline`, a fixed 2-point threshold and an unpaired z test."""
    before, after = np.nanmean(base, axis=2), np.nanmean(np.nan_to_num(candidate), axis=2)
    drop = before.mean(axis=1) - after.mean(axis=1)
    n = before.shape[1]
    error = np.sqrt((before.var(axis=1, ddof=1) + after.var(axis=1, ddof=1)) / n)
    return np.array(
        [
            np.count_nonzero(drop > 1e-12),
            np.count_nonzero(drop > 0.02 + 1e-12),
            np.count_nonzero(drop > 1.6449 * error + 1e-12),
        ],
        dtype=float,
    )


def peers_of(rates: Rates) -> tuple[float, float, float]:
    """Return the block rates of the three usual rules."""
    return rates.mean_below, rates.two_points, rates.unpaired


def noisy_alpha(runs: int) -> float:
    """Return alpha with three standard errors of so many repetitions."""
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / runs)
