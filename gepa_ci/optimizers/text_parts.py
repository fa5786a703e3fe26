"""Owns what can be undone in a changed text, part by part, and the text that is left then."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from gepa_ci.core.config import Prune
from gepa_ci.optimizers.edits import changes, joined, sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TITLE = re.compile(r"\s*#{1,6}\s")
# Half of a pair of tags is worse than both.
_TAG = re.compile(r"\s*</?[\w.:-]+(?:\s[^<>\n]*)?>\Z")
# Share of common words from which a sentence counts as another one reworded.
_ALIKE = 0.4
# Beyond this, sentences are not matched one by one: that many changes are a new text.
_MOST_PAIRS = 2500


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that can be done to a text: the units from `start` to `end` become others."""

    component: str
    start: int
    end: int
    units: tuple[str, ...] = ()
    otherwise: Part | None = None
    """What to try when this cannot be done."""


def parts_of(name: str, before: str, after: str, mode: Prune) -> list[Part]:
    """Return what can be done to a component's text to make it shorter or nearer to another."""
    old, new = sentences(name, before), sentences(name, after)
    found = [part for change in _changed(old, new) for part in _undone(name, *change, mode)]
    if mode is Prune.ALL:
        known = {part.start for part in found}
        rest = (at for at in range(len(new)) if at not in known)
        found += [Part(component=name, start=at, end=at + 1) for at in rest]
    ordered = sorted(found, key=lambda part: (part.start, part.end))
    return [p for p in ordered if not any(_TAG.match(unit) for unit in new[p.start : p.end])]


def without(name: str, text: str, parts: Sequence[Part]) -> str:
    """Return a component's text with parts done to it.

    What stays begins a line or a paragraph where what goes before it did, and a heading goes only
    with all that it introduces.
    """
    units = sentences(name, text)
    back: dict[int, list[str]] = defaultdict(list)
    gone: dict[int, tuple[str, ...]] = {}
    for part in parts:
        if part.start == part.end:
            back[part.start] += part.units
        else:
            gone[part.start] = part.units
    _keep_headings(units, gone)
    made: list[str] = []
    lead = ""
    for at, unit in enumerate([*units, ""]):
        stays = [*back[at], *gone.get(at, (unit,))]
        lead = lead if at not in gone else _wider(lead, unit)
        for kept in filter(None, stays):
            made.append(_wider(lead, kept) + kept.lstrip())
            lead = ""
    whole = joined(name, made, text)
    return whole if text[:1].isspace() else whole.lstrip()


def _changed(
    old: Sequence[str], new: Sequence[str]
) -> Iterator[tuple[int, str | None, str | None]]:
    """Yield where a sentence was added, dropped or reworded, and what it was and is."""
    for change in changes(old, new):
        at = change.start
        for before, after in _paired(change.removed, change.added):
            yield at, before, after
            at += after is not None


def _undone(
    name: str, at: int, before: str | None, after: str | None, mode: Prune
) -> Iterator[Part]:
    if after is None:
        # A text that is to be as short as it can be gets nothing back that it can do without.
        if before is not None and mode is Prune.ADDED:
            yield Part(component=name, start=at, end=at, units=(before,))
        return
    drop = Part(component=name, start=at, end=at + 1)
    if before is None:
        yield drop
        return
    put_back = Part(component=name, start=at, end=at + 1, units=(before,))
    first, second = (drop, put_back) if mode is Prune.ALL else (put_back, drop)
    yield Part(component=name, start=at, end=at + 1, units=first.units, otherwise=second)


def _paired(removed: Sequence[str], added: Sequence[str]) -> list[tuple[str | None, str | None]]:
    """Match reworded sentences, in order, so that most words are matched; the others stay alone."""
    if not removed or not added or len(removed) * len(added) > _MOST_PAIRS:
        return [*((r, None) for r in removed), *((None, a) for a in added)]
    alike = [[_likeness(r, a) for a in added] for r in removed]
    rows, columns = len(removed), len(added)
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            both = alike[i][j] + best[i + 1][j + 1] if alike[i][j] >= _ALIKE else 0.0
            best[i][j] = max(best[i + 1][j], best[i][j + 1], both)
    pairs: list[tuple[str | None, str | None]] = []
    i = j = 0
    while i < rows and j < columns:
        if best[i][j] == best[i + 1][j]:
            pairs.append((removed[i], None))
            i += 1
        elif best[i][j] == best[i][j + 1]:
            pairs.append((None, added[j]))
            j += 1
        else:
            pairs.append((removed[i], added[j]))
            i, j = i + 1, j + 1
    return [*pairs, *((r, None) for r in removed[i:]), *((None, a) for a in added[j:])]


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one.split(), other.split(), False).ratio()  # noqa: FBT003


def _keep_headings(units: Sequence[str], gone: dict[int, tuple[str, ...]]) -> None:
    for at in reversed(range(len(units) - 1)):
        if at in gone and not gone[at] and _introduces(units, at, gone):
            del gone[at]


def _introduces(units: Sequence[str], at: int, gone: Mapping[int, tuple[str, ...]]) -> bool:
    """Return whether a unit is the heading of one that stays."""
    is_line = "\n" in _space(units[at + 1])
    if not is_line or not (_TITLE.match(units[at]) or units[at].endswith(":")):
        return False
    for other in range(at + 1, len(units)):
        # What a colon introduces ends with a blank line, what a title does with the next one.
        ends = not _TITLE.match(units[at]) and other > at + 1 and "\n\n" in _space(units[other])
        if ends or (other not in gone and _TITLE.match(units[other])):
            return False
        if other not in gone:
            return True
    return False


def _wider(one: str, other: str) -> str:
    """Return the white space before one of two units: that with more line breaks."""
    return max(_space(other), _space(one), key=lambda space: space.count("\n"))


def _space(unit: str) -> str:
    return unit[: len(unit) - len(unit.lstrip())]
