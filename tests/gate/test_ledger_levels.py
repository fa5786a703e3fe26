"""Tests of gepa_ci.gate.ledger_levels: the levels of each mode, against other sources of them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_books import AT, HELD, MemoryBook, examples, policy, question
from online_fdr.core.utils.sequence import DefaultLordGammaSequence
from online_fdr.e_values import ELond
from online_fdr.p_values import LordPlusPlus
from scipy.stats import norm

from gepa_ci.gate import Exhausted, Granted, close_question, ledger_state, open_question
from gepa_ci.gate.ledger_levels import lord_level, strict_level, weight

if TYPE_CHECKING:
    from gepa_ci.core.ledger import LedgerPolicy

P_VALUES = st.lists(st.sampled_from([0.0, 1e-5, 0.0009, 0.004, 0.04, 0.5]), min_size=1, max_size=40)


def levels(mode: LedgerPolicy, decide: list[float], *, by_e: bool = False) -> list[float]:
    """Ask so many questions; a promotion is what reaches the level that was granted."""
    book, found = MemoryBook(), []
    for number, value in enumerate(decide):
        one = question(f"{number}")
        grant = open_question(book, one, mode, at=AT)
        assert isinstance(grant, Granted)
        found.append(grant.alpha)
        reached = value >= (grant.needs_e or 0.0) if by_e else value <= grant.alpha
        answer = replace(HELD, decision="promote" if reached else "hold")
        close_question(book, one, mode, answer, at=AT)
    return found


@given(P_VALUES)
def test_lord_gives_the_levels_of_lord_plus_plus(p_values: list[float]) -> None:
    procedure = LordPlusPlus(alpha=0.1, wealth=0.05)
    expected = [procedure.test_one_detail(p).test_level for p in p_values]

    assert levels(policy("lord"), p_values) == pytest.approx(expected)


@given(st.lists(st.sampled_from([0.0, 1.0, 100.0, 400.0, 1e5, 1e9]), min_size=1, max_size=40))
def test_elond_gives_the_levels_of_e_lond(e_values: list[float]) -> None:
    procedure = ELond(alpha=0.1)
    expected = [procedure.test_one_detail(e).test_level for e in e_values]

    assert levels(policy("elond"), e_values, by_e=True) == pytest.approx(expected)


def test_elond_says_which_e_value_a_promotion_needs() -> None:
    grant = open_question(MemoryBook(), question(), policy("elond"), at=AT)

    assert isinstance(grant, Granted)
    assert grant.needs_e == pytest.approx(1 / grant.alpha)
    assert grant.needs_e == pytest.approx(186.86, rel=1e-3)


@pytest.mark.parametrize("mode", ["lord", "elond", "strict"])
def test_no_level_is_above_that_of_the_config(mode: str) -> None:
    grant = open_question(MemoryBook(), question(alpha=0.001), policy(mode), at=AT)

    assert isinstance(grant, Granted)
    assert grant.alpha <= 0.001


def test_strict_shares_alpha_out_over_the_ways_it_could_have_gone() -> None:
    book, by = MemoryBook(), policy("strict")
    found = []
    for number in range(12):
        one = question(f"{number}")
        grant = open_question(book, one, by, at=AT)
        assert isinstance(grant, Granted)
        found.append(grant.alpha)
        outcome = "promote" if number in (2, 5, 6) else "hold"
        close_question(book, one, by, replace(HELD, decision=outcome), at=AT)

    gamma = DefaultLordGammaSequence(c=0.07720838).calc_gamma
    before = [0, 0, 0, 1, 1, 1, 2, 3, 3, 3, 3, 3]
    expected = [
        0.05 * gamma(t) / math.comb(t - 1, promoted) for t, promoted in enumerate(before, 1)
    ]
    assert found == pytest.approx(expected)


def test_strict_asks_for_almost_seven_standard_errors_after_sixty_questions() -> None:
    assert norm.isf(strict_level(0.05, 59, 5)) == pytest.approx(6.8, abs=0.1)


def test_the_levels_after_so_many_promotions_add_up_to_alpha_at_most() -> None:
    for promoted in range(4):
        ways = [
            math.comb(asked, promoted) * strict_level(0.05, asked, promoted)
            for asked in range(promoted, 3_000)
        ]
        assert math.fsum(ways) <= 0.05


@given(st.integers(1, 5_000))
def test_the_weights_are_those_of_lord(number: int) -> None:
    assert weight(number) == pytest.approx(
        DefaultLordGammaSequence(c=0.07720838).calc_gamma(number)
    )


def test_a_level_that_is_too_small_to_be_a_number_refuses() -> None:
    book, by = MemoryBook(), policy("strict")
    close_question(book, question("0"), by, HELD, at=AT)
    (line,) = book.entries
    book.entries = [
        replace(line, candidate=f"{number}", decision="promote" if number % 2 else "hold")
        for number in range(1_100)
    ]

    refused = open_question(book, question("next"), by, at=AT)

    assert isinstance(refused, Exhausted)
    assert refused.reasons[0] == (
        "The held-out examples were asked so often that no level is left to test at."
    )
    assert refused.state.summary.endswith("; nothing more can be asked (strict).")


def test_a_killed_run_counts_as_a_test_that_found_nothing() -> None:
    book, by = MemoryBook(), policy("lord")
    open_question(book, question("killed"), by, at=AT)

    state = ledger_state(book.entries, question("next"), by, at=AT)

    assert state.next_alpha == lord_level([False])
    assert state.summary == (
        "The held-out examples have judged 1 candidate; the next is tested at 0.00058 (LORD++)."
    )


@pytest.mark.parametrize("mode", ["lord", "elond", "strict"])
def test_inherited_uses_count_as_tests_that_found_nothing(mode: str) -> None:
    book, by = MemoryBook(), policy(mode)
    for number in range(4):
        one = question(f"{number}")
        open_question(book, one, by, at=AT)
        close_question(book, one, by, HELD, at=AT)
    kept = question("x", suite="v2", members=examples(60, 160))

    inherited = ledger_state(book.entries, kept, by, at=AT).next_alpha
    # 40% of 4 uses count as 2.
    same = ledger_state(book.entries[:4], question("x"), by, at=AT).next_alpha

    assert inherited == pytest.approx(same)


def test_an_inherited_promotion_brings_no_reward() -> None:
    book, by = MemoryBook(), policy("lord")
    one = question("0")
    open_question(book, one, by, at=AT)
    close_question(book, one, by, replace(HELD, decision="promote"), at=AT)
    kept = question("x", suite="v2", members=examples(0, 200))

    assert ledger_state(book.entries, kept, by, at=AT).next_alpha == lord_level([False])
    assert ledger_state(book.entries, question("x"), by, at=AT).next_alpha == lord_level([True])
