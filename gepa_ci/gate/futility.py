"""Owns the chance that the examples still to come bring a claim about.

What is stopped for futility claims nothing, so no error rate rests on these normal approximations.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

from gepa_ci.gate.bounds import quantile

if TYPE_CHECKING:
    from gepa_ci.gate.examples_run import Look

LIMIT = 0.20
"""Conditional power below which a claim is given up."""
_DESIGN_POWER = 0.70
"""Power of the planned test at the effect by which hope is judged; the higher, the later."""


def power_of_gain(look: Look, *, alpha: float, at_least: float = 0.0) -> float:
    """Return the chance to show a gain of `at_least` if the effect is one the data can show."""
    return _power(look, look.moments.mean, _design(look, alpha), quantile(1 - alpha), at_least)


def power_of_loss(look: Look, *, alpha: float) -> float:
    """Return the chance to show a loss if it is one that the planned data can show."""
    return _power(look, -look.moments.mean, _design(look, alpha), quantile(1 - alpha), 0.0)


def power_of_pass(look: Look, *, margin: float) -> float:
    """Return the chance to show that no more than the margin is lost if nothing is."""
    total, planned = look.moments.mean * look.moments.n, _planned(look)
    needed = quantile(1 - look.last_level) * math.sqrt(planned * look.moments.variance)
    return _chance(look, total, 0.0, needed - margin * planned)


def is_gain_in_sight(look: Look, *, alpha: float) -> bool:
    """Tell whether a gain will be shown at the end if it goes on as it began."""
    return _power(look, look.moments.mean, look.moments.mean, quantile(1 - alpha), 0.0) >= 0.5


def _power(look: Look, mean: float, effect: float, z: float, at_least: float) -> float:
    planned = _planned(look)
    needed = max(z * math.sqrt(planned * look.moments.variance), at_least * planned)
    return _chance(look, mean * look.moments.n, effect, needed)


def _chance(look: Look, total: float, effect: float, needed: float) -> float:
    spread = math.sqrt(look.to_come * look.moments.variance)
    return NormalDist().cdf((total + look.to_come * effect - needed) / spread)


def _planned(look: Look) -> int:
    return look.units + look.to_come


def _design(look: Look, alpha: float) -> float:
    """Return the effect that the planned units would show with 70% power, at the spread so far."""
    z = quantile(1 - alpha) + quantile(_DESIGN_POWER)
    return z * math.sqrt(look.moments.variance / _planned(look))
