"""Tests of gepa_ci.lm.meter."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.core.call import Purpose
from gepa_ci.core.config import SpendCaps
from gepa_ci.core.spend import Usage
from gepa_ci.errors import SpendError
from gepa_ci.lm.meter import Amount, Meter

ONE = Amount(calls=1, tokens=10, usd=0.1)


def meter(clock: list[float] | None = None, **caps: float) -> Meter:
    now = clock or [0.0]
    return Meter(SpendCaps(**caps), clock=lambda: now[0])  # type: ignore[arg-type]


def spend(counter: Meter, worst: Amount = ONE, **usage: float) -> None:
    reserved = counter.reserve(worst)
    counter.settle(reserved, Usage(calls=1, **usage), Purpose.TASK)  # type: ignore[arg-type]


def test_the_call_after_the_last_one_is_refused() -> None:
    counter = meter(calls=2)
    spend(counter)
    spend(counter)

    with pytest.raises(SpendError, match="'calls: 2' is reached after 2 calls"):
        counter.reserve(ONE)


def test_ten_calls_of_ten_cents_fit_in_a_dollar() -> None:
    counter = meter(usd=1.0)

    for _ in range(10):
        spend(counter, usd=0.1)

    with pytest.raises(SpendError, match="usd: 1"):
        counter.reserve(ONE)


def test_a_token_cap_counts_both_directions() -> None:
    counter = meter(tokens=25)
    spend(counter, input_tokens=10, output_tokens=10)

    with pytest.raises(SpendError, match="tokens: 25"):
        counter.reserve(ONE)


def test_the_minutes_cap_refuses_a_late_call() -> None:
    clock = [0.0]
    counter = meter(clock, minutes=1)
    spend(counter)
    clock[0] = 60.0

    with pytest.raises(SpendError, match="minutes: 1"):
        counter.reserve(ONE)


def test_a_call_waits_for_an_open_one_that_may_settle_for_less() -> None:
    counter = meter(usd=0.15)
    reserved = counter.reserve(ONE)
    waited: list[Amount] = []
    waiter = threading.Thread(target=lambda: waited.append(counter.reserve(ONE)))
    waiter.start()

    counter.settle(reserved, Usage(calls=1, usd=0.01), Purpose.TASK)
    waiter.join(10)

    assert waited == [ONE]


def test_what_is_kept_back_cannot_be_spent_until_the_block_ends() -> None:
    counter = meter(calls=3)

    with counter.keeping(Amount(calls=2)):
        spend(counter)
        with pytest.raises(SpendError):
            counter.reserve(ONE)

    spend(counter)
    spend(counter)


def test_a_shortfall_names_the_cap() -> None:
    assert meter(calls=5).shortfall(Amount(calls=6)) == "calls: 5"
    assert meter(calls=5).shortfall(Amount(calls=5)) is None


def test_spend_is_kept_by_purpose_and_model_and_adds_up() -> None:
    counter = meter()
    spend(counter, usd=0.1)
    counter.count_cached(Purpose.REFLECTION, "openai/gpt-5")

    assert counter.by_model[Purpose.TASK, ""].calls == 1
    assert counter.by_model[Purpose.REFLECTION, "openai/gpt-5"].cached_calls == 1
    assert counter.total == Usage(calls=1, cached_calls=1, usd=0.1)


def test_an_unknown_price_stays_unknown() -> None:
    counter = meter()
    reserved = counter.reserve(ONE)
    counter.settle(reserved, Usage(calls=1, usd=None), Purpose.TASK)

    assert counter.total.usd is None


@given(st.integers(1, 30), st.integers(1, 8))
def test_no_number_of_threads_passes_a_cap(cap: int, threads: int) -> None:
    counter = meter(calls=cap)
    done = []

    def work() -> None:
        for _ in range(10):
            try:
                spend(counter)
            except SpendError:
                return
            done.append(1)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(done) == min(cap, 10 * threads)
