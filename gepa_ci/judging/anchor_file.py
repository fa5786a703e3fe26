"""Owns the file of anchors: outputs with a judge's scores, one JSON object a line."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from gepa_ci.core.digests import canonical_json
from gepa_ci.core.judging import Anchor, Anchors, JudgedOutput
from gepa_ci.errors import ConfigError, Problem

if TYPE_CHECKING:
    from gepa_ci.core.judging import Scale

FEWEST = 12
"""Anchors; with fewer, not even a judge that has changed on all of them could be told."""
_AGAIN = "write the file with `gepa-ci judge calibrate --write-anchors`"


def write_anchors(anchors: Anchors) -> str:
    """Return the file's text."""
    common = {"judge": anchors.judge, "model": anchors.model, "at": anchors.at}
    lines = []
    for anchor in anchors.anchors:
        output = anchor.output
        row: dict[str, Any] = {"inputs": dict(output.inputs), "output": output.output}
        if output.labelled:
            row["expected"] = output.expected
        row["score"] = round(sum(anchor.scores) / len(anchor.scores), 4)
        row["samples"] = list(anchor.scores)
        lines.append(json.dumps({**row, **common}, ensure_ascii=False) + "\n")
    return "".join(lines)


def read_anchors(path: str, content: bytes, scale: Scale) -> Anchors:
    """Read a file of anchors.

    Raises:
        ConfigError: with all that is wrong with it.
    """
    problems: list[Problem] = []
    rows: list[tuple[int, dict[str, Any]]] = []
    for line, text in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
            fault = _fault(row, scale)
        except (ValueError, RecursionError):
            row, fault = {}, "it is not valid JSON"
        if fault is None:
            rows.append((line, row))
        else:
            message = f"not an anchor: {fault}"
            problems.append(Problem(message=message, path=path, line=line, hint=_AGAIN))
    if not problems and len({(row["judge"], row["model"]) for _, row in rows}) > 1:
        message = "the anchors are of several judges or rubrics"
        problems.append(Problem(message=message, path=path, hint=_AGAIN))
    if not problems and len(rows) < FEWEST:
        message = f"there are {len(rows)} anchors, and at least {FEWEST} are needed"
        problems.append(Problem(message=message, path=path, hint=_AGAIN))
    if problems:
        raise ConfigError.of(problems)
    first = rows[0][1]
    return Anchors(
        path=path,
        judge=first["judge"],
        model=first["model"],
        at=first["at"],
        anchors=tuple(_anchor(line, row) for line, row in rows),
    )


def _fault(row: Any, scale: Scale) -> str | None:
    if not isinstance(row, dict):
        return "the line is not an object"
    if not isinstance(row.get("inputs"), dict) or not isinstance(row.get("output"), str):
        return "it needs 'inputs', an object, and 'output', a text"
    if not all(isinstance(row.get(name), str) for name in ("judge", "model", "at")):
        return "it needs 'judge', 'model' and 'at'"
    samples = row.get("samples")
    if not isinstance(samples, list) or not samples or not all(map(_is_number, samples)):
        return "it needs 'samples', a list of scores"
    if not all(scale.holds(score) for score in samples):
        return f"its samples {canonical_json(samples)} are not within {scale}"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _anchor(line: int, row: dict[str, Any]) -> Anchor:
    return Anchor(
        output=JudgedOutput(
            inputs=row["inputs"],
            output=row["output"],
            expected=row.get("expected"),
            labelled="expected" in row,
            id=f"anchor on line {line}",
            line=line,
        ),
        scores=tuple(float(score) for score in row["samples"]),
    )
