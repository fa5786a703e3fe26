"""Owns which failures led to which edit, from the proposals of a search to its best candidate."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from gepa_ci.core.digests import digest
from gepa_ci.core.optimization import Edit, Failure
from gepa_ci.optimizers.edits import changes, sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gepa_ci.core.optimization import CandidateRecord
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.optimizers.journal import Journal

_EXCERPT = 300
"""Most characters that are kept of a feedback."""

_Place = tuple[str, str, bool, str]
"""Digest of a parent, name of a component, whether added, and a sentence."""


@dataclass(slots=True)
class Lineage:
    """What proposals were made from, and the failures among it."""

    journal: Journal
    _shown: defaultdict[_Place, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))

    def proposed(
        self, parent: Mapping[str, str], child: Mapping[str, str], examples: Iterable[str]
    ) -> None:
        """Remember which train examples a proposal was made from, for each sentence it changed.

        Proposals that are put together later keep apart so what led to each of them.
        """
        for name, before, after in _changed(parent, child):
            for change in changes(before, after):
                for place in _places(digest(dict(parent)), name, change.removed, change.added):
                    self._shown[place].update(dict.fromkeys(examples))

    def edits(
        self,
        number: int,
        texts: Mapping[str, str],
        parent: CandidateRecord,
        prompt: Prompts,
        examples: Sequence[str],
    ) -> tuple[Edit, ...]:
        """Return how a candidate differs from its parent, each place with what led to it.

        Args:
            number: Of the candidate.
            texts: Of the candidate.
            parent: The first of its parents.
            prompt: The parent as prompt files.
            examples: The train examples that it was made from; all of them stand behind an edit
                of which nothing closer is known.
        """
        found, origin = [], digest(dict(parent.texts))
        for name, before, after in _changed(parent.texts, texts):
            for change in changes(before, after):
                places = _places(origin, name, change.removed, change.added)
                shown = [e for place in places for e in self._shown.get(place, ())]
                found.append(
                    Edit(
                        component=name,
                        removed=_bare(change.removed),
                        added=_bare(change.added),
                        candidate=number,
                        failures=self._failures(prompt, shown or examples),
                    )
                )
        return tuple(found)

    def led_to(
        self, records: Sequence[CandidateRecord], best: CandidateRecord, name: str, sentence: str
    ) -> tuple[str, ...]:
        """Return the train examples that a sentence of a candidate was proposed from, if known."""
        for record in _line(records, best):
            for number in record.parents:
                place = digest(dict(records[number].texts)), name, True, sentence.strip()
                if place in self._shown:
                    return tuple(self._shown[place])
        return ()

    def _failures(self, prompt: Prompts, examples: Iterable[str]) -> tuple[Failure, ...]:
        trials = (self.journal.rollout(prompt.digest, e) for e in dict.fromkeys(examples))
        return tuple(
            Failure(
                example_id=trial.example_id,
                score=trial.score.value,
                feedback=_short(trial.score.feedback),
            )
            for trial in trials
            if trial is not None and trial.score.value < 1.0
        )


def surviving(records: Sequence[CandidateRecord], best: CandidateRecord) -> tuple[Edit, ...]:
    """Return how the best candidate differs from the baseline, and who brought each sentence."""
    if not best.parents:
        return ()
    found: list[Edit] = []
    line = _line(records, best)
    for name, before, after in _changed(records[0].texts, best.texts):
        for change in changes(before, after):
            removed = [(unit, _source(line, name, unit, added=False)) for unit in change.removed]
            added = [(unit, _source(line, name, unit, added=True)) for unit in change.added]
            found += _grouped(name, removed, added)
    return tuple(found)


def _grouped(
    name: str,
    removed: Sequence[tuple[str, Edit | None]],
    added: Sequence[tuple[str, Edit | None]],
) -> list[Edit]:
    """Return one edit for sentences that follow each other and came for the same reason."""
    groups: dict[tuple[int, tuple[Failure, ...]], tuple[list[str], list[str]]] = {}
    for side, units in ((0, removed), (1, added)):
        for source, members in groupby(units, key=lambda item: item[1]):
            if source is not None:
                group = groups.setdefault((source.candidate, source.failures), ([], []))
                group[side].extend(unit.strip() for unit, _ in members)
    return [
        Edit(
            component=name,
            removed=tuple(gone),
            added=tuple(come),
            candidate=number,
            failures=failures,
        )
        for (number, failures), (gone, come) in groups.items()
    ]


def _line(records: Sequence[CandidateRecord], best: CandidateRecord) -> list[CandidateRecord]:
    """Return the ancestors of a candidate and itself, the earliest first."""
    known = {record.number: record for record in records}
    numbers: set[int] = set()
    waiting = [best.number]
    while waiting:
        number = waiting.pop()
        if number in known and number not in numbers:
            numbers.add(number)
            waiting += known[number].parents
    return [known[number] for number in sorted(numbers)]


def _source(line: Sequence[CandidateRecord], name: str, unit: str, *, added: bool) -> Edit | None:
    """Return the edit that brought a sentence into the line of a candidate, or took it away."""
    wanted = unit.strip()
    for record in line:
        for edit in record.edits:
            if edit.component == name and wanted in (edit.added if added else edit.removed):
                return edit
    return None


def _changed(
    before: Mapping[str, str], after: Mapping[str, str]
) -> Iterable[tuple[str, list[str], list[str]]]:
    for name, text in after.items():
        if before[name] != text:
            yield name, sentences(name, before[name]), sentences(name, text)


def _places(
    parent: str, name: str, removed: Sequence[str], added: Sequence[str]
) -> Iterable[_Place]:
    for is_added, units in ((False, removed), (True, added)):
        for unit in units:
            yield parent, name, is_added, unit.strip()


def _bare(units: Iterable[str]) -> tuple[str, ...]:
    return tuple(unit.strip() for unit in units)


def _short(text: str) -> str:
    return text if len(text) <= _EXCERPT else f"{text[: _EXCERPT - 1]}…"
