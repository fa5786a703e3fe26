"""Owns when a held-out set may be asked, at which level, and when it is worn out.

A question is written down before the held-out examples see its candidate, so that a run which is
killed has used them. The same question asked again gets the answer that it got; one that was not
answered goes on at its own level, without a second charge.

A version is worn out by the first of three: its budget is spent (mode budget), it has promoted
`refresh_promotions` times, or it is `refresh_days` old. The budget bounds the false promotions. The
other two bound what no level can: with each promotion, and with time, the prompt grows towards
these very examples, and the score on them says less of those to come. All three refuse, as a
warning that is free to ignore would be; a team that disagrees raises the limit in its config.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gepa_ci.core.ledger import Answer, Entry, EntryKind, LedgerMode, LedgerState
from gepa_ci.gate.ledger_history import (
    EMPTY,
    closing,
    history_of,
    moment,
    new_members,
    opening,
)
from gepa_ci.gate.ledger_levels import next_level, tests_left
from gepa_ci.gate.ledger_words import summary, what_to_do, worn_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.ledger import Book, LedgerPolicy, Question

_MOST_EVIDENCE = 1e9
"""Beyond this an e-value says nothing more, and a record need not keep it."""
_LONGEST_REASON = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The held-out set may be asked."""

    alpha: float
    """Level of the confirm test."""
    state: LedgerState
    """With this question counted."""
    needs_e: float | None = None
    """E-value that a promotion has to reach as well; None where the test alone decides."""
    resumed: bool = False
    """Whether an earlier run opened this question and did not come to an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The same question was answered before, and there is no second draw."""

    answer: Answer
    at: str
    """When it was answered."""
    state: LedgerState


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhausted:
    """The held-out set is worn out."""

    reasons: tuple[str, ...]
    """Finished sentences: why, and what to do."""
    state: LedgerState


def open_question(
    book: Book, question: Question, policy: LedgerPolicy, *, at: str
) -> Granted | Known | Exhausted:
    """Ask for leave to show a candidate to the held-out examples, and write down that it is shown.

    Raises:
        ValueError: `at` is not a time in ISO form with its zone.
    """
    moment(at)
    if policy.mode is LedgerMode.NONE:
        return Granted(alpha=question.alpha, state=ledger_state((), question, policy, at=at))

    def decide(entries: Sequence[Entry]) -> tuple[Granted | Known | Exhausted, Entry | None]:
        state = ledger_state(entries, question, policy, at=at)
        if (closed := closing(entries, question)) is not None:
            return Known(answer=_answer(closed), at=closed.at, state=state), None
        if (opened := opening(entries, question)) is not None:
            return _granted(opened.alpha, state, policy, resumed=True), None
        if state.worn is not None:
            return Exhausted(reasons=what_to_do(question, policy, state), state=state), None
        entry = _opened(entries, question, at=at, alpha=state.next_alpha)
        after = ledger_state([*entries, entry], question, policy, at=at)
        return _granted(entry.alpha, after, policy, resumed=False), entry

    return book.transact(decide)


def close_question(
    book: Book, question: Question, policy: LedgerPolicy, answer: Answer, *, at: str
) -> LedgerState:
    """Write down what a question brought. The first answer stands.

    A question whose calls failed has no answer: leave it open, and it is asked again for nothing.

    Raises:
        ValueError: a figure of the answer is not finite, or `at` is not a time with its zone.
    """
    moment(at)
    figures = (answer.p_value, answer.difference, answer.se)
    if not all(map(math.isfinite, figures)) or math.isnan(answer.e_value):
        raise ValueError(f"the answer has a figure that is not finite: {answer}")
    if policy.mode is LedgerMode.NONE:
        return ledger_state((), question, policy, at=at)

    def decide(entries: Sequence[Entry]) -> tuple[LedgerState, Entry | None]:
        if closing(entries, question) is not None:
            return ledger_state(entries, question, policy, at=at), None
        opened = opening(entries, question)
        alpha = question.alpha if opened is None else opened.alpha
        entry = _closed(_opened(entries, question, at=at, alpha=alpha), answer)
        return ledger_state([*entries, entry], question, policy, at=at), entry

    return book.transact(decide)


def worn_reasons(
    entries: Sequence[Entry], question: Question, policy: LedgerPolicy, *, at: str
) -> tuple[str, ...] | None:
    """Return why a held-out set may not be asked any more, and what to do; None while it may."""
    state = ledger_state(entries, question, policy, at=at)
    return None if state.worn is None else what_to_do(question, policy, state)


def ledger_state(
    entries: Sequence[Entry], question: Question, policy: LedgerPolicy, *, at: str
) -> LedgerState:
    """Return how much of a question's held-out set is used up; who asks does not matter."""
    is_kept = policy.mode is not LedgerMode.NONE
    history = history_of(entries, question) if is_kept else EMPTY
    has_budget = policy.mode is LedgerMode.BUDGET
    level = next_level(history, policy, question.alpha)
    worn = worn_out(history, policy, level, at)
    return LedgerState(
        mode=policy.mode,
        uses=len(history.own.uses),
        promotions=history.own.promotions,
        inherited=history.inherited_uses,
        budget=policy.budget if has_budget else None,
        spent=history.spent if has_budget else None,
        left=max(0.0, policy.budget - history.spent) if has_budget else None,
        next_alpha=0.0 if worn else level,
        tests_left=0 if worn else tests_left(history, policy, question.alpha),
        first_use=history.first_use,
        worn=worn,
        summary=summary(history, policy, question, level, worn=worn),
    )


def _granted(alpha: float, state: LedgerState, policy: LedgerPolicy, *, resumed: bool) -> Granted:
    needs_e = 1.0 / alpha if policy.mode is LedgerMode.ELOND else None
    return Granted(alpha=alpha, state=state, needs_e=needs_e, resumed=resumed)


def _opened(entries: Sequence[Entry], question: Question, *, at: str, alpha: float) -> Entry:
    return Entry(
        kind=EntryKind.OPENED,
        at=at,
        task=question.task,
        suite=question.suite,
        exam=question.exam,
        baseline=question.baseline,
        candidate=question.candidate,
        n=question.n,
        alpha=alpha,
        examples=new_members(entries, question),
        run=question.run,
    )


def _closed(entry: Entry, answer: Answer) -> Entry:
    return replace(
        entry,
        kind=EntryKind.CLOSED,
        stage=answer.stage,
        p=answer.p_value,
        e=min(answer.e_value, _MOST_EVIDENCE),
        decision=answer.decision,
        difference=answer.difference,
        se=answer.se,
        reasons=tuple(map(_plain, answer.reasons)),
        comparison=answer.comparison,
    )


def _plain(reason: str) -> str:
    """Return a sentence as one line that is not too long for a record."""
    return "".join(c if c.isprintable() else " " for c in reason)[:_LONGEST_REASON]


def _answer(closed: Entry) -> Answer:
    return Answer(
        decision=closed.decision or "",
        stage=closed.stage or "",
        p_value=1.0 if closed.p is None else closed.p,
        e_value=0.0 if closed.e is None else closed.e,
        difference=closed.difference or 0.0,
        se=closed.se or 0.0,
        reasons=closed.reasons,
        comparison=closed.comparison,
    )
