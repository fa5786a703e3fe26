"""Tests of gepa_ci.gate.evalues."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.core.verdict import Promotion
from gepa_ci.gate import e_value, held_without_evidence, promotion
from gepa_ci.gate.evalues import betting_e_value

DIFFERENCES = st.lists(st.floats(-1, 1), max_size=30)
BETS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9)


def test_a_hand_computed_bet() -> None:
    expected = sum((1 + bet) * (1 - bet / 2) for bet in BETS) / len(BETS)

    assert betting_e_value([1.0, -0.5, 0.0]) == pytest.approx(expected)


def test_no_data_is_no_evidence() -> None:
    assert betting_e_value([]) == 1.0
    assert e_value([math.nan], [1.0]) == 1.0


@given(DIFFERENCES)
def test_ties_and_order_change_nothing(differences: list[float]) -> None:
    turned = [0.0, *reversed(differences), 0.0]

    assert betting_e_value(turned) == pytest.approx(betting_e_value(differences))


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=9))
def test_over_all_signs_it_is_one_on_average(sizes: list[float]) -> None:
    signs = itertools.product((-1, 1), repeat=len(sizes))
    values = [betting_e_value(np.multiply(one, sizes)) for one in signs]

    assert np.mean(values) == pytest.approx(1.0)


@given(DIFFERENCES, st.integers(0, 29), st.floats(0, 1))
def test_a_larger_gain_is_no_weaker_evidence(
    differences: list[float], index: int, gain: float
) -> None:
    better = [
        min(1.0, one + gain) if number == index else one for number, one in enumerate(differences)
    ]

    assert betting_e_value(better) >= betting_e_value(differences) - 1e-12


def test_a_difference_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"in \[-1, 1\]"):
        betting_e_value([1.5])
    with pytest.raises(ValueError, match=r"in \[-1, 1\]"):
        betting_e_value([math.nan])


def test_overwhelming_evidence_is_a_number() -> None:
    assert math.isfinite(betting_e_value(np.ones(100_000)))


def test_scores_are_paired_and_averaged_over_trials() -> None:
    base, candidate = [[0.0, 1.0], [1.0, 1.0]], [[1.0, 1.0], [0.0, math.nan]]

    assert e_value(base, candidate) == pytest.approx(betting_e_value([0.5, -1.0]))


def test_a_group_is_one_bet() -> None:
    base, candidate = [0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0]
    groups = ["a", "a", "b", "b"]

    assert e_value(base, candidate, groups=groups) == pytest.approx(betting_e_value([1.0, 0.0]))


def test_no_example_is_bet_on_by_more_than_its_weight() -> None:
    found = e_value([0.0, 0.0], [1.0, 1.0], weights=[1.0, 2.0])

    assert found == pytest.approx(betting_e_value([0.5, 1.0]))


def test_a_small_group_counts_for_less() -> None:
    found = e_value([0.0, 0.0, 0.0], [1.0, 1.0, 1.0], groups=["a", "a", None])

    assert found == pytest.approx(betting_e_value([1.0, 0.5]))


def test_without_enough_evidence_a_promotion_is_held() -> None:
    promoted = promotion([0.0] * 8, [1.0] * 8)
    assert promoted.verdict is Promotion.PROMOTE

    held = held_without_evidence(promoted, 12.34, 186.857)

    assert held.verdict is Promotion.HOLD
    assert held.reasons[0] == (
        "Held: the gain may be luck, given how often the held-out examples were asked before: the "
        "evidence for it is 12.3 to 1, and the ledger asks for 186.9 to 1."
    )
    assert replace(held, verdict=promoted.verdict, reasons=promoted.reasons) == promoted


def test_enough_evidence_changes_nothing() -> None:
    promoted = promotion([0.0] * 8, [1.0] * 8)
    held = promotion([0.0] * 8, [0.0] * 8)

    assert held_without_evidence(promoted, 186.9, 186.857) is promoted
    assert held_without_evidence(promoted, 1.0, None) is promoted
    assert held_without_evidence(held, 1.0, 186.857) is held
