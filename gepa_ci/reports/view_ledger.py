"""Owns the way from a task of a result document to what its ledger says in the view model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.core.ledger import LedgerMode
from gepa_ci.core.verdict import Promotion
from gepa_ci.reports.report import Expected

if TYPE_CHECKING:
    from gepa_ci.reports.reader import Node


def ledger_of(task: Node) -> str:
    """Return how much of the held-out set is used up; empty where no ledger is kept."""
    node = task.maybe("ledger")
    if node is None:
        return ""
    mode, summary = node["mode"].text(), node["summary"].text()
    return "" if mode == LedgerMode.NONE else summary


def expected_of(task: Node, verdict: str | None) -> Expected | None:
    """Return the effect to expect in use of a candidate that was promoted."""
    node = task.maybe("shrunk")
    if node is None:
        return None
    found = Expected(difference=node["difference"].number(), answers=node["answers"].whole())
    # What is held is not used, so there is nothing to expect of it.
    return found if verdict == Promotion.PROMOTE else None
