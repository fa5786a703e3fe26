"""Owns what a calibration finds fault with, in finished sentences."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.judging.bias import Bias
    from gepa_ci.judging.calibration import Calibration

LEAST_RELIABLE = 0.5
"""Share of the variance of scores that outputs must explain."""
MOST_REPEATED = 0.9
"""Share of equal answers from which a judge does not contradict itself, whatever the outputs."""
FEW = 50


class FaultName(StrEnum):
    """What can be wrong with a judge."""

    CHANCE = "chance"
    AGREEMENT = "agreement"
    CONTRADICTION = "contradiction"
    LENGTH = "length"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One reason not to trust a judge."""

    name: FaultName
    sentence: str


def find_faults(found: Calibration, min_kappa: float) -> tuple[Fault, ...]:
    """Return what is wrong with a judge, the most telling first; nothing for one to trust."""
    named = (
        (FaultName.LENGTH, _length(found)),
        (FaultName.CHANCE, _chance(found)),
        (FaultName.AGREEMENT, _agreement(found, min_kappa)),
        (FaultName.CONTRADICTION, _contradiction(found)),
    )
    return tuple(Fault(name=name, sentence=said) for name, said in named if said is not None)


def cautions(found: Calibration) -> tuple[str, ...]:
    """Return what a reader should know besides, in finished sentences."""
    said = []
    if found.n < FEW:
        said.append(
            f"There are only {found.n} labelled outputs: bring {FEW} or more for an interval that "
            "tells something."
        )
    place = found.position
    if place is None:
        said.append(
            "A bias by position could not be measured: no two labelled outputs share their inputs. "
            "In use, the judge sees one output at a time."
        )
    elif place.is_found:
        which = "first" if place.effect > 0 else "second"
        said.append(
            f"The judge prefers the {which} of two outputs: shown {which}, the same output gets "
            f"{_points(found, abs(place.effect))} more ({_p(place)}, {place.n} pairs). In use, it "
            "sees one output at a time; do not let it compare."
        )
    return tuple(said)


def _length(found: Calibration) -> str | None:
    bias = found.length
    if not bias.is_found:
        return None
    which, more, less = (
        ("long", bias.long, bias.short) if bias.effect > 0 else ("short", bias.short, bias.long)
    )
    return (
        f"The judge prefers {which} answers: one of {more:,} characters gets "
        f"{_points(found, abs(bias.effect))} more than one of {less:,} that humans score alike "
        f"({_p(bias)})."
    )


def _chance(found: Calibration) -> str | None:
    if found.interval.low > 0:
        return None
    if found.judge_spread == 0:
        return (
            f"The judge gives every output the same score, {found.judge_mean:g}, so it tells "
            "nothing."
        )
    return (
        "The judge is no better than chance: its agreement with the human scores, "
        f"{_kappa(found)}, may be none."
    )


def _agreement(found: Calibration, min_kappa: float) -> str | None:
    if found.interval.low <= 0 or found.kappa >= min_kappa:
        return None
    return (
        f"The judge agrees too little with the human scores: {_kappa(found)}, is below "
        f"{min_kappa:g}."
    )


def _contradiction(found: Calibration) -> str | None:
    if found.reliability >= LEAST_RELIABLE or found.repeats >= MOST_REPEATED:
        return None
    return (
        f"The judge contradicts itself: asked twice about the same output, it gives another score "
        f"{1 - found.repeats:.0%} of the time, and only {found.reliability:.0%} of what its scores "
        "differ by lies in the outputs."
    )


def _kappa(found: Calibration) -> str:
    low, high = found.interval.low, found.interval.high
    return f"kappa {found.kappa:.2f} ({found.interval.level:.0%} interval {low:.2f} to {high:.2f})"


def _points(found: Calibration, share: float) -> str:
    points = share * (found.scale.high - found.scale.low)
    return f"{points:.2g} points (on {found.scale})"


def _p(bias: Bias) -> str:
    return f"p = {bias.p_value:.2g}"
