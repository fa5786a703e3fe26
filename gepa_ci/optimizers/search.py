"""Owns all that a search is made from, whichever optimizer makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.core.call import Call
    from gepa_ci.core.config import ModelSpec, OptimizePolicy
    from gepa_ci.core.optimization import CandidateRecord
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.spend import Usage
    from gepa_ci.core.suite import TuningSet
    from gepa_ci.evaluate import Evaluator
    from gepa_ci.optimizers.admission import Admission
    from gepa_ci.optimizers.budget import BudgetPlan, MetricCalls
    from gepa_ci.optimizers.journal import Journal
    from gepa_ci.optimizers.proposers import Proposer


@dataclass(frozen=True, kw_only=True)
class Search:
    """All that a search needs; nothing in it can reach a held-out example."""

    prompt: Prompts
    """The baseline."""
    tuning: TuningSet
    policy: OptimizePolicy
    budget: BudgetPlan
    evaluator: Evaluator
    proposer: Proposer
    """Where GEPA's new candidates come from."""
    reflection: ModelSpec | None
    """The reflection LM; None where the search has none."""
    ask: Callable[[Call], str]
    """Answers a call to the reflection LM, from the journal where it was asked before."""
    admission: Admission
    journal: Journal
    components: tuple[str, ...]
    """Names of the components that may change."""
    spent: Callable[[], Usage]
    """What the run has spent so far, for the report."""
    repeats: bool | None = None
    """Whether the task LM gives the same answer to the same request; None where nobody knows."""
    choice: str = ""
    """Why this optimizer was chosen, a finished sentence; empty where the config says which."""
    patience: float | None = None
    """Seconds that Ctrl-C, which stops the search and keeps its best, leaves to calls in flight;
    None where Ctrl-C ends the run."""
    on_candidate: Callable[[CandidateRecord, MetricCalls], None] | None = None
    """Called after each val run, for progress."""
