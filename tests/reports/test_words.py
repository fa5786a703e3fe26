from __future__ import annotations

import pytest

from gepa_ci.reports import words
from gepa_ci.reports.view.model import Expected


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


@pytest.mark.parametrize(
    ("value", "name", "relative", "text"),
    [
        (0.9, "contains", False, "0.90"),
        (0.8412, "latency", True, "0.841 s"),
        (612.4, "prompt_length", True, "612"),
        (12_345.6, "output_length", True, "12,346"),
        (0.00123, "cost", True, "0.00123"),
        (0.0, "cost", True, "0"),
        (0.5, "latency", False, "0.50"),
    ],
)
def test_what_a_guard_measured_has_three_digits(
    value: float, name: str, relative: bool, text: str
) -> None:
    assert words.measured(value, name, relative=relative) == text


@pytest.mark.parametrize(
    ("value", "relative", "text"),
    [
        (-0.05, False, "-0.05"),
        (0.301, True, "+30.1%"),
        (-0.2, True, "-20%"),
        (0.0, True, "0%"),
        (-0.0001, True, "0%"),
        (25.0, True, "+2,500%"),
        (None, True, "from 0"),
    ],
)
def test_a_change_of_a_measure_is_a_share(value: float | None, relative: bool, text: str) -> None:
    assert words.changed(value, relative=relative) == text


def test_examples_are_counted_out_of_those_planned() -> None:
    assert words.examples(100, 0, "held-out") == "100 held-out examples"
    assert words.examples(1, 0, "val") == "1 val example"
    assert words.examples(1, 20, "held-out") == "1 of 20 held-out examples"
    assert words.out_of(1200, 4000) == "1,200 of 4,000"


def test_examples_left_out_are_said_with_the_cause() -> None:
    assert words.left_out(1) == "1 example left out, as its calls failed"
    assert words.left_out(3) == "3 examples left out, as their calls failed"


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (0.1234, "about +0.12"),
        (0.0243, "about +0.024"),
        (-0.31, "about -0.31"),
        (0.0, "about 0.00"),
    ],
)
def test_expected_effect_is_rough(difference: float, text: str) -> None:
    assert words.in_use(Expected(difference=difference, answers=4)) == text


def test_expected_effect_says_what_it_is_learned_from() -> None:
    one, many = (words.drawn(Expected(difference=0.1, answers=n)) for n in (1, 7))

    assert one == "drawn towards 0 by what 1 earlier candidate was worth"
    assert many == "drawn towards 0 by what 7 earlier candidates were worth"
