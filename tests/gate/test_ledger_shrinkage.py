"""Tests of gepa_ci.gate.shrinkage."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ledger_books import AT, HELD, POLICY, MemoryBook, question

from gepa_ci.gate import close_question, open_question, shrunk

if TYPE_CHECKING:
    from gepa_ci.core.ledger import Entry


def history(*seen: tuple[float, float]) -> list[Entry]:
    book = MemoryBook()
    for number, (difference, se) in enumerate(seen):
        one = question(f"{number}", suite=f"v{number}")
        open_question(book, one, POLICY, at=AT)
        answer = replace(HELD, difference=difference, se=se)
        close_question(book, one, POLICY, answer, at=AT)
    return book.entries


def test_a_hand_computed_estimate() -> None:
    # Squares .01, .04, 0 less .01 each: a variance of .02/3.
    entries = history((0.1, 0.1), (-0.2, 0.1), (0.0, 0.1))

    found = shrunk(0.1, 0.05, entries, task="triage")

    assert found is not None
    assert found.difference == pytest.approx(0.1 * (0.02 / 3) / (0.02 / 3 + 0.0025))
    assert found.spread == pytest.approx((0.02 / 3) ** 0.5)
    assert found.answers == 3


def test_with_fewer_than_three_answers_there_is_no_estimate() -> None:
    entries = history((0.1, 0.1), (0.1, 0.1))

    assert shrunk(0.1, 0.05, entries, task="triage") is None
    killed = [*entries, replace(entries[0], candidate="killed")]
    assert shrunk(0.1, 0.05, killed, task="triage") is None


def test_answers_of_other_tasks_do_not_count() -> None:
    entries = history((0.1, 0.1), (0.1, 0.1), (0.1, 0.1))

    assert shrunk(0.1, 0.05, entries, task="other") is None


def test_a_history_of_noise_leaves_nothing_of_a_gain() -> None:
    found = shrunk(0.2, 0.05, history(*[(0.01, 0.1)] * 5), task="triage")

    assert found is not None
    assert (found.difference, found.spread) == (0.0, 0.0)


def test_an_effect_without_error_is_not_drawn_anywhere() -> None:
    found = shrunk(0.2, 0.0, history(*[(0.0, 0.0)] * 3), task="triage")

    assert found is not None
    assert found.difference == 0.2


def test_the_spread_of_true_effects_is_found() -> None:
    rng = np.random.default_rng(1)
    true = rng.normal(0.0, 0.05, 400)
    seen = true + rng.normal(0.0, 0.04, 400)

    found = shrunk(0.1, 0.04, history(*((float(d), 0.04) for d in seen)), task="triage")

    assert found is not None
    assert found.spread == pytest.approx(0.05, abs=0.005)
