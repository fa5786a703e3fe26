"""Owns how figures are written in reports."""

from __future__ import annotations

_MINUTE = 60
_HOUR = 60 * _MINUTE
_CENT = 0.01
_SMALLEST_P = 0.001


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


def count(n: int, noun: str) -> str:
    """Write a number of things: `1 call`, `1,200 calls`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


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
