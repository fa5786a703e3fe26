"""Owns the classes of failures: what is retried, what stops a run, and what is the model's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.core.score import ModelFailure


class EngineFailure(Exception):  # noqa: N818 - failures of others, not errors of ours
    """A call that brought no usable answer; the subclasses say what follows."""


@dataclass
class Transient(EngineFailure):
    """Infra: rate limit, server error, time-out, connection. Retried."""

    reason: str
    """In words, without anything that could be a secret."""
    rate_limited: bool = False
    retry_after: float | None = None
    """Seconds that the provider asks to wait."""

    def __str__(self) -> str:
        """Return the reason."""
        return self.reason


@dataclass
class Refused(EngineFailure):
    """Account: key, permission, quota, unknown model or a request that can never work. Stops."""

    reason: str
    hint: str

    def __str__(self) -> str:
        """Return the reason."""
        return self.reason


@dataclass
class Rejected(EngineFailure):
    """Model: the provider answered that this one prompt cannot be answered. Scores 0."""

    failure: ModelFailure
    reason: str

    def __str__(self) -> str:
        """Return the reason."""
        return self.reason
