"""Owns the comparison of two prompts on the examples of each tag: reported, never blocking."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gepa_ci.core.comparison import Interval, Slice
from gepa_ci.gate.adjust import benjamini_hochberg
from gepa_ci.gate.bounds import plus_two
from gepa_ci.gate.guard_wording import p_value
from gepa_ci.gate.pairing import pair
from gepa_ci.gate.signflip import sign_flip
from gepa_ci.gate.wording import number

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from gepa_ci.gate.pairing import Pairs

MIN_SLICE = 10
"""Fewer examples than this say nothing about a tag."""
MOST_SLICES = 200
"""Tags that are looked at, the most frequent ones."""

_LONGEST_TAG = 60
_COARSER = ((1000, 60), (200, 120))
"""Examples above which differences are rounded to fewer points, as there may be 200 such tests."""


def slices(
    base: ArrayLike,
    candidate: ArrayLike,
    tags: Sequence[Sequence[str]],
    *,
    alpha: float = 0.05,
    groups: Sequence[Hashable] | None = None,
    weights: ArrayLike | None = None,
) -> tuple[Slice, ...]:
    """Compare two prompts on the examples of each tag that has enough of them.

    Scores are arrays of n examples by K trials, NaN where a call brought no score. The likeliest
    loss comes first. The p values are adjusted for the number of slices (Benjamini and Hochberg
    1995), so about one in 1/alpha of the flagged slices is flagged by chance.

    Raises:
        ValueError: the arrays, tags, groups or weights do not fit together.
    """
    before, after = (_rows(scores) for scores in (base, candidate))
    if len(tags) != len(before):
        raise ValueError(f"tags must be of {len(before)} examples, not {len(tags)}")
    weight = None if weights is None else np.asarray(weights, dtype=np.float64)
    found = []
    for tag, places in _most_frequent(tags):
        pairs = pair(
            before[places],
            after[places],
            groups=None if groups is None else [groups[place] for place in places],
            weights=None if weight is None else weight[places],
        )
        if pairs.n >= MIN_SLICE:
            found.append(_slice(tag, pairs, alpha))
    adjusted = benjamini_hochberg([item.p_worse for item in found])
    judged = [_judged(item, p, alpha) for item, p in zip(found, adjusted, strict=True)]
    return tuple(sorted(judged, key=lambda item: (item.adjusted_p, item.p_worse, item.tag)))


def _rows(scores: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(scores, dtype=np.float64)
    return array[:, np.newaxis] if array.ndim == 1 else array


def _most_frequent(tags: Sequence[Sequence[str]]) -> list[tuple[str, list[int]]]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(tags):
        for tag in dict.fromkeys(row):
            places[tag].append(place)
    frequent = [(tag, rows) for tag, rows in places.items() if len(rows) >= MIN_SLICE]
    return sorted(frequent, key=lambda item: (-len(item[1]), item[0]))[:MOST_SLICES]


def _slice(tag: str, pairs: Pairs, alpha: float) -> Slice:
    lattice = next((points for most, points in _COARSER if pairs.n > most), pairs.lattice)
    test = sign_flip(pairs.differences * pairs.weights, pairs.groups, lattice=lattice)
    moments = plus_two(pairs.units)
    return Slice(
        tag=tag,
        n=pairs.n,
        baseline_mean=pairs.baseline_mean,
        candidate_mean=pairs.candidate_mean,
        difference=pairs.candidate_mean - pairs.baseline_mean,
        interval=Interval(
            low=moments.lower(alpha), high=moments.upper(alpha), level=1.0 - 2.0 * alpha
        ),
        p_worse=test.worse_mid,
        adjusted_p=1.0,
        flagged=False,
    )


def _judged(item: Slice, adjusted_p: float, alpha: float) -> Slice:
    flagged = adjusted_p <= alpha
    return replace(
        item,
        adjusted_p=adjusted_p,
        flagged=flagged,
        sentence=_sentence(item, adjusted_p) if flagged else "",
    )


def _sentence(item: Slice, adjusted_p: float) -> str:
    tag = item.tag if len(item.tag) <= _LONGEST_TAG else f"{item.tag[:_LONGEST_TAG]}…"
    return (
        f"On the {item.n} examples tagged '{tag}' the candidate looks worse: the mean score went "
        f"from {number(item.baseline_mean)} to {number(item.candidate_mean)} "
        f"({p_value(adjusted_p)}, adjusted for the number of tags). This does not block."
    )
