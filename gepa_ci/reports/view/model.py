"""Owns the view model: what templates may read of a result. Its fields are public API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.reports.view.model_examples import Example
    from gepa_ci.reports.view.model_optimization import Optimization

VIEW_VERSION = 1
"""Of the view model, which templates of a team are written for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What calls for one purpose cost, or all of them."""

    purpose: str
    """task, reflection or judge; `total` for the sum."""
    model: str
    """As in the config; empty for the sum, and for calls that a user's program made by itself."""
    calls: int
    """Requests sent, failed ones included."""
    failed: int
    """Those that brought no answer."""
    cached: int
    """Answers from the response cache, which cost nothing."""
    input_tokens: int
    """Tokens sent."""
    output_tokens: int
    """Tokens received."""
    usd: float | None
    """Dollars; None when a price is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two prompts on the examples."""

    label: str
    """base and head for the gate, baseline and candidate for a promotion."""
    mean: float
    """Mean score."""
    n: int
    """Examples."""
    trials: int
    """Trials with a score, over all examples."""
    errors: int
    """Those of them in which the model failed, which score 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Candidate against baseline."""

    n: int
    """Examples with a score on both sides."""
    missing: int
    """Examples left out, as calls for them failed."""
    before: float
    """Mean score of the baseline over the n examples."""
    after: float
    """Mean score of the candidate over the n examples."""
    difference: float
    """Candidate minus baseline."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""
    level: float
    """Probability that the interval covers the effect."""
    p_value: float
    """Of the test which the verdict rests on."""
    wins: int
    """Examples that got better."""
    losses: int
    """Examples that got worse."""
    ties: int
    """Examples that stayed the same."""
    mde: float
    """Smallest effect that is likely to be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The effect to expect in use: whatever is promoted was luckier than most."""

    difference: float
    """The measured one, drawn towards 0."""
    answers: int
    """Earlier candidates of the task, from which it is known how far to draw it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """How much of the held-out set is used up."""

    mode: str
    """budget, lord, elond or strict."""
    uses: int
    """Candidates that this version of the held-out set has judged."""
    promotions: int
    """Those of them that were promoted."""
    budget: float | None
    """Expected false promotions allowed; None where the mode has no such limit."""
    left: float | None
    """What is left of the budget; None where the mode has none."""
    tests_left: int | None
    """Candidates that can still be judged at the config's level; None for no limit."""
    worn: str
    """A finished sentence when no further candidate may be judged; else empty."""
    summary: str
    """A finished sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What else must not get worse: a metric, or a measure of which less is better."""

    name: str
    """As in the config."""
    relative: bool
    """Whether it is a measure, whose changes are shares."""
    verdict: str
    """improved, pass, regression or inconclusive: of this guard alone."""
    before: float | None
    """Mean with the baseline: a score, or what the measure counts; None without any value."""
    after: float | None
    """Mean with the candidate."""
    change: float | None
    """Difference of mean scores; for a measure, the increase of a typical example as a share; None
    where it rose from 0, or has no value."""
    tolerated: float
    """Tolerated loss of mean score; for a measure, the tolerated increase as a share."""
    n: int
    """Examples compared."""
    reasons: tuple[str, ...]
    """Finished sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Candidate against baseline on the examples with one tag."""

    tag: str
    """As in the suite."""
    n: int
    """Examples compared."""
    before: float
    """Mean score of the baseline."""
    after: float
    """Mean score of the candidate."""
    difference: float
    """Candidate minus baseline."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""
    level: float
    """Probability that the interval covers the effect."""
    flagged: bool
    """Whether the candidate looks worse here, adjusted for the number of tags."""
    sentence: str
    """A finished sentence when it is flagged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How long a prompt file is."""

    characters: int
    """Characters of the whole file."""
    sentences: int
    """Sentences and lines with text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One prompt file that differs."""

    path: str
    """Relative to the repository's root."""
    diff: str
    """Unified diff, in which lines that repeat an example are hidden."""
    before: Length
    """How long the file was."""
    after: Length
    """How long it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What was found out about one task."""

    name: str
    """As in the config."""
    verdict: str | None
    """Gate: improved, pass, regression, inconclusive. Promotion: promote, hold. Evaluate: None.
    Gate and evaluate: ruler_changed."""
    cause: str | None
    """Why nothing was decided, where it is not simply what the scores show: calls_failed,
    nothing_compared, too_few, guards or unchanged."""
    headline: str
    """The verdict in words."""
    reasons: tuple[str, ...]
    """Finished sentences, the most important one first."""
    notes: tuple[str, ...]
    """Finished sentences about how it was measured."""
    method: str
    """How it was tested, for a reader who knows statistics; empty when nothing was."""
    model: str
    """The task LM that ran."""
    trials: int
    """Trials per example and prompt; 0 where that is not known."""
    planned: int
    """Examples that would have been run without an early stop; 0 where all of them were."""
    part: str
    """The part of the suite that was measured, in words."""
    written: tuple[str, ...]
    """Prompt files that were rewritten."""
    sides: tuple[Side, ...]
    """Baseline and candidate, as far as they were measured."""
    effect: Effect | None
    """Candidate against baseline, if both were measured."""
    margin: float | None
    """Loss of mean score that the gate tolerates; None where the verdict knows none."""
    recalled: bool
    """Whether the effect is that of an earlier run, as the ledger had the answer."""
    expected: Expected | None
    """For a promoted candidate, the effect to expect in use, where enough is known for it."""
    ledger: Ledger | None
    """How much of the held-out set is used up; None without a ledger."""
    guards: tuple[Guard, ...]
    """What else must not get worse, in the order of the config."""
    slices: tuple[Slice, ...]
    """The effect by tag: what looks worse first, then the likeliest losses; they never block."""
    examples: tuple[Example, ...]
    """The examples that were measured, in suite order."""
    worse: tuple[Example, ...]
    """Examples that got worse, the largest loss first."""
    better: tuple[Example, ...]
    """Examples that got better, the largest gain first."""
    lowest: tuple[Example, ...]
    """For `evaluate`: examples below the best score, the lowest first."""
    optimization: Optimization | None
    """How the candidate was found."""
    changes: tuple[FileChange, ...]
    """Prompt files that differ between baseline and candidate."""
    spend: tuple[Spend, ...]
    """By purpose and model; the total last when there is more than one."""
    phases: tuple[tuple[str, float], ...]
    """Wall seconds by phase."""

    @property
    def status(self) -> str:
        """Return the verdict, or measured, unchanged or not measured where there is none."""
        if self.verdict is not None:
            return self.verdict.replace("_", " ")
        if self.sides:
            return "measured"
        return "unchanged" if self.cause == "unchanged" else "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole result, ready to be rendered."""

    view_version: int
    """Of these types; a field that goes, or changes its meaning, makes a new version."""
    has_texts: bool
    """Whether examples carry their inputs, answers, outputs and feedback."""
    command: str
    """evaluate, gate or optimize."""
    summary: str
    """How many tasks got which verdict, in words."""
    tasks: tuple[Task, ...]
    """In the order of the config."""
    spend: Spend
    """Of the run."""
    seconds: float
    """Wall time of the run."""
    config_digest: str
    """Digest of the config file."""
    versions: tuple[tuple[str, str], ...]
    """Name and version of what decides results."""
    replay: str
    """The command that makes this result again; empty when unknown."""
