"""Owns what makes two inputs the same, and the part that an example's hash puts it in."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import TYPE_CHECKING

from gepa_ci.core.digests import canonical_json
from gepa_ci.core.suite import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gepa_ci.core.config import Split
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON


def normalize_text(text: str) -> str:
    """Return a text in NFC with every run of white space as one blank and none at the ends."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.split())


def normalize(value: JSON) -> JSON:
    """Return a value with all its texts normalized, and whole numbers as integers."""
    if isinstance(value, str):
        return normalize_text(value)
    if isinstance(value, dict):
        return {normalize_text(key): normalize(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [normalize(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def input_digest(inputs: JSON) -> str:
    """Return the digest that is the same for inputs that differ in white space only."""
    return _sha256(canonical_json(normalize(inputs)))


def comparable_text(inputs: JSON) -> str:
    """Return the values of inputs, without their names, as one normalized text."""
    return normalize_text(" ".join(_texts(inputs)))


def _texts(value: JSON) -> Iterator[str]:
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _texts(value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
    elif value is not None:
        yield canonical_json(value)


def hashed_part(example: Example, inputs_digest: str, split: Split) -> Part:
    """Return the part by the hash of an example's group, or of its inputs when it has none.

    The hash knows nothing of other examples, so adding one never moves another.
    """
    key = f"inputs:{inputs_digest}"
    if example.group is not None:
        key = f"group:{normalize_text(example.group)}"
    place = int(_sha256(key)[:16], 16) / 2**64
    shares = {Part.TRAIN: split.train, Part.VAL: split.val, Part.HELD_OUT: split.held_out}
    filled = [(part, share) for part, share in shares.items() if share > 0]
    total = 0.0
    for part, share in filled[:-1]:
        total += share
        if place < total:
            return part
    # The last part takes the rest, so that a sum of 0.9999999 leaves no gap.
    return filled[-1][0]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
