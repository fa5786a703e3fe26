"""Owns what a program says that calls of its own have cost: checked, counted, held to the caps."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from gepa_ci.core.call import Purpose
from gepa_ci.core.spend import Usage
from gepa_ci.lm.meter import Amount

if TYPE_CHECKING:
    from gepa_ci.lm.client import LMClient

_COUNTS = ("calls", "input_tokens", "output_tokens")
_SHOWN = 200

_MOST = {"calls": 1e6, "input_tokens": 1e10, "output_tokens": 1e10, "usd": 1e5}
"""What one run of an example cannot have cost; more is a mistake of unit or a sum over runs."""


class BadUsageError(Exception):
    """A usage that cannot be counted; the message goes after `gave the usage`."""


@dataclass(slots=True)
class OwnSpend:
    """The calls of a program that are not ours: counted when it tells of them."""

    _dearest: Amount = field(default_factory=Amount)
    _lock: Lock = field(default_factory=Lock)

    def refuse_over(self, client: LMClient | None) -> None:
        """Raise SpendError when the caps have no room for a run as dear as those before."""
        if client is not None:
            client.meter.refuse(self._dearest)

    def count(self, usage: Usage, client: LMClient | None) -> None:
        """Count what one run has told.

        Raises:
            BadUsageError: a dollar cap is set, and it does not say what its calls have cost.
        """
        if client is None or usage == Usage():
            return
        if usage.usd is None and client.meter.caps.usd is not None:
            raise BadUsageError("without 'usd', and a dollar cap is set")
        client.meter.settle(Amount(), usage, Purpose.TASK)
        tokens = usage.input_tokens + usage.output_tokens
        with self._lock:
            self._dearest = Amount(
                calls=max(self._dearest.calls, usage.calls),
                tokens=max(self._dearest.tokens, tokens),
                usd=max(self._dearest.usd, usage.usd or 0.0),
            )


def read_usage(told: Any) -> Usage:
    """Return the usage that a program tells, as plain JSON; None is none.

    Raises:
        BadUsageError: it cannot be counted.
    """
    if told is None:
        return Usage()
    shown = json.dumps(told)[:_SHOWN]
    if not isinstance(told, dict):
        raise BadUsageError(f"{shown}, which is not an object")
    for name, value in told.items():
        if name not in _MOST:
            raise BadUsageError(f"{shown}; it has no '{name}', only {', '.join(_MOST)}")
        if name == "usd" and value is None:
            continue
        kinds = float if name == "usd" else int
        is_number = isinstance(value, int | kinds) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not 0 <= value <= _MOST[name]:
            raise BadUsageError(f"{shown}, where '{name}' is no number that one run can have cost")
    counts = {name: told.get(name, 0) for name in _COUNTS}
    usd = told.get("usd")
    is_free = not any(counts.values())
    return Usage(**counts, usd=0.0 if usd is None and is_free else usd)
