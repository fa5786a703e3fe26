from __future__ import annotations

import pytest

from gepa_ci.reports import words


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.68, "0.68"), (0.6834, "0.683"), (1.0, "1.00"), (-0.0001, "0.00"), (-0.05, "-0.05")],
)
def test_score_has_two_decimals_or_three(value: float, text: str) -> None:
    assert words.score(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.27, "+0.27"), (-0.5, "-0.50"), (0.0, "0.00")])
def test_effect_has_its_sign(value: float, text: str) -> None:
    assert words.signed(value) == text


def test_interval_never_leaves_the_possible_effects() -> None:
    assert words.span(-1.02, 1.01) == "-1.00 to +1.00"


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, "unknown"),
        (0.0, "$0.00"),
        (0.0042, "$0.0042"),
        (0.314, "$0.31"),
        (1234.5, "$1,234.50"),
    ],
)
def test_money_keeps_the_digits_that_count(usd: float | None, text: str) -> None:
    assert words.money(usd) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.7, "1 min"),
        (185, "3 min 5 s"),
        (3600, "1 h"),
        (7810, "2 h 10 min"),
    ],
)
def test_duration_reads_like_a_person_says_it(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(1e-9, "p < 0.001"), (0.0123, "p = 0.012")])
def test_p_value_is_not_more_exact_than_it_needs(value: float, text: str) -> None:
    assert words.p_value(value) == text


def test_counts_and_percents() -> None:
    assert words.count(1, "call") == "1 call"
    assert words.count(1200, "call") == "1,200 calls"
    assert words.percent(0.9) == "90%"
    assert words.percent(0.975) == "97.5%"
