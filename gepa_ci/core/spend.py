"""Owns what a run costs: usage that adds up, prices and caps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Calls that went out and what they cost."""

    calls: int = 0
    """Requests sent to a provider, failed ones and retries included."""
    cached_calls: int = 0
    """Answers that came from the response cache instead."""
    failed_calls: int = 0
    """Those of `calls` that brought no answer and were retried or ended the run."""
    input_tokens: int = 0
    """As reported by the provider."""
    output_tokens: int = 0
    """As reported by the provider."""
    usd: float | None = 0.0
    """None when the price of any of the calls is unknown."""
    seconds: float = 0.0
    """Wall time inside calls, summed over calls."""

    def __add__(self, other: Usage) -> Usage:
        """Add two usages; an unknown price stays unknown."""
        usd = None if self.usd is None or other.usd is None else self.usd + other.usd
        return Usage(
            calls=self.calls + other.calls,
            cached_calls=self.cached_calls + other.cached_calls,
            failed_calls=self.failed_calls + other.failed_calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            usd=usd,
            seconds=self.seconds + other.seconds,
        )

    def __sub__(self, other: Usage) -> Usage:
        """Return what came after `other`, an earlier reading of the same count."""
        usd = None if self.usd is None or other.usd is None else self.usd - other.usd
        return Usage(
            calls=self.calls - other.calls,
            cached_calls=self.cached_calls - other.cached_calls,
            failed_calls=self.failed_calls - other.failed_calls,
            input_tokens=self.input_tokens - other.input_tokens,
            output_tokens=self.output_tokens - other.output_tokens,
            usd=usd,
            seconds=self.seconds - other.seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpend:
    """What the calls of one model for one purpose cost."""

    purpose: str
    """task, reflection or judge."""
    model: str
    """As in the config; empty for the calls that a user's program made by itself."""
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Dollars per million tokens."""

    input: float
    """For tokens sent."""
    output: float
    """For tokens received."""

    def usd(self, input_tokens: int, output_tokens: int) -> float:
        """Return the price of so many tokens."""
        return (input_tokens * self.input + output_tokens * self.output) / 1_000_000
