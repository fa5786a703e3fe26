"""Owns how figures are written in reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.reports.view.model import Expected, Guard

_MINUTE = 60
_HOUR = 60 * _MINUTE
_CENT = 0.01
_SMALLEST_P = 0.001
_WHOLE = 100
_LARGE = 0.1
NO_VALUE = "no value"
"""What is written for a guard that was not measured."""
_UNITS = {"latency": " s"}


def score(value: float) -> str:
    """Write a score with two decimals, or three where it needs them: `0.68`, `0.683`."""
    text = f"{value:.3f}".removesuffix("0")
    return text.removeprefix("-") if float(text) == 0 else text


def signed(value: float) -> str:
    """Write an effect with its sign: `+0.27`, `-0.05`, `0.00`."""
    text = score(value)
    return text if float(text) <= 0 else f"+{text}"


def span(low: float, high: float) -> str:
    """Write an interval of effects, which cannot leave -1 to 1: `+0.19 to +0.35`."""
    return f"{signed(max(low, -1.0))} to {signed(min(high, 1.0))}"


def percent(value: float) -> str:
    """Write a share: `90%`, `97.5%`."""
    return f"{100 * value:.4g}%"


def p_value(value: float) -> str:
    """Write a p value: `p = 0.012`, `p < 0.001`."""
    return f"p < {_SMALLEST_P}" if value < _SMALLEST_P else f"p = {value:.2g}"


def measured(value: float | None, name: str, *, relative: bool) -> str:
    """Write what a guard measured: a score, or `0.84 s`, `1,204`, `0.0012`; or that it has none."""
    if value is None:
        return NO_VALUE
    if not relative:
        return score(value)
    figure = f"{value:,.0f}" if value >= _WHOLE else f"{value:.3g}"
    return f"{figure}{_UNITS.get(name, '')}"


def changed(value: float | None, *, relative: bool) -> str:
    """Write how a guard changed: `-0.05`, or for a measure `+12.5%`."""
    if value is None:
        return "from 0"
    if not relative:
        return signed(value)
    share = f"{100 * value:+,.1f}".removesuffix(".0")
    return f"{'0' if float(share.replace(',', '')) == 0 else share}%"


def changed_of(value: float | None, guard: Guard) -> str:
    """Write how that guard changed, or nothing where it has no value."""
    return "" if guard.before is None else changed(value, relative=guard.relative)


def tolerated(guard: Guard) -> str:
    """Write the worst change of a guard that is tolerated: `-0.05`, `+10%`."""
    worst = guard.tolerated if guard.relative else -guard.tolerated
    return changed(worst, relative=guard.relative)


def count(n: int, noun: str) -> str:
    """Write a number of things: `1 call`, `1,200 calls`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def out_of(n: int, planned: int) -> str:
    """Write how many examples were compared, and of how many if the rest was spared."""
    return f"{n:,} of {planned:,}" if planned else f"{n:,}"


def examples(n: int, planned: int, part: str) -> str:
    """Write what was compared: `1 val example`, `60 of 200 held-out examples`."""
    return f"{out_of(n, planned)} {part} example{'' if (planned or n) == 1 else 's'}"


def left_out(n: int) -> str:
    """Write how many examples have no score on both sides, and why."""
    return f"{count(n, 'example')} left out, as {'its' if n == 1 else 'their'} calls failed"


def in_use(expected: Expected) -> str:
    """Write an effect to expect in use, which is a rough guess: `about +0.12`, `about +0.024`."""
    digits = 2 if abs(expected.difference) >= _LARGE else 3
    return f"about {signed(round(expected.difference, digits))}"


def drawn(expected: Expected) -> str:
    """Write why an effect to expect in use is not the measured one."""
    were = "was" if expected.answers == 1 else "were"
    earlier = count(expected.answers, "earlier candidate")
    return f"drawn towards 0 by what {earlier} {were} worth"


def money(usd: float | None) -> str:
    """Write dollars; small amounts keep two digits that count."""
    if usd is None:
        return "unknown"
    return f"${usd:,.2f}" if usd >= _CENT or usd == 0 else f"${usd:.2g}"


def duration(seconds: float) -> str:
    """Write a time for people: `0.4 s`, `21 s`, `3 min 5 s`, `2 h 10 min`."""
    if round(seconds, 1) < 10:  # noqa: PLR2004 - below, a tenth can be felt
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        minutes, rest = divmod(whole, _MINUTE)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(round(whole / _MINUTE), _MINUTE)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
