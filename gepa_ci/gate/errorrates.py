"""Owns the test whether calls failed more often for one prompt than for the other."""

from __future__ import annotations

import math


def fisher_exact(failed: tuple[int, int], asked: tuple[int, int]) -> float:
    """Return the two-sided p value of Fisher's exact test of two failure rates (Fisher 1922)."""
    total_failed = sum(failed)
    if total_failed == 0 or total_failed == sum(asked):
        return 1.0
    first = max(0, total_failed - asked[1])
    last = min(total_failed, asked[0])
    logs = [
        _log_choose(asked[0], x) + _log_choose(asked[1], total_failed - x)
        for x in range(first, last + 1)
    ]
    observed = logs[failed[0] - first]
    scale = max(logs)
    masses = [math.exp(value - scale) for value in logs]
    # Tables that are equally likely differ in the last digits of their logarithms.
    extreme = [m for m, value in zip(masses, logs, strict=True) if value <= observed + 1e-9]
    return min(1.0, math.fsum(extreme) / math.fsum(masses))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
