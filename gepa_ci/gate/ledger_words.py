"""Owns what is told about the ledger: how much of a held-out set is used up, and what to do."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING

from gepa_ci.core.ledger import LedgerMode
from gepa_ci.gate.ledger_history import moment
from gepa_ci.gate.ledger_levels import tests_left
from gepa_ci.gate.wording import number

if TYPE_CHECKING:
    from gepa_ci.core.ledger import LedgerPolicy, LedgerState, Question
    from gepa_ci.gate.ledger_history import History

_ROUNDING = 1e-9
_NAMES = {LedgerMode.LORD: "LORD++", LedgerMode.ELOND: "e-LOND", LedgerMode.STRICT: "strict"}


def worn_out(history: History, policy: LedgerPolicy, level: float, at: str) -> str | None:
    """Return why no further question is allowed, or None while one is."""
    if policy.mode is LedgerMode.NONE:
        return None
    if level <= 0.0:
        if policy.mode is not LedgerMode.BUDGET:
            return "The held-out examples were asked so often that no level is left to test at."
        return (
            f"The held-out examples are used up: the candidates that they judged may by now have "
            f"brought {number(history.spent)} false promotions on average, and "
            f"{number(policy.budget)} are allowed."
        )
    promotions = history.own.promotions + history.inherited_promotions
    # By halves, or one example more would undo a whole promotion.
    if promotions >= policy.refresh_promotions - 0.5:
        return (
            f"The held-out examples are worn out: {times(round(promotions), 'promotion')} came of "
            f"them, and after {policy.refresh_promotions} the prompt is fitted to them."
        )
    if history.first_use is None:
        return None
    days = (moment(at) - moment(history.first_use)).days
    if days < policy.refresh_days:
        return None
    return (
        f"The held-out examples are worn out: candidates have been judged by them for "
        f"{times(days, 'day')}, and {policy.refresh_days} are allowed."
    )


def what_to_do(question: Question, policy: LedgerPolicy, state: LedgerState) -> tuple[str, ...]:
    """Return the reasons of a refusal. Whoever calls has seen that the state is worn."""
    advice = (
        f"Renew them with `gepa-ci suite refresh {shlex.quote(question.task)}`: those in use "
        f"become examples to optimize on, and new ones take their place."
    )
    reasons = [str(state.worn), advice]
    have = len(set(question.examples))
    if state.spent is not None and state.left is not None and policy.budget > question.alpha:
        more = math.ceil(have * (state.spent / (policy.budget - question.alpha) - 1) - _ROUNDING)
        if more > 0 and state.left < question.alpha:
            what = "example" if more == 1 else "examples"
            reasons.append(
                f"Or add held-out examples: {more} more {what} would allow another question."
            )
    return tuple(reasons)


def summary(
    history: History, policy: LedgerPolicy, question: Question, level: float, *, worn: str | None
) -> str:
    """Return one finished sentence about what the held-out set was used for."""
    if policy.mode is LedgerMode.NONE:
        return "No record is kept of how often the held-out examples are asked."
    uses, promotions = len(history.own.uses), history.own.promotions
    text = f"The held-out examples have judged {times(uses, 'candidate')}"
    text += f", {promotions} of them promoted" if promotions else ""
    if history.others:
        text += (
            f", and those that other versions of the set had before count as "
            f"{history.inherited_uses:.3g} more"
        )
    if policy.mode is not LedgerMode.BUDGET:
        after = "nothing more can be asked" if worn else f"the next is tested at {level:.2g}"
        return f"{text}; {after} ({_NAMES[policy.mode]})."
    left = 0 if worn else tests_left(history, policy, question.alpha)
    return (
        f"{text}; {number(min(history.spent, policy.budget))} of {number(policy.budget)} expected "
        f"false promotions are spent, which leaves {times(left or 0, 'question')}."
    )


def times(count: int, what: str) -> str:
    """Write a number of things."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
