"""Owns the checks of labels: whether a metric can work with what the examples expect."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.errors import Problem
from gepa_ci.metrics.feedback import kind, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON
    from gepa_ci.metrics.metric import Metric


def check_labels(metric: Metric, examples: Iterable[Example]) -> tuple[Problem, ...]:
    """Return a problem for each example whose label is missing or of no use to the metric."""
    if not metric.needs_expected:
        return ()
    examples = tuple(examples)
    found = ((example, _label_problem(metric, example)) for example in examples)
    problems = [
        replace(problem, path=example.path or None, line=example.line or None)
        for example, problem in found
        if problem is not None
    ]
    return (*problems, *_field_problems(metric, examples))


def _field_problems(metric: Metric, examples: tuple[Example, ...]) -> list[Problem]:
    labels = [from_json_text(example.expected) for example in examples]
    known = {name for label in labels if isinstance(label, dict) for name in label}
    return [
        Problem(
            message=f"metric '{metric.name}' names the field '{name}', which no 'expected' has",
            path=examples[0].path or None,
            hint=f"{nearest(name, known)}fields: {', '.join(sorted(known))}",
        )
        for name in metric.named_fields
        if known and name not in known
    ]


def _label_problem(metric: Metric, example: Example) -> Problem | None:
    if not example.labelled:
        return Problem(
            message=f"example '{example.id}' has no 'expected', which metric '{metric.name}' needs",
            hint="add the answer as 'expected', or choose a metric that needs none",
        )
    problem = metric.label_problem(example)
    if problem is None:
        return None
    return replace(problem, message=f"'expected' of example '{example.id}' {problem.message}")


def scalar_problem(expected: JSON) -> Problem | None:
    """Return a problem unless the label is one text, number, boolean or null."""
    if not isinstance(expected, (list, tuple, dict)):
        return None
    name = kind(expected)
    better = "json_fields" if name == "object" else "one_of"
    return Problem(
        message=f"is not one text but the {name} {shown(expected)}",
        hint=f"metric '{better}' compares with a label like this",
    )


def texts_problem(expected: JSON) -> Problem | None:
    """Return a problem unless the label is one value or a list of them that is not empty."""
    texts = list_of(expected)
    if texts is None:
        return scalar_problem(expected)
    if not texts:
        return Problem(message="is an empty list", hint="give at least one text")
    for item in texts:
        if isinstance(item, (list, tuple, dict)):
            return Problem(
                message=f"has the item {shown(item)}, which is not one text",
                hint="give a list of texts or numbers",
            )
    return None


def list_of(expected: JSON) -> list[JSON] | None:
    """Return a label that is a list, or a text that holds a JSON list, else None."""
    value = from_json_text(expected)
    return list(value) if isinstance(value, (list, tuple)) else None


def from_json_text(expected: JSON) -> JSON:
    """Return what a text label holds when it is a JSON list or object, as in a CSV cell."""
    if not isinstance(expected, str) or not expected.lstrip().startswith(("{", "[")):
        return expected
    try:
        value: JSON = json.loads(expected)
    except (ValueError, RecursionError):
        return expected
    return value
