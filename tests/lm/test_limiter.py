"""Tests of gepa_ci.lm.limiter."""

from __future__ import annotations

import threading

from gepa_ci.lm.limiter import Limiter


def limiter(ceiling: int) -> tuple[Limiter, list[float]]:
    now = [0.0]
    return Limiter(ceiling, clock=lambda: now[0]), now


def test_a_rate_limit_halves_what_is_allowed() -> None:
    limit, _ = limiter(16)

    limit.rate_limited()

    assert limit.allowed == 8


def test_a_burst_of_refusals_counts_once() -> None:
    limit, now = limiter(16)

    for _ in range(10):
        limit.rate_limited()
    assert limit.allowed == 8

    now[0] = 2.0
    limit.rate_limited()
    assert limit.allowed == 4


def test_one_call_is_always_allowed() -> None:
    limit, now = limiter(2)

    for second in range(5):
        now[0] = 2.0 * second
        limit.rate_limited()

    assert limit.allowed == 1


def test_answers_grow_it_back_to_the_ceiling_and_not_beyond() -> None:
    limit, _ = limiter(8)
    limit.rate_limited()

    for _ in range(200):
        limit.answered()

    assert limit.allowed == 8


def test_no_more_than_the_ceiling_are_in_flight() -> None:
    limit, _ = limiter(3)
    most, lock, gate = [0], threading.Lock(), threading.Barrier(3)

    def work() -> None:
        with limit.slot():
            with lock:
                most[0] = max(most[0], limit.in_flight)
            gate.wait(10)

    threads = [threading.Thread(target=work) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert most[0] == 3
    assert limit.in_flight == 0
