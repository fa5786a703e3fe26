"""Owns what GEPA tells of its rounds when another adapter than ours is at work."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from gepa_ci.core.optimization import Origin
from gepa_ci.optimizers.recording import keep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from gepa_ci.optimizers.workbench import Workbench


class Rounds:
    """Callbacks and stopper of GEPA: candidates with their parents, and whether to go on."""

    def __init__(
        self,
        bench: Workbench,
        candidate: Callable[[Mapping[str, str]], dict[str, str]],
        *,
        records: bool = True,
        guarded: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Take GEPA's candidates for ours through `candidate`; record those scored on our val."""
        self.reason = ""
        """Why there is no further round, as a finished sentence; empty for none."""
        self._bench = bench
        self._candidate = candidate
        self._records = records
        self._guarded = guarded
        self._numbers: dict[int, int] = {}
        self._minibatch: tuple[str, ...] = ()
        self._used = -1

    def should_stop(self, state: Any) -> bool:
        """Say at the top of a round whether to stop."""
        del state
        bench = self._bench
        # GEPA counts what costs nothing too, so that its own budget is no end for us.
        fruitful, self._used = bench.calls.used > self._used, bench.calls.used
        reason = bench.stoppers.round(
            bench.best, accepted=bench.accepted, proposals=bench.proposals, fruitful=fruitful
        )
        self.reason = reason or ""
        return reason is not None

    def on_minibatch_sampled(self, event: Mapping[str, Any]) -> None:
        """Remember which train examples a proposal is made from."""
        if self._records:
            train = self._bench.search.tuning.train
            self._minibatch = tuple(train[number].id for number in event["minibatch_ids"])

    def on_valset_evaluated(self, event: Mapping[str, Any]) -> None:
        """Record a candidate with its parents."""
        if not self._records:
            return
        texts = self._candidate(event["candidate"])
        numbers = tuple(self._numbers[int(p)] for p in event["parent_ids"] if p is not None)
        with self._guarded():
            record = keep(
                self._bench,
                texts,
                origin=Origin.MERGE if len(numbers) > 1 else Origin.REFLECTION,
                parents=numbers,
                examples=self._minibatch if numbers else (),
                ends=False,
            )
        self._numbers[int(event["candidate_idx"])] = record.number
