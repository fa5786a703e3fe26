"""Owns what a round of the search is made of: how many proposals, from what, and which go on."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.optimizers.budget import MetricCalls

# The best single proposal goes on to val beside a combination: changes that help one by one can be
# in each other's way, and a search that has only the combination would have nothing then.
_BESIDES = 1


@dataclass(slots=True, kw_only=True)
class Minibatches:
    """Draws train examples so that all come up equally often; GEPA's batch sampler.

    GEPA's own counts rounds and not draws: with several proposals a round, the next round is shown
    almost the same minibatches, which its parents have learned from already.
    """

    size: int
    seed: int
    _rng: random.Random = field(init=False)
    _waiting: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Seed the order."""
        self._rng = random.Random(self.seed)  # noqa: S311 - nothing is kept secret by it

    def next_minibatch_ids(self, loader: Any, state: Any) -> list[Any]:
        """Return the ids of the next minibatch, none of them twice."""
        del state
        ids = list(loader.all_ids())
        while len(self._waiting) < self.size:
            # Those still waiting come first, and not once more in the same minibatch.
            fresh = [number for number in ids if number not in self._waiting]
            late = list(self._waiting)
            self._rng.shuffle(fresh)
            self._waiting += fresh
            self._rng.shuffle(late)
            self._waiting += late
        drawn, self._waiting = self._waiting[: self.size], self._waiting[self.size :]
        return drawn


class Combine(Protocol):
    """Puts proposals of one parent together, the best first; None where none can be."""

    def __call__(
        self, parent: Mapping[str, str], children: Sequence[Mapping[str, str]]
    ) -> Mapping[str, str] | None:
        """Return the texts of a candidate that has the changes of two children or more."""
        ...


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
class Selection:
    """Which proposals of a round go on to val, as many as the budget can carry; GEPA's strategy."""

    strategy: str
    """`combined`, `all_improvements` or `best_improvement`."""
    size: RoundSize
    combine: Combine

    def select(self, proposals: Sequence[Any], state: Any, criterion: Any) -> list[Any]:
        """Return the chosen proposals; those that gained most when not all can be paid for."""
        better = [p for p in proposals if criterion.should_accept(p, state)]
        ranked = sorted(better, key=_gain, reverse=True)
        calls = self.size.calls
        room = max(1, (calls.limit - calls.used) // self.size.val)
        if self.strategy == "best_improvement":
            room = 1
        if self.strategy == "combined":
            family = _largest_family(ranked)
            if len(family) > 1 and self._combined(family, state):
                # GEPA takes only its own objects, so the combination stands in the weakest one's.
                ranked = [family[-1], *(p for p in ranked if p is not family[-1])]
                room = min(room, 1 + _BESIDES)
        kept = ranked[:room]
        return [proposal for proposal in proposals if any(proposal is one for one in kept)]

    def _combined(self, family: Sequence[Any], state: Any) -> bool:
        parent = state.program_candidates[family[0].parent_program_ids[0]]
        texts = self.combine(parent, [proposal.candidate for proposal in family])
        if texts is None:
            return False
        family[-1].candidate = dict(texts)
        return True


def _largest_family(proposals: Sequence[Any]) -> list[Any]:
    families: dict[tuple[int, ...], list[Any]] = {}
    for proposal in proposals:
        families.setdefault(tuple(proposal.parent_program_ids), []).append(proposal)
    return max(families.values(), key=len, default=[])


def _gain(proposal: Any) -> float:
    gain: float = sum(proposal.subsample_scores_after) - sum(proposal.subsample_scores_before)
    return gain
