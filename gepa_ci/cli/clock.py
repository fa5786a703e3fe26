"""Owns the time of day as records write it."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> str:
    """Return the time of day in ISO form, to the second."""
    return datetime.fromtimestamp(int(time.time()), UTC).isoformat()
