from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gepa_ci.gate import compare
from gepa_ci.gate.wording import chance, change, number, rate, things

if TYPE_CHECKING:
    from gepa_ci.core.comparison import Comparison


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.50"), (0.123, "0.123"), (1.0, "1.00"), (0.0996, "0.10")]
)
def test_numbers_have_two_decimals_or_three(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.012, "in 1.2% of runs (p = 0.012)"),
        (1.0, "in 100% of runs (p = 1)"),
        (0.0002, "in fewer than 0.1% of runs (p < 0.001)"),
    ],
)
def test_a_p_value_is_a_share_of_runs(value: float, text: str) -> None:
    assert chance(value) == text


def test_rates_are_percent() -> None:
    assert (rate(0.95), rate(0.999)) == ("95%", "99.9%")


@pytest.mark.parametrize(
    ("comparison", "text"),
    [
        (compare([1.0], [1.0]), "1 example"),
        (compare([1.0] * 3, [1.0] * 3), "3 examples"),
        (compare([1.0] * 3, [1.0] * 3, groups=["a", "a", "a"]), "3 examples in 1 group"),
        (compare([1.0] * 3, [1.0] * 3, groups=["a", "b", "a"]), "3 examples in 2 groups"),
    ],
)
def test_examples_and_groups_are_counted(comparison: Comparison, text: str) -> None:
    assert things(comparison, comparison.n) == text


def test_a_change_tells_means_and_counts() -> None:
    assert change(compare([1.0, 0.0, 1.0], [0.0, 0.0, 1.0])) == (
        "the mean score went from 0.667 to 0.333 (-0.333) over 3 examples, "
        "0 better, 1 worse and 2 equal"
    )
