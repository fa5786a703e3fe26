"""Owns reading outputs that humans have scored: JSONL, JSON, CSV or YAML rows."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from gepa_ci.config.problems import Problems, known_names, shown
from gepa_ci.core.judging import HumanLabel, JudgedOutput, Scale
from gepa_ci.errors import SuiteError
from gepa_ci.suites.files import raw_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON

KEYS = ("id", "inputs", "output", "expected", "score")
FEWEST = 12
"""Labelled outputs; as many as anchors are needed."""
_UNIT = Scale(low=0.0, high=1.0)


def read_labels(path: str, source: bytes, scale: Scale) -> tuple[HumanLabel, ...]:
    """Read labelled outputs; scores are on the judge's scale, or all of them shares of it.

    Raises:
        SuiteError: with all that is wrong with the file.
    """
    problems = Problems(path=path)
    rows = [
        (line, _with_columns(row) if path.lower().endswith(".csv") else row)
        for line, row in raw_rows(path, source, problems)
    ]
    labels = [label for line, row in rows if (label := _label(row, line, problems)) is not None]
    problems.raise_any(SuiteError)
    if len(labels) < FEWEST:
        raise SuiteError(
            f"there are {len(labels)} labelled outputs, and at least {FEWEST} are needed",
            path=path,
            hint="50 or more tell something; each has 'inputs', 'output' and a human's 'score'",
        )
    given = _fitting(labels, scale, problems)
    problems.raise_any(SuiteError)
    if len({label.score for label in given}) == 1:
        raise SuiteError(
            "all human scores are the same, so there is nothing to agree on",
            path=path,
            hint="add outputs that a human finds better or worse",
        )
    return given


def _with_columns(row: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the row of a table, whose columns `output` and `score` were taken for inputs."""
    inputs = row.get("inputs")
    assert isinstance(inputs, dict)
    own = {name: inputs[name] for name in ("output", "score") if name in inputs}
    rest = {name: value for name, value in inputs.items() if name not in own}
    score = own.get("score")
    if isinstance(score, str):
        with contextlib.suppress(ValueError):
            own["score"] = float(score)
    return {**row, **own, "inputs": rest}


def _label(row: Mapping[str, JSON], line: int, problems: Problems) -> HumanLabel | None:
    before = len(problems.found)
    for name in row:
        if name not in KEYS:
            message = f"unknown key {shown(name)} in a labelled output"
            problems.add(line, message, known_names(name, KEYS, "keys"))
    inputs, output, score = row.get("inputs"), row.get("output"), row.get("score")
    if isinstance(inputs, str):
        inputs = {"input": inputs}
    if not isinstance(inputs, dict) or not inputs:
        problems.add(line, "the row has no 'inputs'", 'write "inputs": {"question": "..."}')
    if not isinstance(output, str):
        problems.add(line, "the row has no 'output'", "give the text that a human has scored")
    is_number = isinstance(score, int | float) and not isinstance(score, bool)
    if not is_number or not math.isfinite(score):  # type: ignore[arg-type]
        problems.add(line, "the row has no 'score'", "give the human's score, a number")
    if len(problems.found) > before:
        return None
    return HumanLabel(
        output=JudgedOutput(
            inputs=inputs,  # type: ignore[arg-type]
            output=output,  # type: ignore[arg-type]
            expected=row.get("expected"),
            labelled="expected" in row,
            id=str(row.get("id") or f"line {line}"),
            line=line,
        ),
        score=float(score),  # type: ignore[arg-type]
    )


def _fitting(labels: list[HumanLabel], scale: Scale, problems: Problems) -> tuple[HumanLabel, ...]:
    if all(scale.holds(label.score) for label in labels):
        return tuple(labels)
    if all(_UNIT.holds(label.score) for label in labels):
        width = scale.high - scale.low
        return tuple(
            HumanLabel(output=label.output, score=scale.low + label.score * width)
            for label in labels
        )
    for label in labels:
        if not scale.holds(label.score):
            problems.add(
                label.output.line,
                f"the score '{label.score:g}' is not within {scale}, the judge's scale",
                "give all scores on that scale, or all of them from 0 to 1",
            )
    return ()
