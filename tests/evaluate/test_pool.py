"""Tests of gepa_ci.evaluate.pool."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gepa_ci.errors import SpendError
from gepa_ci.evaluate.pool import run_all


@settings(deadline=None)
@given(st.lists(st.integers()), st.integers(1, 8))
def test_results_are_in_the_order_of_the_jobs(jobs: list[int], workers: int) -> None:
    assert run_all(jobs, lambda job: job + 1, workers=workers) == [job + 1 for job in jobs]


def test_jobs_run_at_once_up_to_the_number_of_workers() -> None:
    meeting = threading.Barrier(4, timeout=10)

    results = run_all(range(8), lambda job: (meeting.wait(), job)[1], workers=4)

    assert results == list(range(8))


def test_the_first_error_is_raised_and_no_further_job_starts() -> None:
    started = []

    def work(job: int) -> int:
        started.append(job)
        if job == 2:
            raise ValueError("two")
        return job

    with pytest.raises(ValueError, match="two"):
        run_all(range(100), work, workers=1)

    assert started == [0, 1, 2]


def test_each_result_is_handed_on_as_soon_as_it_is_there() -> None:
    seen: dict[int, int] = {}

    run_all(range(5), lambda job: job * 2, workers=2, on_done=seen.__setitem__)

    assert seen == {job: job * 2 for job in range(5)}


def test_an_error_in_the_callback_ends_the_run() -> None:
    def refuse(job: int, result: int) -> None:
        del job, result
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_all(range(3), lambda job: job, workers=2, on_done=refuse)


def test_a_reached_cap_waits_for_the_jobs_that_are_paid_for() -> None:
    at_work, done = threading.Event(), []

    def work(job: int) -> None:
        if job == 0:
            at_work.wait(5)
            raise SpendError("the cap is reached")
        at_work.set()
        time.sleep(0.05)

    with pytest.raises(SpendError):
        run_all(range(2), work, workers=2, on_done=lambda job, _: done.append(job))

    assert done == [1]
