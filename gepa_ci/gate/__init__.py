"""Owns the statistics of every verdict: pure functions from arrays of scores to decisions."""

from gepa_ci.gate.bounds import planned_mde
from gepa_ci.gate.evalues import e_value, held_without_evidence
from gepa_ci.gate.evidence import compare
from gepa_ci.gate.guard_record import Guard
from gepa_ci.gate.guards import GuardedRegression, guards_hold
from gepa_ci.gate.ledger import (
    Exhausted,
    Granted,
    Known,
    close_question,
    ledger_state,
    open_question,
    worn_reasons,
)
from gepa_ci.gate.promotion_gate import (
    CONFIRM_TRIALS,
    SCREEN_LEVEL,
    held_out_screen,
    on_screen,
    promotion,
    val_screen,
)
from gepa_ci.gate.regression_gate import MIN_UNITS, auto_margin, regression
from gepa_ci.gate.sequential import SequentialPromotion, SequentialRegression
from gepa_ci.gate.shrinkage import shrunk
from gepa_ci.gate.slices import slices

__all__ = [
    "CONFIRM_TRIALS",
    "MIN_UNITS",
    "SCREEN_LEVEL",
    "Exhausted",
    "Granted",
    "Guard",
    "GuardedRegression",
    "Known",
    "SequentialPromotion",
    "SequentialRegression",
    "auto_margin",
    "close_question",
    "compare",
    "e_value",
    "guards_hold",
    "held_out_screen",
    "held_without_evidence",
    "ledger_state",
    "on_screen",
    "open_question",
    "planned_mde",
    "promotion",
    "regression",
    "shrunk",
    "slices",
    "val_screen",
    "worn_reasons",
]
