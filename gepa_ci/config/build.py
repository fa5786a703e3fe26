"""Owns how the keys of a config become its values: models by name, defaults, suites of prompts."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.config.judge_keys import gate_with_judges, with_judges
from gepa_ci.config.keys import TESTED, prompts_of
from gepa_ci.config.problems import shown
from gepa_ci.core.config import (
    CacheMode,
    Config,
    GatePolicy,
    MetricSpec,
    ModelSpec,
    OptimizePolicy,
    ProgramSpec,
    ReportPolicy,
    SpendCaps,
    Split,
    SuiteSpec,
    Task,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.config.problems import Problems
    from gepa_ci.config.records import Fields

EVALUATORS = MetricSpec(name="evaluators")
"""The metric of a prompt file that brings its own."""


def build_config(found: Fields, path: str, digest: str, problems: Problems) -> Config:
    """Return the config; what does not fit together is reported."""
    models = {name: spec for name, (_, spec) in (found.get("models") or {}).items()}
    tasks = tuple(
        _task(name, line, keys, models, problems)
        for name, (line, keys) in (found.get("tasks") or {}).items()
    )
    concurrency = found.get("concurrency")
    return Config(
        path=path,
        tasks=tasks,
        models=models,
        **({} if concurrency is None else {"concurrency": concurrency}),
        spend=found.get("spend") or SpendCaps(),
        cache=found.get("cache") or CacheMode.ON,
        report=found.get("report") or ReportPolicy(),
        digest=digest,
    )


def _task(
    name: str, line: int, keys: Fields, models: Mapping[str, ModelSpec], problems: Problems
) -> Task:
    prompts = prompts_of(keys)
    return Task(
        name=name,
        prompts=prompts,
        suite=_suite(keys, prompts),
        metrics=with_judges(keys.get("metric") or (EVALUATORS,), models, problems),
        program=keys.get("program") or ProgramSpec(),
        model=_model(keys, models, problems),
        gate=gate_with_judges(keys.get("gate") or GatePolicy(), models, problems),
        optimize=keys.get("optimize") or OptimizePolicy(),
        line=line,
    )


def _suite(keys: Fields, prompts: tuple[str, ...]) -> SuiteSpec:
    given = keys.get("suite")
    if given is not None:
        spec: SuiteSpec = given.spec
    else:
        spec = SuiteSpec(file=prompts[0] if prompts else None)
    split = keys.get("split")
    return spec if split is None else replace(spec, split=split)


def _model(keys: Fields, models: Mapping[str, ModelSpec], problems: Problems) -> ModelSpec | None:
    given = keys.get("model")
    if given is None:
        return models.get("task")
    if isinstance(given, ModelSpec):
        return given
    if given in models:
        return models[given]
    close = difflib.get_close_matches(given, models, n=1, cutoff=0.75)
    if close and "/" not in given and given != "local":
        hint = f"did you mean '{close[0]}'? Or write a model string such as openai/gpt-5-mini"
        problems.add(keys.lines["model"], f"no model {shown(given)} in models", hint)
    return ModelSpec(model=given)


def task_name(prompt_path: str) -> str:
    """Return the task name that a prompt file has when no config names it."""
    stem = prompt_path.rsplit("/", 1)[-1]
    for ending in TESTED:
        stem = stem.removesuffix(ending)
    return re.sub(r"[^a-z0-9_-]+", "-", stem.lower()).strip("-_") or "prompt"


def prompt_task(prompt_path: str) -> Task:
    """Return the task of a prompt file that brings its own examples and evaluators."""
    return Task(
        name=task_name(prompt_path),
        prompts=(prompt_path,),
        # All rows are the exam: nobody optimizes on them without a config that says so.
        suite=SuiteSpec(file=prompt_path, split=Split(train=0.0, val=0.0, held_out=1.0)),
        metrics=(EVALUATORS,),
    )
