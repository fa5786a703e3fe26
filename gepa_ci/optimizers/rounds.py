"""Owns how large a round of the search may be, so that what is started can be finished."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.optimizers.budget import MetricCalls


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSize:
    """How many proposals the rest of a budget can carry; GEPA's sampling strategy."""

    calls: MetricCalls
    proposals: int
    """Most proposals of a round."""
    minibatch: int
    """Metric calls of one side of a proposal."""
    val: int
    """Metric calls of one candidate on val."""

    @property
    def affordable(self) -> int:
        """Return how many proposals can be tried, with one of them going on to val."""
        left = self.calls.limit - self.calls.used - self.val
        return min(self.proposals, max(0, left // (2 * self.minibatch)))

    def sample_tasks(self, state: Any, selector: Any, sampler: Any, trainset: Any) -> list[Any]:
        """Return as many pairs of parent and minibatch as can be carried to the end."""
        from gepa.strategies.proposal_sampling import IndependentSampling

        sampling = IndependentSampling(max(1, self.affordable))
        tasks: list[Any] = sampling.sample_tasks(state, selector, sampler, trainset)
        return tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class AffordableSelection:
    """Another selection strategy's choice, cut to what the budget can carry on val."""

    choice: Any
    """GEPA's selection strategy."""
    size: RoundSize

    def select(self, proposals: Sequence[Any], state: Any, criterion: Any) -> list[Any]:
        """Return the chosen proposals; those that gained most when not all can be paid for."""
        chosen: list[Any] = self.choice.select(proposals, state, criterion)
        calls = self.size.calls
        room = max(1, (calls.limit - calls.used) // self.size.val)
        if len(chosen) <= room:
            return chosen
        kept = sorted(chosen, key=_gain, reverse=True)[:room]
        return [proposal for proposal in chosen if any(proposal is one for one in kept)]


def _gain(proposal: Any) -> float:
    gain: float = sum(proposal.subsample_scores_after) - sum(proposal.subsample_scores_before)
    return gain
