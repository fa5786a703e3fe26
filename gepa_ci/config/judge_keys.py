"""Owns what the config says of judges: their files, and which model each of them is."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.config.leaves import safe_path
from gepa_ci.config.problems import shown
from gepa_ci.config.values import BAD
from gepa_ci.core.config import GatePolicy, MetricSpec, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.config.problems import Problems
    from gepa_ci.config.records import Fields

JUDGE = "judge"
"""Name of the metric, and of its model among `models`."""

_FILES = ("rubric", "anchors")
_MODEL = re.compile(r"[^\s/]+/\S+|local")


def judge_files(found: Fields, problems: Problems) -> None:
    """Report files of a judge that are not inside the repository."""
    if found.get("name") != JUDGE:
        return
    for key in _FILES:
        value = found.get(key)
        if isinstance(value, str) and safe_path(value) is BAD:
            problems.add(
                found.lines[key],
                f"{shown(value)} is not a value for {found.at}.{key}",
                "give a path inside the repository, relative to its root, with forward slashes "
                "and no '..'",
            )


def with_judges(
    metrics: tuple[MetricSpec, ...], models: Mapping[str, ModelSpec], problems: Problems
) -> tuple[MetricSpec, ...]:
    """Return metrics with the models of their judges."""
    return tuple(_with_judge(metric, models, problems) for metric in metrics)


def gate_with_judges(
    gate: GatePolicy, models: Mapping[str, ModelSpec], problems: Problems
) -> GatePolicy:
    """Return a gate whose guards have the models of their judges."""
    guards = tuple(
        guard
        if guard.metric is None
        else replace(guard, metric=_with_judge(guard.metric, models, problems))
        for guard in gate.guards
    )
    return replace(gate, guards=guards)


def _with_judge(
    metric: MetricSpec, models: Mapping[str, ModelSpec], problems: Problems
) -> MetricSpec:
    if metric.name != JUDGE:
        return metric
    named = metric.options.get("model")
    if named is None:
        return replace(metric, model=models.get(JUDGE))
    if not isinstance(named, str):
        message = f"{shown(str(named))} is not a value for 'model' of metric 'judge'"
        problems.add(metric.line, message, "give a name from models, or a model string")
        return metric
    if named in models:
        return replace(metric, model=models[named])
    if not _MODEL.fullmatch(named):
        close = difflib.get_close_matches(named, models, n=1, cutoff=0.75)
        hint = f"did you mean '{close[0]}'? " if close else ""
        problems.add(
            metric.line,
            f"no model {shown(named)} in models",
            f"{hint}name one of models, or write a model string such as openai/gpt-5",
        )
        return metric
    return replace(metric, model=ModelSpec(model=named))
