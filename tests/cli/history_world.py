"""Histories for tests: nights of a model whose answers vary, and that once becomes another."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from gepa_ci.cli.measured import spread
from gepa_ci.delivery.data_branch import HistoryEntry

BEGIN = datetime(2026, 3, 1, 4, tzinfo=UTC)
COMMIT = "3f9d2c1" + "0" * 33


def entry(
    night: int,
    scores: list[float] | None,
    *,
    task: str = "triage",
    question: str = "q",
    fresh: bool = True,
    verdict: str | None = None,
    run: str = "",
) -> HistoryEntry:
    """Return the entry of one night; without scores, one on which nothing was measured."""
    mean = None if scores is None else sum(scores) / len(scores)
    sure = None if scores is None or mean is None else spread(mean, scores)
    return HistoryEntry(
        task=task,
        at=(BEGIN + timedelta(days=night)).isoformat(),
        commit=COMMIT,
        digest=question,
        prompt_digest="p" * 64,
        model="openai/gpt-5-mini",
        mean=mean,
        se=None if sure is None else sure.error,
        low=None if sure is None else sure.low,
        high=None if sure is None else sure.high,
        n=len(scores or ()),
        units=len(scores or ()),
        fresh=fresh and scores is not None,
        verdict=verdict,
        usd=0.31,
        calls=600,
        run=run or f"{night}.1",
    )


def nights(
    count: int, *, drop_at: int | None = None, drop: float = 0.0, n: int = 100, seed: int = 1
) -> list[HistoryEntry]:
    """Return so many nights of one question; from `drop_at` on the model is worse."""
    chance = random.Random(seed)
    easy = [chance.betavariate(4, 1) for _ in range(n)]
    return [
        entry(
            night,
            [
                float(
                    chance.random() < p - (drop if drop_at is not None and night >= drop_at else 0)
                )
                for p in easy
            ],
        )
        for night in range(count)
    ]
