"""Owns where the nodes of a layered graph stand, such that few lines cross and no labels touch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SWEEPS = 6
_BEND = 10.0

Item = tuple[int, int]
"""A node, and the row: the own one, or one that a line from the node to a lower one passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layering:
    """Positions across, and the way of every line."""

    x: Mapping[Item, float]
    """The middle of every node, and of every line where it passes a row."""
    lines: tuple[tuple[int, int], ...]
    """Pairs of child and parent."""
    row: Mapping[int, int]
    """Of every node."""

    def way(self, child: int, parent: int) -> tuple[Item, ...]:
        """Return where a line passes, from the parent down to the child."""
        start, end = self.row[parent], self.row[child]
        return (*((parent, row) for row in range(start, end)), (child, end))


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much of a row something takes."""

    left: float
    """From its middle to the left."""
    right: float
    """From its middle to the right, where a label may stand."""


def layering(
    rows: Sequence[Sequence[int]],
    parents: Mapping[int, Sequence[int]],
    rooms: Mapping[int, Room],
    width: float,
) -> Layering:
    """Order every row by where its neighbours are, then place what is in it."""
    row = {node: k for k, nodes in enumerate(rows) for node in nodes}
    lines = tuple((child, parent) for child in sorted(row) for parent in parents[child])
    up, down = _neighbours(Layering(x={}, lines=lines, row=row))
    layers = [sorted(item for item in up if item[1] == k) for k in range(len(rows))]
    sized = [_rooms(layer, row, rooms, width) for layer in layers]
    x = {item: width / 2 for layer in layers for item in layer}
    for layer, taken in zip(layers, sized, strict=True):
        x.update(_placed(layer, x, taken, width))
    for sweep in range(_SWEEPS):
        near = up if sweep % 2 == 0 else down
        both = list(zip(layers, sized, strict=True))
        for layer, taken in both if sweep % 2 == 0 else reversed(both):
            wished = _wished(layer, near, x)
            layer.sort(key=lambda item: (wished[item], item))
            x.update(_placed(layer, wished, taken, width))
    for layer, taken in zip(layers, sized, strict=True):
        around = {item: up[item] | down[item] for item in layer}
        x.update(_placed(layer, _wished(layer, around, x), taken, width))
    return Layering(x=x, lines=lines, row=row)


def _neighbours(plan: Layering) -> tuple[dict[Item, set[Item]], dict[Item, set[Item]]]:
    """Return for every item the ones that it is joined to in the row above, and below."""
    up: dict[Item, set[Item]] = {(node, at): set() for node, at in plan.row.items()}
    down: dict[Item, set[Item]] = {item: set() for item in up}
    for child, parent in plan.lines:
        way = plan.way(child, parent)
        for above, below in pairwise(way):
            # Lines from one node to several lower ones share their way.
            for item in (above, below):
                up.setdefault(item, set())
                down.setdefault(item, set())
            down[above].add(below)
            up[below].add(above)
    return up, down


def _rooms(
    layer: Sequence[Item], row: Mapping[int, int], rooms: Mapping[int, Room], width: float
) -> dict[Item, Room]:
    taken = {(node, at): rooms[node] for node, at in layer if row[node] == at}
    bends = len(layer) - len(taken)
    if bends:
        left = width - sum(room.left + room.right for room in taken.values())
        half = min(_BEND, left / bends) / 2
        taken.update({item: Room(left=half, right=half) for item in layer if item not in taken})
    return taken


def _wished(
    layer: Sequence[Item], near: Mapping[Item, set[Item]], x: Mapping[Item, float]
) -> dict[Item, float]:
    wished = {}
    for item in layer:
        places = [x[other] for other in sorted(near[item])]
        wished[item] = sum(places) / len(places) if places else x[item]
    return wished


def _placed(
    layer: Sequence[Item],
    wished: Mapping[Item, float],
    rooms: Mapping[Item, Room],
    width: float,
) -> dict[Item, float]:
    """Return the places nearest to the wished ones at which nothing overlaps."""
    offsets, end = [], 0.0
    for item in layer:
        offsets.append(end + rooms[item].left)
        end += rooms[item].left + rooms[item].right
    # Without the rooms, all that is left to keep is the order.
    moved = _increasing(
        [wished[item] - offset for item, offset in zip(layer, offsets, strict=True)]
    )
    return {
        item: max(0.0, min(place, width - end)) + offset
        for item, place, offset in zip(layer, moved, offsets, strict=True)
    }


def _increasing(wished: Sequence[float]) -> list[float]:
    """Return the nearest values, by squares, that never decrease: pool adjacent violators."""
    pools: list[tuple[float, int]] = []
    for want in wished:
        pools.append((want, 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (last, n), (mean, m) = pools.pop(), pools.pop()
            pools.append(((mean * m + last * n) / (m + n), m + n))
    return [mean for mean, count in pools for _ in range(count)]
