"""Owns the record of what a task's held-out examples were used for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LedgerMode(StrEnum):
    """How the levels of successive confirm tests on one held-out set are set."""

    BUDGET = "budget"
    """The same level each time, until the expected false promotions reach a budget."""
    LORD = "lord"
    """LORD++: the false discovery rate is controlled without an end (for 400 examples or more)."""
    ELOND = "elond"
    """e-LOND: the same under any dependence between the tests, with less power."""
    STRICT = "strict"
    """Valid against any optimizer that sees only the verdicts; for thousands of examples."""
    NONE = "none"
    """Nothing is kept, and every confirm test is made at the same level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPolicy:
    """How often a held-out set may be asked, and when it has to be renewed."""

    mode: LedgerMode = LedgerMode.BUDGET
    budget: float = 0.5
    """Expected false promotions that one version of the held-out set may see, in budget mode."""
    refresh_days: int = 91
    """Age of the first use from which a version counts as worn out."""
    refresh_promotions: int = 5
    """Promotions after which a version counts as worn out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A candidate that is about to be measured on held-out examples."""

    task: str
    suite: str
    """Digest of the held-out examples: the version that the ledger is kept for."""
    exam: str
    """Digest of what else decides a score: metric, model, program, level."""
    baseline: str
    """Digest of the baseline's file."""
    candidate: str
    """Digest of the candidate's file."""
    examples: tuple[str, ...]
    """Digests of the held-out examples, so that a version which keeps some is known as related."""
    n: int
    """Independent units in the held-out set."""
    alpha: float
    """Level of a confirm test by the config."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a question to the held-out set brought."""

    decision: str
    """promote or hold."""
    stage: str
    """The hurdle that decided."""
    p_value: float
    e_value: float
    """Evidence for a gain as an e-value: expected to be at most 1 when there is none."""
    difference: float
    se: float
    """Standard error of the difference."""
    reasons: tuple[str, ...] = ()
    """Finished sentences, for when it is asked again."""
