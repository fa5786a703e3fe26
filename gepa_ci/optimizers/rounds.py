"""Owns what a round of the search is made of: how many proposals, from what, and which go on."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.optimizers.budget import MetricCalls
    from gepa_ci.optimizers.lessons import Lessons
    from gepa_ci.optimizers.workbench import Workbench

# Where nothing can be put together, so many single proposals go on to val.
_SINGLES = 2
# The least share of its members' gains that a combination keeps when they are not in each other's
# way. The gains themselves are flattered: proposals were taken because they gained.
_STANDS = 0.5
_FEWEST = 2


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
    lessons: Lessons | None
    """What train has shown, where proposals of one round are put together."""

    @property
    def affordable(self) -> int:
        """Return how many proposals can be tried, with one of them going on to val."""
        left = self.calls.limit - self.calls.used - self.val
        return min(self.proposals, max(0, left // (2 * self.minibatch)))

    def sample_tasks(self, state: Any, selector: Any, sampler: Any, trainset: Any) -> list[Any]:
        """Return as many pairs of parent and minibatch as can be carried to the end."""
        from gepa.strategies.proposal_sampling import IndependentSampling

        count = max(1, self.affordable)
        if self.lessons is not None:
            found = self._taught(self.lessons, state, selector, trainset, count=count)
            # A parent that fails nothing leaves the draw to GEPA: it may be another one's turn.
            if found:
                return found
        tasks: list[Any] = IndependentSampling(count).sample_tasks(
            state, selector, sampler, trainset
        )
        return tasks

    def _taught(
        self, lessons: Lessons, state: Any, selector: Any, trainset: Any, *, count: int
    ) -> list[Any]:
        """Return one parent with several minibatches: its children can be put together."""
        from gepa.strategies.proposal_sampling import ProposalTask

        number = selector.select_candidate_idx(state)
        parent = state.program_candidates[number]
        batches = lessons.minibatches(
            parent, count=count, val_mean=state.program_full_scores_val_set[number]
        )
        return [ProposalTask(number, parent, ids, trainset.fetch(ids)) for ids in batches]


@dataclass(slots=True, kw_only=True)
class Selection:
    """Which proposals of a round go on to val, as many as the budget can carry; GEPA's strategy."""

    strategy: str
    """`combined`, `all_improvements` or `best_improvement`."""
    size: RoundSize
    combine: Combine
    _wary: bool = False
    """Whether the last combination failed: the next has to stand on train before its val run."""

    def select(self, proposals: Sequence[Any], state: Any, criterion: Any) -> list[Any]:
        """Return the chosen proposals; those that gained most when not all can be paid for."""
        better = [p for p in proposals if criterion.should_accept(p, state)]
        ranked = sorted(better, key=_gain, reverse=True)
        calls = self.size.calls
        kept = ranked[: max(1, (calls.limit - calls.used) // self.size.val)]
        if self.strategy == "best_improvement":
            kept = kept[:1]
        if self.size.lessons is not None:
            _note(self.size.lessons, proposals, state)
            family = _largest_family(ranked)
            kept = self._combined(self.size.lessons, family, state) or kept[:_SINGLES]
        return [proposal for proposal in proposals if any(proposal is one for one in kept)]

    def _combined(self, lessons: Lessons, family: Sequence[Any], state: Any) -> list[Any]:
        """Return what goes on to val in place of a family; nothing when it cannot be combined."""
        if len(family) < _FEWEST:
            return []
        parent = family[0].parent_program_ids[0]
        before = state.program_candidates[parent]
        texts = self.combine(before, [proposal.candidate for proposal in family])
        if texts is None:
            return []
        best, bench = family[0], lessons.bench
        mean = state.program_full_scores_val_set[parent]
        texts = self._standing(lessons, before, texts, family, val_mean=mean)
        if texts is None:
            return [best]
        # GEPA takes only its own objects, so the combination stands in the weakest one's.
        holder = next((p for p in family if p.candidate == texts), family[-1])
        holder.candidate = dict(texts)
        if _mean(bench, texts) > mean:
            return [holder]
        self._wary = True
        calls = self.size.calls
        return [holder, best] if calls.limit - calls.used >= self.size.val else [holder]

    def _standing(
        self,
        lessons: Lessons,
        parent: Mapping[str, str],
        whole: Mapping[str, str],
        family: Sequence[Any],
        *,
        val_mean: float,
    ) -> Mapping[str, str] | None:
        """Return the combination, or the part of it that stands when the whole does not."""
        numbers = list(dict.fromkeys(n for p in family for n in p.subsample_indices))
        val = lessons.bench.search.tuning.val
        wanted = self.size.proposals * self.size.minibatch
        ahead = [] if self._wary else lessons.ahead(whole, numbers, wanted=wanted)
        if not lessons.run([whole], [*numbers, *ahead], beside=() if self._wary else val):
            return whole
        before, after = lessons.total(parent, numbers), lessons.total(whole, numbers)
        stands = after - before >= _STANDS * sum(_gain(p) for p in family)
        gains = not self._wary and _mean(lessons.bench, whole) > val_mean
        if stands and (gains or self._wary):
            self._wary = False
            return whole
        self._wary = True
        # Some of it is in the way of the rest: either what lasted in company, or what did not.
        lasting = [p for p in family if lessons.total(whole, p.subsample_indices) >= _after(p)]
        others = [p for p in family if all(p is not one for one in lasting)]
        parts = [self._together(parent, group) for group in (lasting, others) if group]
        tried = [part for part in parts if part is not None and part != whole]
        most = max(before, after)
        if tried and lessons.run(tried, numbers):
            part = max(tried, key=lambda texts: lessons.total(texts, numbers))
            better = lessons.total(part, numbers) > most
            # Where both are known on val, val decides: it has more examples.
            if better and not (gains and _mean(lessons.bench, part) <= _mean(lessons.bench, whole)):
                return part
        return whole if gains else None

    def _together(
        self, parent: Mapping[str, str], group: Sequence[Any]
    ) -> Mapping[str, str] | None:
        if len(group) == 1:
            alone: Mapping[str, str] = group[0].candidate
            return alone
        return self.combine(parent, [proposal.candidate for proposal in group])


def _mean(bench: Workbench, texts: Mapping[str, str]) -> float:
    """Run a candidate on val, which GEPA need not pay for again."""
    (trials,) = bench.trials([(texts, bench.search.tuning.val)])
    return sum(trial.score.value for trial in trials) / len(trials)


def _note(lessons: Lessons, proposals: Sequence[Any], state: Any) -> None:
    for one in proposals:
        parent = state.program_candidates[one.parent_program_ids[0]]
        lessons.note(parent, one.subsample_indices, one.subsample_scores_before)
        lessons.note(one.candidate, one.subsample_indices, one.subsample_scores_after)


def _largest_family(proposals: Sequence[Any]) -> list[Any]:
    families: dict[tuple[int, ...], list[Any]] = {}
    for proposal in proposals:
        families.setdefault(tuple(proposal.parent_program_ids), []).append(proposal)
    return max(families.values(), key=len, default=[])


def _gain(proposal: Any) -> float:
    gain: float = sum(proposal.subsample_scores_after) - sum(proposal.subsample_scores_before)
    return gain


def _after(proposal: Any) -> float:
    total: float = sum(proposal.subsample_scores_after)
    return total
