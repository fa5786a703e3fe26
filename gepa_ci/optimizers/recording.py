"""Owns the record of a candidate in a search that is not GEPA's own, and whether that was all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.core.optimization import Origin
from gepa_ci.optimizers.endings import Enough

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.optimization import CandidateRecord
    from gepa_ci.optimizers.workbench import Workbench


def begin(bench: Workbench) -> None:
    """Score the baseline on val, where no step before has done so.

    Raises:
        BudgetReached: the budget has no room for it.
        FailedSearch: a call or the user's code failed.
        Enough: nothing can be better than it.
    """
    if not bench.records:
        bench.record(bench.baseline, origin=Origin.BASELINE)
    _end(bench)


def keep(
    bench: Workbench,
    texts: Mapping[str, str],
    *,
    origin: Origin,
    parents: Sequence[int],
    examples: Sequence[str] = (),
    ends: bool = True,
) -> CandidateRecord:
    """Score a candidate on val and record it, once; `ends` lets that be the end of the search.

    Raises:
        BudgetReached: the budget has no room for it.
        FailedSearch: a call or the user's code failed.
        Enough: there is no reason to look for a better one.
    """
    if (known := bench.recorded(texts)) is not None:
        return known
    before = bench.best
    record = bench.record(texts, origin=origin, parents=parents, examples=examples)
    if before is None or (record.val_mean or 0.0) > (before.val_mean or 0.0):
        bench.stoppers.since_best = 0
    if ends:
        _end(bench)
    return record


def _end(bench: Workbench) -> None:
    reason = bench.stoppers.round(
        bench.best, accepted=bench.accepted, proposals=bench.proposals, fruitful=True
    )
    if reason is not None:
        raise Enough(reason)
