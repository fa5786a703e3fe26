"""Owns the metric numeric: the number in the output is the expected one, within a tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gepa_ci.core.score import Score
from gepa_ci.errors import Problem
from gepa_ci.metrics.feedback import kind, quote, shown
from gepa_ci.metrics.metric import BuiltIn, Option
from gepa_ci.metrics.number_text import find_numbers, is_power_of_ten_off, read_number, within

if TYPE_CHECKING:
    from decimal import Decimal

    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    """Compares numbers."""

    tolerance: float = 0.0
    relative_tolerance: float = 0.0
    which: Literal["last", "first", "only"] = "last"
    decimal: Literal[".", ","] = "."

    @property
    def needs_expected(self) -> bool:
        """Return True: the label is the number."""
        return True

    def label_problem(self, expected: JSON) -> Problem | None:
        """Return a problem when the label is not a number or a text with exactly one."""
        if read_number(expected, self.decimal) is not None:
            return None
        return Problem(
            message=f"is not a number but the {kind(expected)} {shown(expected)}",
            hint="give a number, or a text that holds exactly one number",
        )

    def score(self, example: Example, output: str) -> Score:
        """Return 1 when the number is near enough."""
        expected = read_number(example.expected, self.decimal)
        wanted = f"Expected the number {shown(example.expected)}"
        found = find_numbers(output, self.decimal)
        if not found or expected is None:
            reason = "which is empty" if not output.strip() else "which holds no number"
            return Score(value=0.0, feedback=f"{wanted}, got {quote(output)}, {reason}.")
        if self.which == "only" and len(found) > 1:
            return Score(
                value=0.0,
                feedback=f"{wanted}, got {quote(output)}, which holds {len(found)} numbers: "
                "write only the answer.",
            )
        got = found[0] if self.which == "first" else found[-1]
        if self._near(expected, got):
            return Score(value=1.0, feedback=f"Correct: {_number(got)}.")
        return Score(
            value=0.0,
            feedback=f"{wanted}{self._allowance()}, got {_number(got)} from {quote(output)}. "
            f"{self._reason(expected, got, found)}",
        )

    def _near(self, expected: Decimal, got: Decimal) -> bool:
        return within(expected, got, tolerance=self.tolerance, relative=self.relative_tolerance)

    def _allowance(self) -> str:
        if self.relative_tolerance:
            return f" within {self.relative_tolerance:g} of its size"
        return f" within {self.tolerance:g}" if self.tolerance else ""

    def _reason(self, expected: Decimal, got: Decimal, found: list[Decimal]) -> str:
        if any(self._near(expected, number) for number in found):
            return (
                f"The right number is in the output, but the {self.which} number is what is read: "
                "write the answer there, and nothing else."
            )
        if expected == got.copy_negate():
            return "The sign is wrong."
        if is_power_of_ten_off(expected, got):
            return "It is off by a power of ten: check the unit, per cent and the decimal point."
        return "The number itself is wrong."


def _number(number: Decimal) -> str:
    return quote(str(number), 60)


NUMERIC = BuiltIn(
    name="numeric",
    description="1 when the last number in the output is the expected one, within a tolerance.",
    make=Numeric,
    options=(
        Option(
            name="tolerance",
            schema={"type": "number", "minimum": 0},
            default=0.0,
            description="largest difference that still counts as equal",
        ),
        Option(
            name="relative_tolerance",
            schema={"type": "number", "minimum": 0},
            default=0.0,
            description="the same as a share of the expected number, such as 0.01",
        ),
        Option(
            name="which",
            schema={"type": "string", "enum": ["last", "first", "only"]},
            default="last",
            description="which number of the output is the answer; only: there must be just one",
        ),
        Option(
            name="decimal",
            schema={"type": "string", "enum": [".", ","]},
            default=".",
            description="the decimal mark; the other one then separates thousands",
        ),
    ),
)
