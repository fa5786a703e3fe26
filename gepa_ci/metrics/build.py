"""Owns building a task's metric from its config, with all problems at once."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gepa_ci.core.config import MetricSpec
from gepa_ci.core.digests import digest
from gepa_ci.errors import ConfigError, GepaCiError, MetricError, Problem
from gepa_ci.metrics.evaluators import build_evaluators, unique_names
from gepa_ci.metrics.feedback import nearest
from gepa_ci.metrics.json_fields import JsonFields
from gepa_ci.metrics.judge_options import JUDGE
from gepa_ci.metrics.metric import BadOptionError, SingleMetric, WeightedMetric
from gepa_ci.metrics.options import option_problems
from gepa_ci.metrics.registry import BUILT_INS, EVALUATORS, known_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.core.prompt import Evaluator
    from gepa_ci.metrics.metric import BuiltIn, Metric


def build_metric(
    specs: tuple[MetricSpec, ...],
    *,
    evaluators: tuple[Evaluator, ...] = (),
    read_code: Callable[[str], bytes] | None = None,
    where: str,
    line: int | None,
) -> Metric:
    """Build the metric of a task; without specs, of its prompt file's evaluators.

    Args:
        specs: The metrics of the config; several make a weighted mean.
        evaluators: Those of the task's `.prompt.yml` file.
        read_code: Gives the bytes of a user's file; the working directory's when left out.
        where: The config file, for errors.
        line: The task's line in it.

    Raises:
        ConfigError: with every problem of the specs.
        MetricError: for evaluators that need a judge, when nothing else is wrong.
    """
    built: list[SingleMetric] = []
    problems: list[Problem] = []
    error_type: type[GepaCiError] = ConfigError
    for spec in specs or (MetricSpec(name=EVALUATORS),):
        try:
            built.append(
                _build_one(
                    spec,
                    evaluators,
                    read_code or _read_from_disk,
                    where=where,
                    line=spec.line or line,
                )
            )
        except GepaCiError as error:
            problems += error.problems
            error_type = MetricError if isinstance(error, MetricError) else ConfigError
    if problems:
        raise (error_type if len(problems) == 1 else ConfigError).of(problems)
    return built[0] if len(built) == 1 else _weighted(built, specs)


def _read_from_disk(path: str) -> bytes:
    return Path(path).read_bytes()


def _build_one(
    spec: MetricSpec,
    evaluators: tuple[Evaluator, ...],
    read_code: Callable[[str], bytes],
    *,
    where: str,
    line: int | None,
) -> SingleMetric:
    if not (math.isfinite(spec.weight) and spec.weight > 0):
        raise ConfigError(
            f"the weight of metric '{spec.name}' must be above 0, got '{spec.weight}'",
            path=where,
            line=line,
        )
    if spec.name in BUILT_INS:
        return _build_built_in(BUILT_INS[spec.name], spec, where=where, line=line)
    if spec.name == EVALUATORS:
        return _build_evaluators(spec, evaluators, where=where, line=line)
    if spec.name == JUDGE:
        from gepa_ci.metrics.judge_build import build_judge

        return build_judge(spec, read_code, where=where, line=line)
    path, _, function = spec.name.rpartition(":")
    if path.endswith(".py") and function.isidentifier():
        # Only this kind needs the import machinery.
        from gepa_ci.metrics.user_metric import build_user_metric

        return build_user_metric(spec, read_code, where=where, line=line)
    raise ConfigError(
        f"unknown metric '{spec.name}'", path=where, line=line, hint=_unknown_hint(spec.name)
    )


def _unknown_hint(name: str) -> str:
    if ".py" in name:
        return "a metric of your own is written path.py:function"
    known = ", ".join(known_metrics())
    return f"{nearest(name, known_metrics())}known metrics: {known}; or path.py:function"


def _build_built_in(
    built_in: BuiltIn, spec: MetricSpec, *, where: str, line: int | None
) -> SingleMetric:
    found = option_problems(built_in.name, built_in.options, spec.options)
    if found:
        raise ConfigError.of(
            Problem(message=message, path=where, line=line, hint=hint) for message, hint in found
        )
    given = {name: value for name, value in spec.options.items() if value is not None}
    try:
        scorer = built_in.make(**given)
    except BadOptionError as error:
        raise ConfigError(
            f"option '{error.option}' of metric '{spec.name}' {error.message}",
            path=where,
            line=line,
            hint=error.hint,
        ) from None
    options = {option.name: option.default for option in built_in.options} | given
    return SingleMetric(
        name=spec.name,
        digest=digest([built_in.name, built_in.version, options]),
        scorer=scorer,
        named_fields=scorer.named_fields if isinstance(scorer, JsonFields) else (),
    )


def _build_evaluators(
    spec: MetricSpec, evaluators: tuple[Evaluator, ...], *, where: str, line: int | None
) -> SingleMetric:
    if spec.options:
        raise ConfigError(
            f"unknown option '{next(iter(spec.options))}' of metric '{EVALUATORS}'",
            path=where,
            line=line,
            hint="this metric has no options",
        )
    if not evaluators:
        raise ConfigError(
            "there is no metric, and the prompt file brings no evaluators along",
            path=where,
            line=line,
            hint=f"give the task a metric: {', '.join(BUILT_INS)}, or path.py:function; "
            "or give the .prompt.yml file string evaluators",
        )
    return build_evaluators(evaluators, where=where)


def _weighted(built: list[SingleMetric], specs: tuple[MetricSpec, ...]) -> WeightedMetric:
    weights = tuple(float(spec.weight) for spec in specs)
    names = unique_names([metric.name for metric in built])
    return WeightedMetric(
        name=", ".join(metric.name for metric in built),
        digest=digest([[metric.digest for metric in built], list(weights)]),
        metrics=tuple(
            replace(metric, name=name) for metric, name in zip(built, names, strict=True)
        ),
        weights=weights,
    )
