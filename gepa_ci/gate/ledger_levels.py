"""Owns the level at which the next question to a held-out set is tested, one function a mode.

LORD++ is Ramdas, Yang, Wainwright and Jordan (2017), e-LOND is Xu and Ramdas (2024); both are run
by online-fdr. What is fed to them is not the p value but whether a promotion came of it, which may
only turn a rejection into none (a guard, the minimum gain) and so keeps their guarantees.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gepa_ci.core.ledger import LedgerMode

if TYPE_CHECKING:
    from gepa_ci.core.ledger import LedgerPolicy
    from gepa_ci.gate.ledger_history import History

FDR = 0.1
"""False discovery rate of the modes lord and elond."""
WEALTH = 0.05
"""What LORD++ may spend before its first promotion."""
CRUMB = 0.1
"""A rest of the budget below this part of a level buys no question."""

_SCALE = 0.07720838
"""Makes the weights of `weight` add up to 1."""
_SMALLEST = 1e-300
_ROUNDING = 1e-9
_CERTAIN = 1e300


def next_level(history: History, policy: LedgerPolicy, alpha: float) -> float:
    """Return the level of the next question: `alpha` at most, and 0 when there is none left."""
    if policy.mode is LedgerMode.NONE:
        return alpha
    if policy.mode is LedgerMode.BUDGET:
        return _of_the_rest(policy.budget - history.spent, alpha)
    if policy.mode is LedgerMode.STRICT:
        level = strict_level(alpha, *_counts(history))
    else:
        rule = lord_level if policy.mode is LedgerMode.LORD else elond_level
        level = rule(_outcomes(history))
    return min(level, alpha) if level >= _SMALLEST else 0.0


def tests_left(history: History, policy: LedgerPolicy, alpha: float) -> int | None:
    """Return how many questions the budget still buys; None where there is no budget."""
    if policy.mode is not LedgerMode.BUDGET:
        return None
    left = max(0.0, policy.budget - history.spent)
    whole = math.floor(left / alpha + _ROUNDING)
    return whole + (left - whole * alpha >= CRUMB * alpha)


def lord_level(outcomes: list[bool]) -> float:
    """Return LORD++'s level after tests that did or did not reject."""
    from online_fdr.p_values import LordPlusPlus

    procedure = LordPlusPlus(alpha=FDR, wealth=WEALTH)
    for rejected in outcomes:
        procedure.test_one(0.0 if rejected else 1.0)
    procedure.test_one(1.0)
    return float(procedure.last_test_level or 0.0)


def elond_level(outcomes: list[bool]) -> float:
    """Return e-LOND's level after tests that did or did not reject; it asks for e of 1 / level."""
    from online_fdr.e_values import ELond

    procedure = ELond(alpha=FDR)
    for rejected in outcomes:
        procedure.test_one(_CERTAIN if rejected else 0.0)
    procedure.test_one(0.0)
    return float(procedure.last_test_level or 0.0)


def strict_level(alpha: float, asked: int, promoted: int) -> float:
    """Return alpha, shared out over the questions and over the ways in which they could have gone.

    Whatever an optimizer makes of the verdicts, and of nothing else of the held-out set, each
    promotion (the first one, the second one, and so on) is false with probability alpha at most:
    the levels of all questions that could come after so many promotions add up to alpha.
    """
    ways = math.lgamma(asked + 1) - math.lgamma(promoted + 1) - math.lgamma(asked - promoted + 1)
    return math.exp(math.log(alpha * weight(asked + 1)) - ways)


def weight(number: int) -> float:
    """Return the share of all levels that the so-manieth test gets, as LORD++ has it."""
    log = math.log(max(number, 2))
    return _SCALE * log / (number * math.exp(math.sqrt(math.log(number))))


def _of_the_rest(left: float, alpha: float) -> float:
    if left >= alpha * (1 - _ROUNDING):
        return alpha
    return left if left >= CRUMB * alpha else 0.0


def _counts(history: History) -> tuple[int, int]:
    asked = len(history.own.uses) + math.ceil(history.inherited_uses - _ROUNDING)
    promoted = history.own.promotions + math.ceil(history.inherited_promotions - _ROUNDING)
    return asked, promoted


def _outcomes(history: History) -> list[bool]:
    # Inherited promotions bring no reward: they may rest on examples that are gone.
    earlier = math.ceil(history.inherited_uses - _ROUNDING)
    return [False] * earlier + [use.promoted for use in history.own.uses]
