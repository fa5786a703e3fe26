"""Owns the way from recorded scores to the history that reports show, with its drift."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from gepa_ci.core.suite import Part
from gepa_ci.gate.drift import ALPHA, LONGEST_WINDOW, Reading, drifts
from gepa_ci.reports.view.examples import part_in_words
from gepa_ci.reports.view.model_history import History, Moment, Shift
from gepa_ci.reports.words import count, score, signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.cli.history_source import Source
    from gepa_ci.delivery.data_branch import HistoryEntry

_LETTERS = 26
_METHOD = (
    f"each question's last 1 to {LONGEST_WINDOW} mean scores against all earlier ones since its "
    "last drift; two-sided z test with the variance of unpaired examples, which is cautious; "
    f"chance of any false alarm in the whole history below {ALPHA:g}"
)


def history_of(task: str, source: Source) -> History:
    """Return the scores of a task over time, with the drift in them."""
    entries = sorted(source.entries[task], key=_time)
    measured = [entry for entry in entries if entry.mean is not None and entry.units > 0]
    fresh = [entry for entry in measured if entry.fresh]
    shifts = _shifts(fresh)
    letters = {id(fresh[since]): shift.label for since, shift in shifts}
    moments = tuple(
        _moment(entry, before, letters.get(id(entry), ""))
        for before, entry in pairwise([None, *measured])
        if entry is not None
    )
    return History(
        task=task,
        source=source.name,
        part=source.parts.get(task, part_in_words(Part.HELD_OUT)),
        moments=moments,
        shifts=tuple(shift for _, shift in shifts),
        compared=len(fresh) - len({entry.digest for entry in fresh}),
        unmeasured=len(entries) - len(measured),
        notes=(*_limits(measured, fresh), *source.task_notes.get(task, ()), *source.notes),
        method=_METHOD,
    )


def _shifts(fresh: Sequence[HistoryEntry]) -> list[tuple[int, Shift]]:
    readings = [
        Reading(question=entry.digest, mean=entry.mean or 0.0, error=entry.se or 0.0, n=entry.units)
        for entry in fresh
    ]
    found = []
    for number, drift in enumerate(sorted(drifts(readings), key=lambda drift: drift.since)):
        first, seen = fresh[drift.since], fresh[drift.seen]
        found.append(
            (
                drift.since,
                Shift(
                    label=_letter(number),
                    at=_time(first),
                    seen=_time(seen),
                    commit=first.commit,
                    before=drift.before,
                    after=drift.after,
                    sentence=_sentence(first, seen, drift.before, drift.after),
                ),
            )
        )
    return found


def _sentence(first: HistoryEntry, seen: HistoryEntry, before: float, after: float) -> str:
    later = "" if seen is first else f" It was more than chance on {_day(seen)}."
    return (
        f"From {_day(first)} on the mean score is {score(after)} in place of {score(before)} "
        f"({signed(after - before)}), though prompt, examples, metric and model string are the "
        f"same.{later}"
    )


def _moment(entry: HistoryEntry, before: HistoryEntry | None, letter: str) -> Moment:
    mean = entry.mean or 0.0
    return Moment(
        at=_time(entry),
        mean=mean,
        low=mean if entry.low is None else entry.low,
        high=mean if entry.high is None else entry.high,
        n=entry.n,
        drift=bool(letter),
        label=letter,
        changed=before is not None and before.digest != entry.digest,
        fresh=entry.fresh,
        commit=entry.commit,
        verdict=entry.verdict or "",
        usd=entry.usd,
        calls=entry.calls,
        run=entry.run,
        note="" if entry.fresh else "Its answers came from the cache.",
    )


def _limits(measured: Sequence[HistoryEntry], fresh: Sequence[HistoryEntry]) -> list[str]:
    """Return sentences about what cannot be told of drift."""
    said = []
    if stale := len(measured) - len(fresh):
        said.append(f"{count(stale, 'score')} from cached answers cannot tell of drift.")
    if measured and len({entry.digest for entry in fresh}) == len(fresh):
        said.append("Drift cannot be seen yet: nothing was scored twice without a change.")
    return said


def _time(entry: HistoryEntry) -> datetime:
    return datetime.fromisoformat(entry.at).astimezone(UTC)


def _day(entry: HistoryEntry) -> str:
    return _time(entry).date().isoformat()


def _letter(number: int) -> str:
    """Return A to Z, then AA to AZ, and so on."""
    rest, last = divmod(number, _LETTERS)
    return (_letter(rest - 1) if rest else "") + chr(ord("A") + last)
