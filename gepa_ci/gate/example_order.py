"""Owns the order in which examples are run, and the looks at which a gate may stop."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from gepa_ci.core.digests import digest
from gepa_ci.gate.pairing import unit_codes

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

MOST_LOOKS = 100
_FIRST_LOOK = 10
"""Units before which nothing is looked at."""
_FEWEST = 30
"""Below so many units a few skewed ones can decide an early look, so there is only the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is fixed before there is any data."""

    order: tuple[int, ...]
    """Examples in the order in which to run them; a group's stand together."""
    units: tuple[int, ...]
    """Unit of each example of `order`, numbered from 0 as they come."""
    looks: tuple[int, ...]
    """Examples run at each look; the last is all of them."""
    units_at: tuple[int, ...]
    """Units run at each look."""

    @property
    def shares(self) -> tuple[float, ...]:
        """Return the share of the units that has been run at each look."""
        return tuple(units / self.units_at[-1] for units in self.units_at)


def plan(n: int, *, seed: int | str, groups: Sequence[Hashable] | None, looks: int) -> Plan:
    """Order n examples by a hash of the seed, and place the looks evenly over their units.

    Raises:
        ValueError: there is no example, or the looks or the groups are not usable.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    if not 1 <= looks <= MOST_LOOKS:
        raise ValueError(f"looks must be between 1 and {MOST_LOOKS}, not {looks}")
    members: dict[int, list[int]] = {}
    codes = range(n) if groups is None else unit_codes(groups, n)
    for example, code in enumerate(codes):
        members.setdefault(code, []).append(example)
    # A hash, as the streams of random generators may change between versions of a library.
    shuffled = sorted(members.values(), key=lambda unit: digest([str(seed), unit[0]]))
    ends = list(accumulate(len(unit) for unit in shuffled))
    units_at = _units_at(len(shuffled), looks)
    return Plan(
        order=tuple(example for unit in shuffled for example in unit),
        units=tuple(number for number, unit in enumerate(shuffled) for _ in unit),
        looks=tuple(ends[units - 1] for units in units_at),
        units_at=units_at,
    )


def _units_at(units: int, looks: int) -> tuple[int, ...]:
    if units < _FEWEST:
        return (units,)
    even = {-(-look * units // looks) for look in range(1, looks + 1)}
    return tuple(sorted(count for count in even if count >= _FIRST_LOOK))
