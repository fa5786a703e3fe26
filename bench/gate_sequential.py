"""The figures of the gate that looks at the scores on the way and stops when it is decided."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from gate_figures import Figure, noisy_alpha, usual_rules
from gate_worlds import IDENTICAL, World

from gepa_ci.core.verdict import Promotion, Verdict
from gepa_ci.gate import SequentialPromotion, SequentialRegression, promotion, regression
from gepa_ci.gate.evidence import gather

if TYPE_CHECKING:
    from collections.abc import Callable

    from gate_figures import Bench

ACCEPTED = (Verdict.PASS, Verdict.IMPROVED)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """Shares of the repetitions of one world."""

    runs: int
    calls: float
    """Examples run, of those that there are."""
    block: float
    passed: float
    improved: float
    promote: float
    same: float
    """Share in which the test of all data has the same verdict."""
    fixed_block: float
    fixed_block_exact: float
    """By the test that counts the atom in full, as all looks but the last do."""
    fixed_passed: float
    fixed_promote: float
    peers: tuple[float, float, float]
    """Block rates of the three usual rules."""


def ran(
    bench: Bench,
    world: World,
    runs: int,
    *,
    margin: float = 0.0,
    fixed: bool = False,
    promote: bool = False,
) -> Ran:
    """Run the sequential gate, or a sequential promotion, in a world."""
    runs, rng = bench.begin(runs)
    groups = None
    if world.cluster > 1:
        groups = [index // world.cluster for index in range(world.n)]
    sums, peers = dict.fromkeys(Ran.__dataclass_fields__, 0.0), np.zeros(3)
    for start in range(0, runs, 500):
        base, candidate = world.draw(rng, min(500, runs - start))
        peers += usual_rules(base, candidate)
        for number, arms in enumerate(zip(base, candidate, strict=True), start):
            verdict, calls = follow(*arms, number, groups, margin=margin, promote=promote)
            sums["calls"] += calls / world.n
            sums["block"] += verdict is Verdict.REGRESSION
            sums["passed"] += verdict in ACCEPTED
            sums["improved"] += verdict is Verdict.IMPROVED
            sums["promote"] += verdict is Promotion.PROMOTE
            if not fixed:
                continue
            if promote:
                other: str = promotion(*arms, groups=groups).verdict
            else:
                other = regression(*arms, margin=margin, groups=groups).verdict
                exact = gather(*arms, alpha=0.05, groups=groups, weights=None).test.worse
                sums["fixed_block_exact"] += exact <= 0.05
            sums["same"] += verdict is other
            sums["fixed_block"] += other is Verdict.REGRESSION
            sums["fixed_passed"] += other in ACCEPTED
            sums["fixed_promote"] += other is Promotion.PROMOTE
    shares = {name: value / runs for name, value in sums.items()}
    return Ran(**{**shares, "runs": runs, "peers": tuple((peers / runs).tolist())})


def follow(
    base: np.ndarray,
    candidate: np.ndarray,
    seed: int,
    groups: list[int] | None,
    *,
    margin: float,
    promote: bool,
) -> tuple[str | None, int]:
    """Feed one repetition; return the verdict and how many examples it took."""
    if promote:
        gate: SequentialPromotion | SequentialRegression = SequentialPromotion(
            len(base), seed=seed, groups=groups
        )
    else:
        gate = SequentialRegression(len(base), margin=margin, seed=seed, groups=groups)
    for fed, example in enumerate(gate.order, 1):
        verdict = gate.update(base[example], candidate[example])
        if verdict is not None:
            return verdict, fed
    return None, len(base)


def record(
    bench: Bench,
    what: str,
    limit: float | None,
    found: list[tuple[World, Ran]],
    rate: Callable[[Ran], float],
    *,
    least: bool = False,
    peers: bool = False,
    spread: float | None = None,
    note: str = "",
) -> None:
    """Record the worst world's rate, which must not be beyond the limit.

    `spread` is the standard deviation of one repetition, for the noise of a quick run.
    """
    world, worst = (min if least else max)(found, key=lambda pair: rate(pair[1]))
    measured = rate(worst)
    met = True
    if limit is not None:
        slack = bench.slack(limit, worst.runs, len(found), spread)
        met = measured >= limit - slack if least else measured <= limit + slack
    sign = ">=" if least else "<="
    bench.record(
        Figure(
            what=what,
            must="-" if limit is None else f"{sign} {limit:.4g}",
            measured=measured,
            where=f"{world} {note}".strip(),
            runs=worst.runs,
            met=met,
            peers=worst.peers if peers else None,
        )
    )


def with_discordance(n: int, discordance: float, effect: float) -> World:
    """Return a world in which one trial of each prompt differs on that share of the examples."""
    touched = abs(effect) / (0.8 if effect < 0 else 0.2)
    flip = (discordance - abs(effect)) / (1 - touched)
    return World(n=n, flip=flip, effect=effect, churn=0.0)


def block_test(bench: Bench) -> None:
    """With a margin of 0 only a gain passes: what is left is a test of a loss."""
    nulls = []
    for n, effect in ((100, 0.10), (200, 0.07), (500, 0.05)):
        null, loss = with_discordance(n, 0.2, 0.0), with_discordance(n, 0.2, -effect)
        at_null = [(null, ran(bench, null, 4000))]
        at_loss = [(loss, ran(bench, loss, 4000, fixed=True))]
        nulls += at_null
        name = f"sequential block test, n={n}, D=.2"
        record(
            bench,
            f"{name}, -{effect:.2f}: power lost to exact",
            0.03,
            at_loss,
            lambda r: r.fixed_block_exact - r.block,
        )
        note = f"(power {at_loss[0][1].block:.3f})"
        record(
            bench,
            f"{name}, -{effect:.2f}: power lost to mid-p",
            None,
            at_loss,
            lambda r: r.fixed_block - r.block,
            note=note,
        )
        record(bench, f"{name}, -{effect:.2f}: calls", 0.80, at_loss, calls, spread=0.3)
        record(bench, f"{name}, no change: calls", 0.65, at_null, calls, spread=0.3)
    gain = with_discordance(100, 0.2, 0.05)
    what = "sequential block test, n=100, D=.2, +0.05: calls"
    record(bench, what, None, [(gain, ran(bench, gain, 4000))], calls)
    sparse = [with_discordance(n, 0.1, 0.0) for n in (100, 200, 500)]
    nulls += [(world, ran(bench, world, 2000)) for world in sparse]
    mean = fmean(rates.calls for _, rates in nulls)
    what = "sequential block test, mean of the null rows (D=.1, .2): calls"
    found = [(nulls[-1][0], replace(nulls[-1][1], calls=mean))]
    record(bench, what, 0.72, found, calls, spread=0.3, note="(and 5 more)")


def type_one(bench: Bench) -> None:
    """Identical prompts: how often is one blocked, or called better?"""
    for scores in ("0/1", "graded"):
        for trials in (1, 3):
            worlds = [
                replace(IDENTICAL, n=n, trials=trials, scores=scores)
                for n in (20, 50, 100, 200, 500)
            ]
            found = [(world, ran(bench, world, 4000)) for world in worlds]
            name = f"sequential, identical, {scores}, K={trials}, n=20..500"
            record(bench, f"{name}: block", 0.06, found, blocked, peers=True)
            record(bench, f"{name}: improved", noisy_alpha(10_000), found, improved)
    worlds = [World(n=n, trials=k, mean=0.95, flip=0.05) for n in (50, 100, 200) for k in (1, 3)]
    found = [(world, ran(bench, world, 4000)) for world in worlds]
    record(bench, "sequential, weak skewed null, n>=50: block", 0.06, found, blocked, peers=True)


def three_verdicts(bench: Bench) -> None:
    """The gate as it ships, on changes that change nothing."""
    for name, churn in (("identical", 0.0), ("weak null", 0.04)):
        world = World(n=200, churn=churn)
        found = [(world, ran(bench, world, 5000, margin=0.10, fixed=True))]
        rates = found[0][1]
        what = f"sequential, n=200, K=1, margin .10, {name}"
        record(bench, f"{what}: calls", 0.60, found, calls, spread=0.3, peers=True)
        note = f"(fixed {rates.fixed_passed:.3f}; blocked {rates.block:.3f}, fixed "
        note += f"{rates.fixed_block:.3f})"
        record(
            bench, f"{what}: pass or better", 0.95, found, lambda r: r.passed, least=True, note=note
        )
        record(bench, f"{what}: same verdict as fixed", 0.94, found, lambda r: r.same, least=True)
    for n, trials, margin, effect in (
        (100, 3, 0.10, 0.0),
        (100, 3, 0.10, -0.10),
        (100, 3, 0.10, 0.10),
        (200, 1, 0.10, 0.10),
        (500, 1, 0.05, 0.0),
        (500, 1, 0.05, -0.05),
    ):
        world = World(n=n, trials=trials, effect=effect)
        rates = ran(bench, world, 2000, margin=margin, fixed=True)
        note = (
            f"(block {rates.block:.3f}, fixed {rates.fixed_block:.3f}; pass or better "
            f"{rates.passed:.3f}, fixed {rates.fixed_passed:.3f}; same {rates.same:.3f})"
        )
        what = f"sequential, n={n}, K={trials}, margin {margin:.2f}, {effect:+.2f}: calls"
        record(bench, what, None, [(world, rates)], calls, peers=True, note=note)


def false_pass(bench: Bench) -> None:
    """A loss as large as the margin: how often does it pass at one of the looks?"""
    suites = ((0.6, 0.2), (0.8, 0.1), (0.95, 0.05), (0.95, 0.1))
    for margin in (0.05, 0.10):
        worlds = [
            World(n=n, trials=trials, mean=a, flip=f, effect=-margin)
            for n in (50, 100, 200)
            for trials in (1, 3)
            for a, f in suites
        ]
        found = [(world, ran(bench, world, 2000, margin=margin)) for world in worlds]
        what = f"sequential, false pass, loss = margin = {margin:.2f}, n=50..200"
        record(bench, what, 0.065, found, lambda r: r.passed)


def trouble(bench: Bench) -> None:
    """Failed calls on one side, and examples that come in clusters."""
    worlds = [
        replace(IDENTICAL, n=n, trials=k, failed=0.05) for n in (50, 100, 200) for k in (1, 3)
    ]
    found = [(world, ran(bench, world, 4000)) for world in worlds]
    record(bench, "sequential, 5% of candidate calls fail: block", 0.06, found, blocked, peers=True)
    for name, churn in (("identical", 0.0), ("weak null", 0.15)):
        worlds = [
            World(n=n, trials=k, cluster=5, churn=churn) for n in (150, 250, 500) for k in (1, 3)
        ]
        found = [(world, ran(bench, world, 4000)) for world in worlds]
        what = f"sequential, clusters of 5 with groups, {name}: block"
        record(bench, what, 0.06, found, blocked, peers=True)


def promotions(bench: Bench) -> None:
    """A confirm test that may be given up on the way."""
    worlds = [
        replace(IDENTICAL, n=n, trials=k, scores=s)
        for n in (50, 100, 200)
        for k, s in ((1, "0/1"), (3, "0/1"), (3, "graded"))
    ]
    found = [(world, ran(bench, world, 4000, promote=True)) for world in worlds]
    what = "sequential promotion, identical"
    record(bench, f"{what}: promote", noisy_alpha(10_000), found, lambda r: r.promote)
    record(bench, f"{what}: calls (worst)", None, found, calls)
    for n, trials, effect in ((100, 1, 0.10), (100, 3, 0.10), (200, 3, 0.05), (500, 1, 0.05)):
        world = World(n=n, trials=trials, effect=effect)
        found = [(world, ran(bench, world, 4000, fixed=True, promote=True))]
        what = f"sequential promotion, n={n}, K={trials}, {effect:+.2f}: power lost"
        note = f"(fixed {found[0][1].fixed_promote:.3f}; calls {found[0][1].calls:.2f} n)"
        record(bench, what, 0.03, found, lambda r: r.fixed_promote - r.promote, note=note)
    for effect in (0.0, -0.05):
        world = World(n=100, trials=3, effect=effect)
        found = [(world, ran(bench, world, 4000, promote=True))]
        record(bench, f"sequential promotion, n=100, K=3, {effect:+.2f}: calls", None, found, calls)


def false_gains(bench: Bench) -> None:
    """Identical prompts at a margin that lets the gate wait for a gain."""
    worlds = [
        replace(IDENTICAL, n=n, trials=k, scores=s)
        for n in (50, 100, 200, 500)
        for k, s in ((1, "0/1"), (3, "0/1"), (3, "graded"))
    ]
    found = [(world, ran(bench, world, 2000, margin=0.10)) for world in worlds]
    what = "sequential, identical, margin .10"
    record(bench, f"{what}: improved", noisy_alpha(10_000), found, improved)
    record(bench, f"{what}: block", 0.06, found, blocked, peers=True)


def calls(rates: Ran) -> float:
    """Return the share of the examples that was run."""
    return rates.calls


def blocked(rates: Ran) -> float:
    """Return the share that was blocked."""
    return rates.block


def improved(rates: Ran) -> float:
    """Return the share that was called better."""
    return rates.improved


SEQUENTIAL = (block_test, type_one, three_verdicts, false_pass, trouble, promotions, false_gains)
