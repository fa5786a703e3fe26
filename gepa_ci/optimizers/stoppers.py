"""Owns what ends a search before its budget does: time, spend, counts, a score, or a hand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gepa_ci.optimizers.endings import Enough

if TYPE_CHECKING:
    from gepa_ci.core.optimization import CandidateRecord
    from gepa_ci.optimizers.search import Search

# A search whose proposals are all refused makes no metric calls on children; it must end all the
# same, and long before it has paid for the parents' minibatches with the whole budget.
FRUITLESS_ROUNDS = 20


class SecondInterrupt(KeyboardInterrupt):
    """Ctrl-C for the second time: nothing is waited for any more."""


class Stoppers:
    """Says when a search has to end; every reason is a finished sentence."""

    def __init__(self, search: Search) -> None:
        """Start the clock."""
        self._policy = search.policy
        self._spent, self._before = search.spent, search.spent()
        self._started = time.monotonic()
        self.since_best = 0
        """Rounds without a better candidate."""
        self._fruitless = 0

    def check(self) -> None:
        """Raise Enough where what is to come may not cost anything any more."""
        reason = self.overrun()
        if reason is not None:
            raise Enough(reason)

    def overrun(self) -> str | None:
        """Return why the search may cost no more, or None."""
        minutes, usd = self._policy.stop_after_minutes, self._policy.stop_at_usd
        if minutes is not None and time.monotonic() - self._started >= 60 * minutes:
            return f"The search has taken {minutes:g} minutes, after which it stops."
        if usd is None:
            return None
        spent = (self._spent() - self._before).usd
        if spent is None:
            return "A model without a known price was called, so `stop_at_usd` stops the search."
        return f"The search has spent ${usd:g}, at which it stops." if spent >= usd else None

    def round(
        self, best: CandidateRecord | None, *, accepted: int, proposals: int, fruitful: bool
    ) -> str | None:
        """Return why there is no further round, or None; called once before each.

        Args:
            best: The best candidate so far.
            accepted: Candidates besides the baseline that have reached val.
            proposals: Proposals made so far.
            fruitful: Whether the last round brought a proposal to try.
        """
        self._fruitless = 0 if fruitful else self._fruitless + 1
        policy = self._policy
        mean = 0.0 if best is None else best.val_mean or 0.0
        if mean >= 1.0:
            who = "A candidate" if accepted else "The baseline"
            return f"{who} has a perfect score on val."
        if policy.stop_at_score is not None and mean >= policy.stop_at_score:
            return f"The best val score reached {mean:.3f}, the score to stop at."
        if _reached(self.since_best, policy.stop_without_improvement):
            return f"No better candidate was found in {self.since_best} rounds."
        if _reached(proposals, policy.stop_after_proposals):
            return f"The search has made {proposals} proposals, after which it stops."
        if _reached(accepted, policy.stop_after_candidates):
            return f"So many candidates have reached val: {accepted}, at which it stops."
        if self._fruitless >= FRUITLESS_ROUNDS:
            return f"{FRUITLESS_ROUNDS} rounds in a row brought no proposal to try."
        reason = self.overrun()
        if reason is None:
            self.since_best += 1
        return reason


def _reached(count: int, limit: int | None) -> bool:
    return limit is not None and count >= limit
