from __future__ import annotations

from decimal import Decimal

import pytest

from gepa_ci.metrics.number_text import find_numbers, is_power_of_ten_off, read_number, within


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,234,567.89", ["1234567.89"]),
        ("1,2,3", ["1", "2", "3"]),
        ("1234,567", ["1234", "567"]),
        ("1,2345", ["1", "2345"]),
        ("12 345", ["12", "345"]),
        ("12\u202f345", ["12345"]),
        ("1'234.5 and 1_000", ["1234.5", "1000"]),
        ("10-5", ["10", "5"]),
        ("a-17", ["17"]),
        ("(-5) -6 \u22127", ["-5", "-6", "-7"]),
        ("[1,-5]", ["1", "-5"]),
        ("+5 -$3.50", ["5", "-3.50"]),
        (".5 and 5.", ["0.5", "5"]),
        ("1e3 2E-2 3em 4ex", ["1E+3", "0.02", "3", "4"]),
        ("50%", ["50"]),
        ("\u0661\u0662", ["12"]),
        ("none - at all", []),
    ],
)
def test_numbers_are_found_with_sign_separators_and_exponent(text: str, found: list[str]) -> None:
    assert find_numbers(text) == [Decimal(number) for number in found]


def test_a_decimal_comma_makes_the_full_stop_a_separator() -> None:
    assert find_numbers("1.234,5 und 2.5", ",") == [Decimal("1234.5"), Decimal(2), Decimal(5)]


def test_a_float_is_read_as_it_was_written() -> None:
    assert read_number(0.1) == Decimal("0.1")


def test_a_list_is_no_number() -> None:
    assert read_number([1]) is None


def test_distance_within_either_tolerance_is_near() -> None:
    ten = Decimal(10)

    assert within(ten, Decimal(11), tolerance=1, relative=0)
    assert within(ten, Decimal(11), tolerance=0, relative=0.1)
    assert not within(ten, Decimal("11.1"), tolerance=1, relative=0.1)


def test_zero_is_no_power_of_ten_of_anything() -> None:
    assert not is_power_of_ten_off(Decimal(0), Decimal(10))
