"""Owns the way from a task of a result document to what its ledger says in the view model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.core.ledger import LedgerMode
from gepa_ci.core.verdict import Promotion
from gepa_ci.reports.view.model import Expected, Ledger

if TYPE_CHECKING:
    from gepa_ci.reports.reader import Node


def ledger_of(task: Node) -> Ledger | None:
    """Return how much of the held-out set is used up; None where no ledger is kept."""
    node = task.maybe("ledger")
    if node is None or node["mode"].text() == LedgerMode.NONE:
        return None
    budget, left = node.maybe("budget"), node.maybe("left")
    tests_left, worn = node.maybe("tests_left"), node.maybe("worn")
    return Ledger(
        mode=node["mode"].text(),
        uses=node["uses"].whole(),
        promotions=node["promotions"].whole(),
        budget=None if budget is None else budget.number(),
        left=None if left is None else left.number(),
        tests_left=None if tests_left is None else tests_left.whole(),
        worn="" if worn is None else worn.text(),
        summary=node["summary"].text(),
    )


def expected_of(task: Node, verdict: str | None) -> Expected | None:
    """Return the effect to expect in use of a candidate that was promoted."""
    node = task.maybe("shrunk")
    if node is None:
        return None
    found = Expected(difference=node["difference"].number(), answers=node["answers"].whole())
    # What is held is not used, so there is nothing to expect of it.
    return found if verdict == Promotion.PROMOTE else None
