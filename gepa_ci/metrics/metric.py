"""Owns what a metric is: the callable that scores one output, and how a built-in is described."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from gepa_ci.core.score import Score

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gepa_ci.core.score import Seen
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON
    from gepa_ci.errors import Problem


class Metric(Protocol):
    """Scores one output of one example."""

    @property
    def name(self) -> str:
        """Name as in the config."""

    @property
    def digest(self) -> str:
        """Changes when the metric's code or its options change."""

    @property
    def needs_expected(self) -> bool:
        """Whether an example without `expected` cannot be scored."""

    @property
    def named_fields(self) -> tuple[str, ...]:
        """Fields that its options name, of which some example's label must have each."""

    def label_problem(self, example: Example) -> Problem | None:
        """Return what makes the example's label unusable, with no path and line, or None."""

    def __call__(self, example: Example, output: str, seen: Seen | None = None) -> Score:
        """Score the output; `seen` is what else is known of how it came about."""


class Scorer(Protocol):
    """What one kind of metric does, once its options are known."""

    @property
    def needs_expected(self) -> bool:
        """Whether an example without `expected` cannot be scored."""

    def label_problem(self, expected: JSON) -> Problem | None:
        """Return what makes the label unusable, or None."""

    def score(self, example: Example, output: str) -> Score:
        """Score the output."""


@runtime_checkable
class SeeingScorer(Protocol):
    """A scorer that looks at more than the output's text."""

    @property
    def needs_expected(self) -> bool:
        """Whether an example without `expected` cannot be scored."""

    def label_problem(self, expected: JSON) -> Problem | None:
        """Return what makes the label unusable, or None."""

    def score_seen(self, example: Example, output: str, seen: Seen | None) -> Score:
        """Score the output, and how it came about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a built-in metric."""

    name: str
    """Key in the config."""
    schema: Mapping[str, JSON]
    """JSON Schema of its values, in the subset that `options.value_problem` knows."""
    default: JSON
    """What holds when the option is left out; None for nothing."""
    description: str
    """One sentence for the docs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """One built-in metric as the config and the docs know it."""

    name: str
    """Name in the config."""
    description: str
    """One line for the docs."""
    make: Callable[..., Scorer | SeeingScorer]
    """Takes the options as keywords; raises BadOptionError."""
    options: tuple[Option, ...] = ()
    """In the order of the docs."""
    version: int = 1
    """Raised whenever the same output could get another score or other feedback."""


class BadOptionError(Exception):
    """An option has the right shape but a value that cannot work."""

    def __init__(self, option: str, message: str, *, hint: str | None = None) -> None:
        self.option = option
        self.message = message
        self.hint = hint
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleMetric:
    """One metric: a scorer with its name and digest."""

    name: str
    """Name as in the config."""
    digest: str
    """Digest of code version and options."""
    scorer: Scorer | SeeingScorer
    """What scores."""
    named_fields: tuple[str, ...] = ()
    """Fields that its options name, of which some example's label must have each."""

    @property
    def needs_expected(self) -> bool:
        """Return whether an example without `expected` cannot be scored."""
        return self.scorer.needs_expected

    def label_problem(self, example: Example) -> Problem | None:
        """Return what makes the example's label unusable, or None."""
        return self.scorer.label_problem(example.expected)

    def feedback_on(self, example: Example, output: str, seen: Seen, known: str) -> str | None:
        """Return what it says of one predictor; None where it only knows the whole output.

        Args:
            example: The example that was run.
            output: What came of it.
            seen: How it came about, and which predictor is meant.
            known: What was said of the whole output.
        """
        del known
        if not getattr(self.scorer, "hears_predictors", False):
            return None
        return self(example, output, seen).feedback

    def __call__(self, example: Example, output: str, seen: Seen | None = None) -> Score:
        """Score the output; `seen` is what else is known of how it came about."""
        if isinstance(self.scorer, SeeingScorer):
            return self.scorer.score_seen(example, output, seen)
        return self.scorer.score(example, output)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedMetric:
    """The weighted mean of several metrics, with a part for each."""

    name: str
    """The names of its metrics, joined."""
    digest: str
    """Digest of all metrics and weights."""
    metrics: tuple[SingleMetric, ...]
    """In the order of the config; their names are unique."""
    weights: tuple[float, ...]
    """One for each metric, above 0."""

    @property
    def needs_expected(self) -> bool:
        """Return whether any of the metrics needs `expected`."""
        return any(metric.needs_expected for metric in self.metrics)

    @property
    def named_fields(self) -> tuple[str, ...]:
        """Return the fields that the options of any of the metrics name."""
        return tuple(name for metric in self.metrics for name in metric.named_fields)

    def label_problem(self, example: Example) -> Problem | None:
        """Return the first metric's problem with the example's label, or None."""
        for metric in self.metrics:
            problem = metric.label_problem(example) if metric.needs_expected else None
            if problem is not None:
                return replace(problem, message=f"{problem.message} (metric '{metric.name}')")
        return None

    def feedback_on(self, example: Example, output: str, seen: Seen, known: str) -> str | None:
        """Return what its metrics say of one predictor, after what is known of the whole output."""
        told = [(m.name, m.feedback_on(example, output, seen, "")) for m in self.metrics]
        lines = [f"{name}: {text}" for name, text in told if text]
        return "\n".join([known, *lines]) if lines else None

    def __call__(self, example: Example, output: str, seen: Seen | None = None) -> Score:
        """Score the output with every metric; `seen` is what else is known of it."""
        scores = [(metric.name, metric(example, output, seen)) for metric in self.metrics]
        return Score(
            value=weighted_mean([score.value for _, score in scores], self.weights),
            feedback="\n".join(f"{name}: {score.feedback}" for name, score in scores),
            parts={name: score.value for name, score in scores},
        )


def weighted_mean(values: list[float], weights: tuple[float, ...]) -> float:
    """Return the weighted mean of scores, kept in [0, 1] against rounding."""
    # Dividing by the largest first keeps the sum of huge weights finite.
    shares = [weight / max(weights) for weight in weights]
    total = sum(value * share for value, share in zip(values, shares, strict=True))
    return min(1.0, max(0.0, total / sum(shares)))
