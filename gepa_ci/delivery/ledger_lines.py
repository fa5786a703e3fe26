"""Owns the lines in which the ledger of held-out uses is kept, and the strict reading of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from gepa_ci.core.comparison import Comparison, Interval, More
from gepa_ci.core.ledger import Entry, EntryKind
from gepa_ci.core.verdict import Promotion
from gepa_ci.delivery import data_fields as fields

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_EXAMPLES = 100_000
_MOST_REASONS = 50
_ANSWER = ("stage", "p", "e", "decision", "difference", "se")

_INTERVAL: Mapping[str, fields.Check] = {
    "low": fields.number,
    "high": fields.number,
    "level": fields.between(0, 1),
}
_COMPARISON: Mapping[str, fields.Check] = {
    "n": fields.count,
    "units": fields.count,
    "missing": fields.count,
    "baseline_mean": fields.between(0, 1),
    "candidate_mean": fields.between(0, 1),
    "difference": fields.between(-1, 1),
    "interval": fields.nested(_INTERVAL, Interval),
    "p_value": fields.between(0, 1),
    "p_better": fields.between(0, 1),
    "p_worse": fields.between(0, 1),
    "wins": fields.count,
    "losses": fields.count,
    "ties": fields.count,
    "mde": fields.number,
    "n_needed": fields.or_none(fields.count),
    "trials_needed": fields.or_none(fields.count),
    "more": fields.or_none(lambda found: More(fields.one_of(*More)(found))),
}
CHECKS: Mapping[str, fields.Check] = {
    "kind": fields.one_of(*EntryKind),
    "at": fields.moment,
    "task": fields.name,
    "suite": fields.name,
    "exam": fields.name,
    "baseline": fields.name,
    "candidate": fields.name,
    "n": fields.count,
    "alpha": fields.between(0, 1),
    "examples": fields.many(fields.name, _MOST_EXAMPLES),
    "stage": fields.or_none(fields.name),
    "p": fields.or_none(fields.between(0, 1)),
    "e": fields.or_none(fields.between(0, 1_000_000_000)),
    "decision": fields.or_none(fields.one_of(*Promotion)),
    "difference": fields.or_none(fields.between(-1, 1)),
    "se": fields.or_none(fields.between(0, 1_000_000_000)),
    "comparison": fields.or_none(fields.nested(_COMPARISON, Comparison)),
    "reasons": fields.many(fields.paragraph, _MOST_REASONS),
    "run": fields.text,
}


def line_of(entry: Entry) -> bytes:
    """Return an entry as one line.

    Raises:
        ValueError: it could not be read again; what is wrong, as the end of a message.
    """
    found = {"schema_version": fields.SCHEMA_VERSION, **asdict(entry)}
    line = json.dumps(found, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    entry_of(line)
    return line


def entry_of(line: bytes) -> Entry:
    """Return the entry that a line holds.

    Raises:
        ValueError: what is wrong, as the end of a message.
    """
    return entry_in(fields.record(fields.strict_json(line), CHECKS))


def entry_in(found: Mapping[str, object]) -> Entry:
    """Return the entry of a record whose fields are checked one by one.

    Raises:
        ValueError: the fields do not go together.
    """
    said = [name for name in _ANSWER if found[name] is not None]
    if found["kind"] == EntryKind.OPENED and said:
        raise ValueError(f"it is an opened question, but it has the field '{said[0]}'")
    if found["kind"] == EntryKind.CLOSED and len(said) < len(_ANSWER):
        missing = next(name for name in _ANSWER if name not in said)
        raise ValueError(f"it is an answer, but the field '{missing}' is null")
    values = {**found, "kind": EntryKind(str(found["kind"]))}
    return Entry(**values)  # type: ignore[arg-type]  # the checks are the fields' own
