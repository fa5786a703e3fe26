"""Owns the dates and times of day that label an axis of time."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DAY = 86_400.0
_YEAR = 365.25
_CLOCK_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1_800),
    *(3_600, 7_200, 10_800, 21_600, 43_200),
)
_MINUTE = 60
_DAY_STEPS = (1, 2, 7, 14)
_MONTH_STEPS = (1, 2, 3, 6, 12)
_MONTH = _YEAR / 12
# An axis reaches a day beyond the points, which must be in the calendar still.
_EARLIEST = (date(2, 1, 1) - date(1970, 1, 1)).days * _DAY
_LATEST = (date(9998, 1, 1) - date(1970, 1, 1)).days * _DAY
_FIRST_MONDAY = date(1, 1, 1).toordinal()


def seconds(at: datetime) -> float:
    """Return a time as seconds since 1970; one without a zone is taken for UTC."""
    known = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    stamp = (known - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    return max(_EARLIEST, min(stamp, _LATEST))


def day_of(stamp: float) -> date:
    """Return the day, in UTC, of seconds since 1970."""
    return date(1970, 1, 1) + timedelta(days=math.floor(stamp / _DAY))


def written(day: date) -> str:
    """Write a day: `3 Nov 2026`."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def clock(stamp: float, *, exact: bool = False) -> str:
    """Write the time of day, in UTC, of seconds since 1970: `18:41`, or exactly `18:41:05`."""
    minutes, rest = divmod(math.floor(stamp % _DAY), _MINUTE)
    text = f"{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{rest:02}" if exact else text


def is_short(low: float, high: float) -> bool:
    """Return whether an axis of time is so short that its labels are times of day."""
    return high - low < 2 * _DAY


def clock_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Return round times of day on a short axis, with their labels: `18:41`, `21 Nov 18:00`."""
    step = next(step for step in _CLOCK_STEPS if step >= (high - low) / most)
    one_day = day_of(low) == day_of(high)
    first = math.ceil(low / step) * step
    found = [at for number in range(most + 1) if (at := first + step * number) <= high]
    times = [clock(at, exact=step < _MINUTE) for at in found]
    if one_day:
        return list(zip(found, times, strict=True))
    days = [_label(day_of(at), 1, one_year=True) for at in found]
    return [(at, f"{day} {time}") for at, day, time in zip(found, days, times, strict=True)]


def date_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Return at most so many beginnings of days, months or years, with their labels."""
    first, last = day_of(low), day_of(high)
    least = (high - low) / _DAY / most
    days = next((step for step in _DAY_STEPS if step >= least), None)
    if days is not None:
        found = _days(first, last, days)
    else:
        months = next((step for step in _MONTH_STEPS if step * _MONTH >= least), None)
        found = _months(first, last, months or 12 * math.ceil(least / _YEAR))
    stamps = [(_stamp(day), day) for day in found]
    one_year = first.year == last.year
    return [(at, _label(day, days, one_year=one_year)) for at, day in stamps if low <= at <= high]


def _days(first: date, last: date, step: int) -> list[date]:
    # Weeks begin on Mondays.
    start = first.toordinal() + -(first.toordinal() - _FIRST_MONDAY) % step
    return [date.fromordinal(day) for day in range(start, last.toordinal() + 1, step)]


def _months(first: date, last: date, step: int) -> list[date]:
    start = 12 * first.year + first.month - 1
    start += -start % step
    end = 12 * last.year + last.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(start, end + 1, step)]


def _stamp(day: date) -> float:
    return (day - date(1970, 1, 1)).days * _DAY


def _label(day: date, days: int | None, *, one_year: bool) -> str:
    month = _MONTHS[day.month - 1]
    if days is not None:
        return f"{day.day} {month}"
    return month if one_year else f"{month} {day.year}"
