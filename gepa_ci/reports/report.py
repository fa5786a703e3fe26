"""Owns the view model: what templates may read of a result. Its fields are public API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What calls for one purpose cost, or all of them."""

    purpose: str
    """task, reflection or judge; `total` for the sum."""
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
    errors: int
    """Answers in which the model failed, which score 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Candidate against baseline."""

    n: int
    """Examples with a score on both sides."""
    missing: int
    """Examples without."""
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
class ExampleScore:
    """One example by its id and scores; never its texts."""

    id: str
    """As in the suite."""
    before: float | None
    """Mean over the trials of the baseline; None without one."""
    after: float | None
    """Mean over the trials of the candidate; None without one."""

    @property
    def difference(self) -> float:
        """Return after minus before; 0 when one of them is missing."""
        if self.before is None or self.after is None:
            return 0.0
        return self.after - self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One candidate of an optimization."""

    number: int
    """0 is the baseline."""
    origin: str
    """baseline, reflection, example accumulation or merge."""
    parents: tuple[int, ...]
    """Numbers of the candidates that it was made from."""
    val_mean: float | None
    """Mean score on the val part; None when it never got there."""
    best: bool
    """Whether this is the one that went on to the proof."""
    examples: tuple[str, ...]
    """Ids of the train examples that led to it."""
    rewritten: tuple[str, ...]
    """Names of the components whose text is not that of any parent."""
    characters: int
    """Length of its texts together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Proposals that were refused for one reason before they cost a call."""

    reason: str
    """A finished sentence."""
    count: int
    """How many proposals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """How the candidate was found."""

    optimizer: str
    """Name of the optimizer."""
    proposer: str
    """reflection or example accumulation."""
    metric_calls: int
    """Evaluations of one example on train or val."""
    budget: int
    """The most metric calls that were allowed."""
    proposals: int
    """Proposals made, refused ones included."""
    stop_reason: str
    """A finished sentence."""
    seed: int
    """Of the optimizer's random choices."""
    candidates: tuple[Candidate, ...]
    """In order of arrival; the first is the baseline."""
    refusals: tuple[Refusal, ...]
    """The most frequent reason first."""

    @property
    def refused(self) -> int:
        """Return how many proposals were refused."""
        return sum(refusal.count for refusal in self.refusals)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One prompt file that differs."""

    path: str
    """Relative to the repository's root."""
    diff: str
    """Unified diff, in which lines that repeat an example are hidden."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What was found out about one task."""

    name: str
    """As in the config."""
    verdict: str | None
    """Gate: improved, pass, regression, inconclusive. Promotion: promote, hold. Evaluate: None."""
    headline: str
    """The verdict in words."""
    reasons: tuple[str, ...]
    """Finished sentences, the most important one first."""
    notes: tuple[str, ...]
    """Finished sentences about how it was measured."""
    model: str
    """The task LM that ran."""
    trials: int
    """Trials per example and prompt."""
    part: str
    """The part of the suite that was measured, in words."""
    written: tuple[str, ...]
    """Prompt files that were rewritten."""
    sides: tuple[Side, ...]
    """Baseline and candidate, as far as they were measured."""
    effect: Effect | None
    """Candidate against baseline, if both were measured."""
    worse: tuple[ExampleScore, ...]
    """Examples that got worse, the largest loss first."""
    better: tuple[ExampleScore, ...]
    """Examples that got better, the largest gain first."""
    lowest: tuple[ExampleScore, ...]
    """For `evaluate`: examples below the best score, the lowest first."""
    optimization: Optimization | None
    """How the candidate was found."""
    changes: tuple[FileChange, ...]
    """Prompt files that differ between baseline and candidate."""
    spend: tuple[Spend, ...]
    """By purpose; the total last when there is more than one."""
    phases: tuple[tuple[str, float], ...]
    """Wall seconds by phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole result, ready to be rendered."""

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
