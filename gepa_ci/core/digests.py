"""Owns the one way in which values are turned into content digests."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON


def canonical_json(value: JSON) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, UTF-8 characters as they are."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(value: JSON) -> str:
    """Return the SHA-256 of a value's canonical JSON, as 64 hexadecimal digits."""
    # Lone surrogates can arrive from JSON escapes; they must not crash a digest.
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()
