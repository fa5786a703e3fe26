"""Owns the statistics of every verdict: pure functions from arrays of scores to decisions."""

from gepa_ci.gate.bounds import planned_mde
from gepa_ci.gate.evidence import compare
from gepa_ci.gate.promotion_gate import (
    CONFIRM_TRIALS,
    SCREEN_LEVEL,
    confirm_on_screen,
    held_out_screen,
    promotion,
    val_screen,
)
from gepa_ci.gate.regression_gate import MIN_UNITS, auto_margin, regression

__all__ = [
    "CONFIRM_TRIALS",
    "MIN_UNITS",
    "SCREEN_LEVEL",
    "auto_margin",
    "compare",
    "confirm_on_screen",
    "held_out_screen",
    "planned_mde",
    "promotion",
    "regression",
    "val_screen",
]
