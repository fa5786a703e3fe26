"""Owns the metric evaluators: the string checks that a `.prompt.yml` file brings along."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gepa_ci.core.digests import digest
from gepa_ci.core.score import Score
from gepa_ci.errors import MetricError
from gepa_ci.metrics.feedback import difference, quote
from gepa_ci.metrics.labels import scalar_problem
from gepa_ci.metrics.metric import SingleMetric

if TYPE_CHECKING:
    from gepa_ci.core.prompt import Evaluator
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON
    from gepa_ci.errors import Problem

NAME = "evaluators"

_VERSION = 1

_OPERATORS = {
    "equals": "be exactly",
    "contains": "contain",
    "startsWith": "start with",
    "endsWith": "end with",
}

_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class StringEvaluators:
    """Passes an output when all checks do."""

    checks: tuple[Evaluator, ...]
    """At least one; their names are unique."""

    @property
    def needs_expected(self) -> bool:
        """Return whether a check mentions the label."""
        return any("{{expected}}" in check.value for check in self.checks)

    def label_problem(self, expected: JSON) -> Problem | None:
        """Return a problem when the label cannot be put into a text."""
        return scalar_problem(expected)

    def score(self, example: Example, output: str) -> Score:
        """Return 1 when every check passes, with a part for each."""
        row = {**example.inputs, **({"expected": example.expected} if example.labelled else {})}
        values = [(check, _filled(check.value, row)) for check in self.checks]
        results = [(check, value, _passes(check, value, output)) for check, value in values]
        failed = [f"- {_describe(c, value, output)}" for c, value, passed in results if not passed]
        feedback = "\n".join((f"Got {quote(output)}. Failed:", *failed))
        return Score(
            value=0.0 if failed else 1.0,
            feedback=feedback if failed else "Correct: every evaluator passed.",
            parts={check.name: float(passed) for check, _, passed in results},
        )


def build_evaluators(evaluators: tuple[Evaluator, ...], *, where: str) -> SingleMetric:
    """Build the metric of a prompt file's evaluators.

    Raises:
        MetricError: for evaluators that ask a judge.
    """
    judged = [check.name for check in evaluators if check.operator not in _OPERATORS]
    if judged:
        names = ", ".join(f"'{name}'" for name in judged)
        raise MetricError(
            f"these evaluators need a judge LM, which a prompt file cannot bring: {names}",
            path=where,
            hint="remove them, or give the task a metric in gepa-ci.yml, such as judge; string "
            f"evaluators work: {', '.join(_OPERATORS)}",
        )
    return SingleMetric(
        name=NAME,
        digest=digest(
            [NAME, _VERSION, [[check.name, check.operator, check.value] for check in evaluators]]
        ),
        scorer=StringEvaluators(checks=_uniquely_named(evaluators)),
    )


def _uniquely_named(evaluators: tuple[Evaluator, ...]) -> tuple[Evaluator, ...]:
    names = unique_names([check.name or check.operator for check in evaluators])
    return tuple(replace(check, name=name) for check, name in zip(evaluators, names, strict=True))


def unique_names(names: list[str]) -> list[str]:
    """Return the names with `_2`, `_3` added to those that came before."""
    taken: list[str] = []
    for name in names:
        numbered, number = name, 2
        while numbered in taken:
            numbered, number = f"{name}_{number}", number + 1
        taken.append(numbered)
    return taken


def _filled(template: str, row: dict[str, JSON]) -> str:
    # In one pass, so that a placeholder inside a value stays text; unknown names stay too.
    def value_of(match: re.Match[str]) -> str:
        key = match[1]
        return _inserted(row[key]) if key in row else match[0]

    return _PLACEHOLDER.sub(value_of, template)


def _inserted(value: JSON) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _passes(check: Evaluator, value: str, output: str) -> bool:
    match check.operator:
        case "equals":
            return output == value
        case "contains":
            return value.lower() in output.lower()
        case "startsWith":
            return output.lower().startswith(value.lower())
        case _:
            return output.lower().endswith(value.lower())


def _describe(check: Evaluator, value: str, output: str) -> str:
    sentence = f"{check.name}: the output must {_OPERATORS[check.operator]} {quote(value)}."
    if check.operator == "equals" or not output.strip():
        return f"{sentence} {difference(value, output)}"
    if value.lower() in output.lower():
        place = "start" if check.operator == "startsWith" else "end"
        return f"{sentence} It holds that text, but not at the {place}."
    return f"{sentence} That text is not in it."
