"""Tests of gepa_ci.programs.speakers, over processes that only wait."""

from __future__ import annotations

import sys
import threading

import pytest

from gepa_ci.errors import ProgramError
from gepa_ci.programs.speaker import Speaker
from gepa_ci.programs.speakers import Speakers
from gepa_ci.workers.child import Child

WAIT = "import sys; sys.stdin.read()"


def start() -> Speaker:
    return Speaker(Child([sys.executable, "-c", WAIT], unread=4))


def test_a_process_that_is_free_is_lent_before_a_new_one_starts() -> None:
    speakers = Speakers(start, processes=2, threads=2)
    with speakers.lend() as first:
        pass
    with speakers.lend() as second, speakers.lend() as third, speakers.lend() as fourth:
        assert first is second
        assert third is not first
        assert fourth in (second, third)
    speakers.close()


def test_who_comes_when_all_are_taken_waits() -> None:
    speakers = Speakers(start, processes=1, threads=1)
    order: list[str] = []

    def later() -> None:
        with speakers.lend():
            order.append("later")

    with speakers.lend():
        waiting = threading.Thread(target=later)
        waiting.start()
        waiting.join(0.2)
        order.append("first")
    waiting.join(20)
    speakers.close()

    assert order == ["first", "later"]


def test_a_process_that_cannot_be_started_leaves_room_for_another_attempt() -> None:
    def fail() -> Speaker:
        raise ProgramError("no")

    speakers = Speakers(fail, processes=1, threads=1)
    for _ in range(2):
        with pytest.raises(ProgramError):
            with speakers.lend():
                raise AssertionError
    speakers.close()


def test_a_process_that_starts_while_all_are_closed_is_closed() -> None:
    started: list[Speaker] = []

    def slow() -> Speaker:
        speakers.close()
        started.append(start())
        return started[0]

    speakers = Speakers(slow, processes=1, threads=1)
    with speakers.lend() as speaker:
        inbox = speaker.open("r")
        assert str(inbox.get(timeout=20)).startswith("the worker ended")

    assert started[0].child._process.returncode is not None
