"""Owns the spend of a run: reserved before each call, settled after it, never past a cap."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.spend import Usage
from gepa_ci.errors import SpendError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gepa_ci.core.call import Purpose
    from gepa_ci.core.config import SpendCaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """So many calls, tokens and dollars, at the most."""

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Amount) -> Amount:
        """Add two amounts."""
        return Amount(
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
            usd=self.usd + other.usd,
        )

    def __sub__(self, other: Amount) -> Amount:
        """Take one amount from another."""
        return Amount(
            calls=self.calls - other.calls,
            tokens=self.tokens - other.tokens,
            usd=self.usd - other.usd,
        )


# Sums of prices are floats; a cap of $1.00 must not refuse the tenth call of $0.10.
_ROUNDING = 1e-9


class Meter:
    """Counts what was spent and holds every call to the caps, from any number of threads."""

    def __init__(self, caps: SpendCaps, *, clock: Callable[[], float]) -> None:
        """Start the clock of the `minutes` cap."""
        self.caps = caps
        self._clock = clock
        self._started = clock()
        self._changed = threading.Condition()
        self._settled = Amount()
        self._open = Amount()
        self._aside = Amount()
        self._usage: dict[tuple[Purpose, str], Usage] = {}

    def reserve(self, worst: Amount) -> Amount:
        """Set the worst case of a call aside, waiting for open calls to settle where that can help.

        Raises:
            SpendError: a cap has no room for the call.
        """
        with self._changed:
            while True:
                self._refuse_late()
                blocked = self._over(self._settled + self._open + worst)
                if blocked is None:
                    self._open += worst
                    return worst
                if self._open.calls == 0 or self._over(self._settled + worst) is not None:
                    raise self._reached(blocked, worst)
                self._changed.wait(1.0)

    def refuse(self, worst: Amount) -> None:
        """Raise SpendError when the caps have no room for what is about to be spent elsewhere."""
        with self._changed:
            self._refuse_late()
            if (cap := self._over(self._settled + worst)) is not None:
                raise self._reached(cap, worst)

    def settle(self, reserved: Amount, usage: Usage, purpose: Purpose, model: str = "") -> None:
        """Turn a reservation into what the call of a model really cost."""
        spent = Amount(
            calls=usage.calls,
            tokens=usage.input_tokens + usage.output_tokens,
            usd=usage.usd or 0.0,
        )
        with self._changed:
            self._open -= reserved
            self._settled += spent
            self._add(usage, purpose, model)
            self._changed.notify_all()

    def count_cached(self, purpose: Purpose, model: str) -> None:
        """Count an answer of a model that cost nothing."""
        with self._changed:
            self._add(Usage(cached_calls=1), purpose, model)

    @contextmanager
    def keeping(self, amount: Amount) -> Iterator[None]:
        """Leave an amount of the caps untouched while the block runs."""
        with self._changed:
            self._aside += amount
        try:
            yield
        finally:
            with self._changed:
                self._aside -= amount
                self._changed.notify_all()

    @property
    def by_model(self) -> dict[tuple[Purpose, str], Usage]:
        """Return what was spent so far, by purpose and model."""
        with self._changed:
            return dict(self._usage)

    @property
    def total(self) -> Usage:
        """Return what was spent so far."""
        return sum(self.by_model.values(), Usage())

    def shortfall(self, amount: Amount) -> str | None:
        """Return which cap could not pay for an amount on top of what is spent, or None."""
        with self._changed:
            return self._over(self._settled + self._open + amount)

    def _add(self, usage: Usage, purpose: Purpose, model: str) -> None:
        key = (purpose, model)
        self._usage[key] = self._usage.get(key, Usage()) + usage

    def _over(self, amount: Amount) -> str | None:
        total = amount + self._aside
        if self.caps.calls is not None and total.calls > self.caps.calls:
            return f"calls: {self.caps.calls}"
        if self.caps.tokens is not None and total.tokens > self.caps.tokens:
            return f"tokens: {self.caps.tokens}"
        if self.caps.usd is not None and total.usd > self.caps.usd + _ROUNDING:
            return f"usd: {self.caps.usd:g}"
        return None

    def _refuse_late(self) -> None:
        minutes = self.caps.minutes
        if minutes is not None and self._clock() - self._started >= minutes * 60:
            raise self._reached(f"minutes: {minutes:g}", Amount())

    def _reached(self, cap: str, worst: Amount) -> SpendError:
        calls = self._settled.calls
        after = f"after {calls} call{'' if calls == 1 else 's'}"
        kept = "raise the cap under `spend:` in the config; answers that were paid for are kept"
        if cap.startswith(("usd", "tokens")):
            # Not spent yet, but possible: a long answer must not pass the cap.
            most = f"{worst.tokens:,} tokens" + (f" or ${worst.usd:.2f}" if worst.usd else "")
            return SpendError(
                f"the spend cap '{cap}' is reached {after}: the next could take {most}",
                hint=f"bound the answers with `max_tokens` on the model, or {kept}",
            )
        return SpendError(f"the spend cap '{cap}' is reached {after}", hint=kept)
