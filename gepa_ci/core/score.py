"""Owns what comes back from one trial of one example."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from gepa_ci.core.spend import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a metric says of one output."""

    value: float
    """In [0, 1]; higher is better."""
    feedback: str = ""
    """For the reflection LM and the reader: what was expected, what came, why it matters."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """Named sub-scores, such as a score per field; each in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a metric may look at besides an output's text."""

    fields: Mapping[str, JSON] = field(default_factory=dict)
    """Named outputs of the program."""
    steps: tuple[Step, ...] = ()
    """The calls that the program made."""
    score: Score | None = None
    """The score that the program itself gave."""
    predictor: str = ""
    """The one prompt or predictor that feedback is wanted for; empty for the whole output."""


class ModelFailure(StrEnum):
    """Ways in which a model, not its provider, fails: real outcomes that score 0."""

    REFUSAL = "refusal"
    CONTENT_FILTER = "content_filter"
    CONTEXT_LENGTH = "context_length"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    UNPARSABLE = "unparsable"
    PROGRAM = "program"
    """The program could not use what a model had answered, and raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call of a model within a program, as the reflection LM is shown it."""

    prompt: str
    """Name of the prompt file or of the DSPy predictor that it was made with; empty if unknown."""
    inputs: Mapping[str, JSON]
    """What the prompt was filled in with."""
    output: str
    """What the model answered."""
    fields: Mapping[str, JSON] = field(default_factory=dict)
    """The named outputs that a DSPy predictor read from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a program gave for one example."""

    text: str
    """The output; whatever came before the failure when there is one."""
    failure: ModelFailure | None = None
    """How the model failed, if it did."""
    detail: str = ""
    """One sentence about the failure."""
    usage: Usage = field(default_factory=Usage)
    """Calls that were sent for it; empty for an answer from the cache."""
    model: str = ""
    """The model that answered."""
    prompt_length: int = 0
    """Characters of the messages that were sent."""
    input_tokens: int = 0
    """Tokens of its calls as the provider counted them, also for an answer from the cache."""
    output_tokens: int = 0
    seconds: float | None = None
    """Wall time of its calls without waiting and retries; None for an answer from the cache."""
    fields: Mapping[str, JSON] = field(default_factory=dict)
    """Named outputs, where the program gave an object and not a text."""
    steps: tuple[Step, ...] = ()
    """The calls that it made, in order; empty for a single call."""
    trace: str = ""
    """What else it told of its way to the output."""
    score: Score | None = None
    """The score that the program itself gave, if it gave one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of one example: its output and its score."""

    example_id: str
    """The example."""
    number: int
    """0-based number of the trial; equal requests with other numbers are independent calls."""
    output: str
    """What the program gave."""
    score: Score
    """What the metric said; 0 with feedback when the model failed."""
    failure: ModelFailure | None = None
    """How the model failed, if it did."""
    usage: Usage = field(default_factory=Usage)
    """Calls that were sent for it."""
    guards: Mapping[str, float] = field(default_factory=dict)
    """What each guard measured, by its name; without those that have no value for this trial."""
    fields: Mapping[str, JSON] = field(default_factory=dict)
    """Named outputs, where the program gave an object and not a text."""
    steps: tuple[Step, ...] = ()
    """The calls that the program made, in order; empty for a single call."""
    trace: str = ""
    """What else the program told of its way to the output."""

    @property
    def value(self) -> JSON:
        """Return the score's number."""
        return self.score.value
