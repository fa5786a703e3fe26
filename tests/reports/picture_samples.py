"""Values to draw: ordinary ones, and the smallest and largest that a result can hold."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from gepa_ci.reports.view.model import Effect
from gepa_ci.reports.view.model_optimization import Candidate, Leaders, Optimization


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    at: datetime
    mean: float | None
    low: float | None = None
    high: float | None = None
    drift: bool = False
    changed: bool = False
    label: str = "3f1c2ab"


def effect(low: float, difference: float, high: float, *, before: float = 0.533) -> Effect:
    return Effect(
        n=100,
        missing=0,
        before=before,
        after=before + difference,
        difference=difference,
        low=low,
        high=high,
        level=0.9,
        p_value=0.01,
        wins=31,
        losses=4,
        ties=65,
        mde=0.11,
    )


def candidate(
    number: int,
    parents: tuple[int, ...] = (),
    mean: float | None = 0.5,
    *,
    origin: str = "reflection",
    calls: int | None = None,
    best: bool = False,
) -> Candidate:
    return Candidate(
        number=number,
        origin=origin if parents else "baseline",
        parents=parents,
        val_mean=mean,
        metric_calls=40 + 30 * number if calls is None else calls,
        best=best,
        examples=(),
        rewritten=("system",),
        characters=400,
    )


def optimization(
    *candidates: Candidate, frontier: tuple[Leaders, ...] = (), budget: int = 600
) -> Optimization:
    return Optimization(
        optimizer="gepa",
        proposer="reflection",
        metric_calls=max((c.metric_calls for c in candidates), default=0) + 20,
        budget=budget,
        proposals=24,
        stop_reason="The budget is used up.",
        seed=0,
        candidates=candidates,
        edits=(),
        frontier=frontier,
        objectives=(),
        refusals=(),
        interrupted=False,
    )


def leaders(count: int, candidates: int, seed: int = 0) -> tuple[Leaders, ...]:
    rng = random.Random(seed)
    return tuple(
        Leaders(
            name=f"val-{k:03}",
            score=rng.choice((0.0, 0.5, 1.0, 1.0, 1.0)),
            candidates=tuple(
                sorted({min(candidates - 1, int(rng.expovariate(0.4))) for _ in range(3)})
            ),
        )
        for k in range(count)
    )


def small() -> Optimization:
    """Return a search such as most are: ten candidates, with a merge and a pruned one."""
    return optimization(
        candidate(0, (), 0.41),
        candidate(1, (0,), 0.48),
        candidate(2, (0,), 0.44),
        candidate(3, (1,), 0.57),
        candidate(4, (1,), 0.39),
        candidate(5, (2,), 0.52),
        candidate(6, (3,), 0.55),
        candidate(7, (3, 5), 0.64, origin="merge"),
        candidate(8, (7,), 0.68, best=True),
        candidate(9, (8,), 0.66, origin="pruning", calls=520),
        frontier=leaders(24, 10),
    )


def star(count: int) -> Optimization:
    """Return a search in which everything was made from the baseline."""
    rest = (candidate(k, (0,), 0.3 + k % 7 / 20, best=k == 5) for k in range(1, count))
    return optimization(candidate(0, (), 0.3), *rest, frontier=leaders(300, count))


def grown(count: int, seed: int = 0) -> Optimization:
    """Return a search that took its parents by chance, the later the likelier."""
    rng = random.Random(seed)
    made = [candidate(0, (), 0.3)]
    for k in range(1, count):
        parents = {max(0, k - 1 - int(rng.expovariate(0.25)))}
        if k > 4 and rng.random() < 0.15:
            parents.add(rng.randrange(k))
        origin = "merge" if len(parents) > 1 else "reflection"
        mean = round(min(0.97, 0.3 + 0.5 * k / count + rng.gauss(0, 0.06)), 3)
        made.append(candidate(k, tuple(sorted(parents)), mean, origin=origin))
    best = max(made, key=lambda c: c.val_mean or 0)
    made[best.number] = replace(best, best=True)
    return optimization(*made, frontier=leaders(80, count, seed), budget=50 + 30 * count)


def history(days: float, count: int, seed: int = 0) -> list[Point]:
    rng = random.Random(seed)
    start = datetime(2026, 9, 3, 4, 15, tzinfo=UTC)
    points = []
    for k in range(count):
        mean = 0.6 + 0.2 * (k / count) + rng.gauss(0, 0.02) - (0.15 if k > 0.8 * count else 0)
        at = start + timedelta(days=days * k / max(1, count - 1))
        points.append(Point(at=at, mean=mean, low=mean - 0.07, high=mean + 0.06))
    if count > 8:
        points[count // 3] = replace(points[count // 3], mean=None)
        k = int(0.8 * count) + 1
        points[k] = replace(points[k], drift=True)
    return points
