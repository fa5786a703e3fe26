"""Owns the optimizer `gepa`: GEPA's search over the literal text of prompt files.

The adapter is ours, so that the text that is scored is the text that is in the file. Budgets are
exact because a batch is refused before it is run; a run that stops for any reason keeps its best.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.optimizers.gepa_adapter import Adapter
from gepa_ci.optimizers.rounds import Minibatches, Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.suite import Example
    from gepa_ci.optimizers.workbench import Workbench


def run(bench: Workbench) -> str:
    """Run the search, and return why it ended as a finished sentence.

    Raises:
        BudgetReached: there was no room for another step.
        FailedSearch: a call or the user's code failed.
    """
    import gepa

    search, adapter = bench.search, Adapter(bench)
    policy = search.policy
    gepa.optimize(
        seed_candidate=bench.start,
        trainset=_Loader(search.tuning.train, first=0),
        valset=_Loader(search.tuning.val, first=len(search.tuning.train)),
        adapter=adapter,
        reflection_strategy=adapter,
        candidate_selection_strategy=policy.candidate_selection_strategy,
        frontier_type=policy.frontier_type,
        skip_perfect_score=policy.skip_perfect_score,
        batch_sampler=Minibatches(size=adapter.size.minibatch, seed=policy.seed),
        module_selector=policy.component_selector,
        use_merge=adapter.merges,
        max_merge_invocations=policy.max_merge_invocations,
        stop_callbacks=[adapter.should_stop],
        logger=_Silence(),
        callbacks=[adapter],
        track_best_outputs=False,
        cache_evaluation=False,
        seed=policy.seed,
        raise_on_exception=True,
        acceptance_criterion=policy.acceptance,
        sampling_strategy=adapter,
        selection_strategy=Selection(
            strategy=policy.selection_strategy, size=adapter.size, combine=adapter.combine
        ),
    )
    return adapter.stop_reason


class _Silence:
    """GEPA's log would print prompts and outputs on stdout."""

    def log(self, message: str) -> None:
        """Drop a message."""


class _Loader:
    """Examples under numbers that the two parts do not share: GEPA's own count from 0 in both.

    GEPA's merge draws from sets of ids, whose order changes from process to process for strings.
    """

    def __init__(self, examples: Sequence[Example], *, first: int) -> None:
        self._examples = dict(enumerate(examples, first))

    def all_ids(self) -> list[int]:
        """Return the numbers in suite order."""
        return list(self._examples)

    def fetch(self, ids: Sequence[int]) -> list[Example]:
        """Return the examples of some numbers."""
        return [self._examples[number] for number in ids]

    def __len__(self) -> int:
        return len(self._examples)
