"""Owns objectives: what is said of a candidate besides its score, each from 0 to 1, higher better.

A measure has no best value, so it is told against the baseline's mean: base / (base + value), which
is 0.5 for what the baseline costs, more for less, and never 0 or 1 by being cut off.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.core.config import Measure
from gepa_ci.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gepa_ci.core.optimization import CandidateRecord
    from gepa_ci.core.score import Trial
    from gepa_ci.evaluate import Evaluator

SCORE = "score"
_MEASURES = frozenset(Measure)
_FEWEST = 2
"""Examples from which a difference has a standard error."""

_ROUNDING = 1e-9
"""One example that went the other way differs by just its standard error."""


class Objectives:
    """The objectives of one search, and what the baseline had for each."""

    def __init__(self, names: Sequence[str]) -> None:
        """Take the names of the config; none for the score and all of its parts."""
        self._names = tuple(names)
        self.measures = tuple(Measure(name) for name in self._names if name in _MEASURES)
        """Those that a run itself tells."""
        self._base: dict[str, float] = {}
        self._parts: dict[str, None] = {}

    def measuring(self, evaluator: Evaluator) -> Evaluator:
        """Return the evaluator with the measures among what it can measure."""
        if not self.measures:
            return evaluator
        return replace(
            evaluator, guards={**evaluator.guards, **{m.value: m for m in self.measures}}
        )

    def learn(self, trials: Sequence[Trial]) -> None:
        """Take from trials what is not known yet: the baseline's means, and the score's parts.

        Raises:
            ConfigError: an objective is neither a measure nor a part of the score.
        """
        is_first = not self._parts and not self._base
        for trial in trials:
            self._parts |= dict.fromkeys(trial.score.parts)
        for measure in self.measures:
            # Answers from the cache have no time; the first that have one stand for the baseline.
            found = [t.guards[measure] for t in trials if measure in t.guards]
            if found and measure not in self._base:
                self._base[measure] = statistics.fmean(found)
        if is_first and any(trial.failure is None for trial in trials):
            self._refuse_unknown()

    def of(self, trial: Trial) -> dict[str, float]:
        """Return the objectives of one trial, without those that it has no value for."""
        known = {SCORE: trial.score.value}
        names: Iterable[str] = self._names or self._parts
        for name in names:
            value = self._value(name, trial)
            if value is not None:
                known[name] = value
        return known

    def means(self, trials: Sequence[Trial]) -> dict[str, float]:
        """Return the mean of each objective over the trials that have it."""
        found: defaultdict[str, list[float]] = defaultdict(list)
        for trial in trials:
            for name, value in self.of(trial).items():
                found[name].append(value)
        return {name: statistics.fmean(values) for name, values in found.items()}

    def choice(self, records: Sequence[CandidateRecord]) -> CandidateRecord | None:
        """Return the best candidate: by val score, and by what it costs where that is a tie.

        Without measures among the objectives, only equal means are a tie, and the shorter text
        wins. With them, so is a difference within its own standard error, and the better mean of
        the measures wins. The baseline wins a tie for the best and is no cheaper alternative.
        """
        best = best_of(records)
        if best is None or best.number == 0 or not self.measures:
            return best
        near = [r for r in records if r.number != 0 and _is_tie(best, r)]
        return max(near, key=lambda r: (self._thrift(r), r.val_mean or 0.0, -r.number))

    def _thrift(self, record: CandidateRecord) -> float:
        told = [record.objectives[m] for m in self.measures if m in record.objectives]
        return statistics.fmean(told) if told else 0.0

    def _value(self, name: str, trial: Trial) -> float | None:
        if name == SCORE:
            return trial.score.value
        if trial.failure is not None:
            # A model that fails has failed in every respect: nothing is shorter than no answer.
            return 0.0
        if name not in _MEASURES:
            return trial.score.parts.get(name)
        value, base = trial.guards.get(name), self._base.get(name)
        return None if value is None or base is None else _scaled(value, base)

    def _refuse_unknown(self) -> None:
        for name in self._names:
            if name != SCORE and name not in _MEASURES and name not in self._parts:
                parts = ", ".join(self._parts) or "none"
                raise ConfigError(
                    f"objective '{name}' is neither a measure nor a part of the metric",
                    hint=f"measures: {', '.join(Measure)}; parts of the metric: {parts}",
                )


def best_of(records: Iterable[CandidateRecord]) -> CandidateRecord | None:
    """Return the best record on val: of equals the baseline, or else the shortest, the earliest."""
    return max(
        records,
        key=lambda r: (r.val_mean or 0.0, r.number == 0, -_length(r.texts), -r.number),
        default=None,
    )


def _length(texts: Mapping[str, str]) -> int:
    return sum(len(text) for text in texts.values())


def _is_tie(best: CandidateRecord, other: CandidateRecord) -> bool:
    lost = [score - other.val_scores.get(name, 0.0) for name, score in best.val_scores.items()]
    if len(lost) < _FEWEST:
        return not any(lost)
    noise = statistics.stdev(lost) / math.sqrt(len(lost))
    return statistics.fmean(lost) <= noise + _ROUNDING


def _scaled(value: float, base: float) -> float:
    if base + value == 0.0:
        return 0.5
    return base / (base + value)
