"""Owns the result of a run, from which every report is rendered; its fields are public API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gepa_ci.core.spend import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.comparison import Comparison, Slice
    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.ledger import LedgerState, Shrunk
    from gepa_ci.core.optimization import Optimization
    from gepa_ci.core.spend import ModelSpend
    from gepa_ci.core.verdict import Cause, GuardDecision

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptChange:
    """One prompt file before and after."""

    path: str
    before: str
    """Text of the file on the base; replacement characters where it is not UTF-8."""
    after: str
    """Text of the file as proposed or as on the head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """What a command found out about one task."""

    name: str
    verdict: str | None
    """Gate: improved, pass, regression, inconclusive. Promotion: promote, hold. Evaluate: None.
    Gate and evaluate: ruler_changed."""
    cause: Cause | None = None
    """Why nothing was decided, where it is not simply what the scores show."""
    reasons: tuple[str, ...] = ()
    """Finished sentences, the most important one first."""
    notes: tuple[str, ...] = ()
    """Finished sentences about how it was measured."""
    model: str = ""
    """The task LM that ran."""
    method: str = ""
    """One line for a reader who knows statistics."""
    trials: int = 1
    """Trials per example and prompt."""
    planned: int = 0
    """Examples that would have been run without an early stop; 0 where there could be none."""
    written: tuple[str, ...] = ()
    """Paths of prompt files that were rewritten."""
    baseline: Evaluation | None = None
    candidate: Evaluation | None = None
    """For `evaluate`, the one evaluation that was made."""
    comparison: Comparison | None = None
    margin: float | None = None
    """Loss of mean score that the gate tolerates; None where the verdict knows none."""
    guards: tuple[GuardDecision, ...] = ()
    """What else must not get worse, in the order of the config."""
    slices: tuple[Slice, ...] = ()
    """The effect on the examples of each tag, the likeliest loss first; they never block."""
    ledger: LedgerState | None = None
    """How much of the held-out set is used up; for promotions only."""
    shrunk: Shrunk | None = None
    """The effect to expect in use, drawn towards 0 by what earlier candidates were worth."""
    optimization: Optimization | None = None
    changes: tuple[PromptChange, ...] = ()
    """Prompt files whose text differs between baseline and candidate."""
    spend: Usage = field(default_factory=Usage)
    """Of this task, all purposes."""
    spend_by_model: tuple[ModelSpend, ...] = ()
    """The same by purpose and model."""
    phases: Mapping[str, float] = field(default_factory=dict)
    """Wall seconds by phase: preflight, optimize, evaluate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What one run of a command found out."""

    command: str
    """evaluate, gate or optimize."""
    tasks: tuple[TaskResult, ...]
    spend: Usage
    seconds: float
    """Wall time of the run."""
    config_digest: str
    versions: Mapping[str, str]
    """Versions of gepa-ci and of what decides results."""
    replay: str = ""
    """The command that makes this result again."""
    made_at: str = ""
    """Time of day at its end, in ISO form with its zone; empty when unknown."""
