"""Owns reading numbers out of text: signs, thousands separators, decimal comma, exponents."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, Overflow, localcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON

_SPACES = "\u00a0\u202f\u2009"


def _pattern(point: str, thousands: str) -> re.Pattern[str]:
    # A sign counts only where no word, number or closing bracket ends: '10-5' holds 10 and 5.
    # Money has its mark after the sign: '-$5'.
    # The same separator throughout, and three digits a group: '1,2,3' holds three numbers.
    return re.compile(
        rf"(?:(?<![\w)\]])(?P<sign>[-+\u2212\u2013])[$\u20ac\u00a3\u00a5]?)?"
        rf"(?P<digits>(?<!\d)\d{{1,3}}(?:(?P<group>[{thousands}_'\u2019{_SPACES}])\d{{3}})"
        rf"(?:(?P=group)\d{{3}})*(?!\d)|\d+)?"
        rf"(?P<fraction>{point}\d+)?"
        rf"(?P<exponent>(?<=\d)[eE][-+]?\d{{1,4}}(?!\w))?"
    )


_POINT = _pattern(r"\.", ",")
_COMMA = _pattern(",", r"\.")


def find_numbers(text: str, decimal: str = ".") -> list[Decimal]:
    """Return the numbers in a text, in their order; `decimal` is '.' or ','."""
    pattern = _POINT if decimal == "." else _COMMA
    found = []
    for match in pattern.finditer(text):
        digits, fraction = match["digits"], match["fraction"]
        if digits is None and fraction is None:
            continue
        sign = "" if match["sign"] in (None, "+") else "-"
        whole = "".join(character for character in digits or "0" if character.isdigit())
        part = "" if fraction is None else f".{fraction[1:]}"
        found.append(Decimal(f"{sign}{whole}{part}{match['exponent'] or ''}"))
    return found


def read_number(value: JSON, decimal: str = ".") -> Decimal | None:
    """Return the number that a value is, or that its text holds as the only one, else None."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        # The shortest decimal of a float is what its author wrote.
        number = Decimal(value) if isinstance(value, int) else Decimal(repr(value))
        return number if number.is_finite() else None
    if isinstance(value, str):
        found = find_numbers(unicodedata.normalize("NFC", value), decimal)
        return found[0] if len(found) == 1 else None
    return None


def is_power_of_ten_off(expected: Decimal, got: Decimal) -> bool:
    """Return whether one number is the other times 10, 100 and so on."""
    if not expected or not got:
        return False
    with localcontext() as context:
        context.traps[Overflow] = False
        return (expected / got).normalize().as_tuple().digits == (1,)


def within(expected: Decimal, got: Decimal, *, tolerance: float, relative: float) -> bool:
    """Return whether two numbers differ by no more than either tolerance."""
    if expected == got:
        return True
    with localcontext() as context:
        context.traps[Overflow] = False
        context.prec = 60
        allowed = max(Decimal(repr(tolerance)), Decimal(repr(relative)) * abs(expected))
        distance = abs(expected - got)
        return distance.is_finite() and distance <= allowed
