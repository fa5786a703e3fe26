"""Owns what two prompts' scores on the same examples say about their difference."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class More(StrEnum):
    """What would sharpen a comparison most."""

    EXAMPLES = "examples"
    TRIALS = "trials"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A range that holds the true effect with a stated probability."""

    low: float
    """Lower end; a pass needs it above minus the margin."""
    high: float
    """Upper end."""
    level: float
    """Probability of covering the effect; 0.9 when each end is a one-sided 95% bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Candidate against baseline, paired by example."""

    n: int
    """Examples with a score on both sides; all counts and means below are over these."""
    units: int
    """Independent units among them: groups, or examples where there are no groups."""
    missing: int
    """Examples without a score on one side or both."""
    baseline_mean: float
    """Weighted mean score of the baseline; 0 when n is 0."""
    candidate_mean: float
    """Weighted mean score of the candidate; 0 when n is 0."""
    difference: float
    """The effect: candidate mean minus baseline mean."""
    interval: Interval
    """Bounds of the effect."""
    p_value: float
    """That of the test which the verdict rests on: p_worse for a regression gate, else p_better."""
    p_better: float
    """Exact one-sided p value against "the candidate is not better"."""
    p_worse: float
    """One-sided mid-p value against "the candidate is not worse"."""
    wins: int
    """Examples on which the candidate scored higher."""
    losses: int
    """Examples on which the candidate scored lower."""
    ties: int
    """Examples on which both scored the same."""
    mde: float
    """Smallest effect that these data would show in 80% of repetitions."""
    n_needed: int | None = None
    """Examples that would decide in 80% of repetitions; None when it is decided or unknowable."""
    trials_needed: int | None = None
    """Trials of the same examples that would do so too; None when trials alone would not."""
    more: More | None = None
    """Whether trials or examples would help more; None when only one trial was run a side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Candidate against baseline on the examples with one tag; for reading, not for a verdict."""

    tag: str
    """As in the suite."""
    n: int
    """Examples with the tag and a score on both sides."""
    baseline_mean: float
    candidate_mean: float
    difference: float
    """Candidate mean minus baseline mean."""
    interval: Interval
    """Bounds of the effect, not adjusted for the number of slices."""
    p_worse: float
    """One-sided mid-p value against "the candidate is not worse"."""
    adjusted_p: float
    """The same, adjusted for the number of slices (Benjamini and Hochberg)."""
    flagged: bool
    """Whether the candidate looks worse on these examples in spite of the adjustment."""
    sentence: str = ""
    """A finished sentence when it is flagged."""
