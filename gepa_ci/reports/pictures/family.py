"""Owns which candidates of a search are drawn, who descends from whom, and who is in which row."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from gepa_ci.reports.pictures.scale import tame

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from gepa_ci.reports.view.model_optimization import Candidate

MOST = 60
"""Candidates that are drawn."""
PER_ROW = 6
"""Candidates beside each other, so that their scores can be read on a phone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The candidates to draw, by their place in the order of arrival."""

    members: Mapping[int, Candidate]
    """By place; the baseline, which came first, has place 0."""
    parents: Mapping[int, tuple[int, ...]]
    """Places of the parents that are drawn; an ancestor stands in for a parent that is not."""
    far: frozenset[tuple[int, int]]
    """Pairs of place and ancestor between which candidates are left out."""
    rows: tuple[tuple[int, ...], ...]
    """From top to bottom; whoever has a parent stands below it."""
    best: int
    """Place of the best candidate."""
    path: frozenset[int]
    """The best candidate and its ancestors."""


def family(candidates: Sequence[Candidate]) -> Family:
    """Choose whom to draw, and in which row."""
    parents = _known_parents(candidates)
    best = next((place for place, c in enumerate(candidates) if c.best), 0)
    path = _ancestors(best, parents)
    chosen = _chosen(candidates, path)
    near: dict[int, tuple[int, ...]] = {}
    far: set[tuple[int, int]] = set()
    for place in chosen:
        near[place] = tuple(sorted(_nearest(place, parents, chosen)))
        far |= {(place, p) for p in near[place] if p not in parents[place]}
    return Family(
        members={place: candidates[place] for place in sorted(chosen)},
        parents=near,
        far=frozenset(far),
        rows=tuple(_rows(sorted(chosen), near)),
        best=best,
        path=frozenset(path) & chosen,
    )


def _known_parents(candidates: Sequence[Candidate]) -> list[tuple[int, ...]]:
    # A parent came before its child; whatever else a saved result says would make a circle.
    places: dict[int, int] = {}
    parents = []
    for place, candidate in enumerate(candidates):
        known = {places[number] for number in candidate.parents if number in places}
        parents.append(tuple(sorted(known)))
        places.setdefault(candidate.number, place)
    return parents


def _ancestors(place: int, parents: Sequence[tuple[int, ...]]) -> list[int]:
    """Return a place and those above it, nearest first."""
    found, seen = [place], {place}
    for one in found:
        new = [p for p in parents[one] if p not in seen]
        found.extend(new)
        seen.update(new)
    return found


def _chosen(candidates: Sequence[Candidate], path: Sequence[int]) -> frozenset[int]:
    def rank(place: int) -> tuple[float, int]:
        mean = candidates[place].val_mean
        return (1.0 if mean is None else -tame(mean, 0.0, 1.0)), place

    wanted = [0, *path[: MOST - 1], *sorted(range(len(candidates)), key=rank)]
    return frozenset(list(dict.fromkeys(wanted))[:MOST])


def _nearest(
    place: int, parents: Sequence[tuple[int, ...]], chosen: Collection[int]
) -> Iterator[int]:
    waiting, seen = list(parents[place]), set(parents[place])
    for one in waiting:
        if one in chosen:
            yield one
            continue
        new = [p for p in parents[one] if p not in seen]
        waiting.extend(new)
        seen.update(new)


def _rows(
    chosen: Sequence[int], parents: Mapping[int, tuple[int, ...]]
) -> Iterator[tuple[int, ...]]:
    generation: dict[int, int] = {}
    for place in chosen:
        above = max((generation[p] for p in parents[place]), default=0)
        # The baseline has the first row for itself.
        generation[place] = above + 1 if place else 0
    having_children = {p for mine in parents.values() for p in mine}
    levels: dict[int, list[int]] = defaultdict(list)
    for place in chosen:
        levels[generation[place]].append(place)
    for level in sorted(levels):
        # Whoever has children stands in the last row of a wide generation, close to them.
        members = sorted(levels[level], key=lambda place: (place in having_children, place))
        count = -(-len(members) // PER_ROW)
        cuts = [round(k * len(members) / count) for k in range(count + 1)]
        for start, end in pairwise(cuts):
            yield tuple(members[start:end])
