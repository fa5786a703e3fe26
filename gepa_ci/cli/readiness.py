"""Owns what must hold before a command may call a model, beyond files that can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.cli.choosing import reflection_of
from gepa_ci.core.suite import Part
from gepa_ci.errors import ConfigError, GepaCiError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.core.config import Config


def check_models(tasks: Iterable[TaskInputs]) -> None:
    """Raise ConfigError unless a model is named for each task."""
    _raise([problem for inputs in tasks for problem in _model_problems(inputs)])


def check_optimizers(tasks: Iterable[TaskInputs], config: Config) -> None:
    """Raise ConfigError where a search could never work, for tasks with examples to search on."""
    _raise(
        [
            problem
            for inputs in tasks
            if inputs.suite.tuning.train and inputs.suite.tuning.val
            for problem in _setting_problems(inputs, config)
        ]
    )


def check_runnable(tasks: Iterable[TaskInputs], config: Config, part: Part) -> None:
    """Raise ConfigError unless each task has a model, and examples in the part that is run."""
    problems: list[Problem] = []
    for inputs in tasks:
        problems += _model_problems(inputs)
        problems += _empty_parts(inputs, config, (part,))
    _raise(problems)


def check_optimizable(tasks: Iterable[TaskInputs], config: Config) -> None:
    """Raise ConfigError unless each task has all that a search and its proof need."""
    problems: list[Problem] = []
    for inputs in tasks:
        problems += _model_problems(inputs)
        problems += _empty_parts(inputs, config, tuple(Part))
        problems += [p for p in _optimizer_problems(inputs, config) if p not in problems]
    _raise(problems)


def _setting_problems(inputs: TaskInputs, config: Config) -> list[Problem]:
    from gepa_ci.optimizers.checks import Ground, check

    task, tuning = inputs.task, inputs.suite.tuning
    ground = Ground(
        prompts=inputs.prompt,
        program=task.program.kind,
        train=len(tuning.train),
        val=len(tuning.val),
        path=config.path,
        line=task.line or None,
    )
    return check(task.optimize, ground)


def _optimizer_problems(inputs: TaskInputs, config: Config) -> list[Problem]:
    problems = _setting_problems(inputs, config)
    if not problems:
        try:
            reflection_of(config, inputs.task.optimize)
        except ConfigError as error:
            problems += error.problems
    return problems


def _model_problems(inputs: TaskInputs) -> Sequence[Problem]:
    try:
        inputs.program.model(inputs.prompt)
    except GepaCiError as error:
        return error.problems
    return ()


def _empty_parts(inputs: TaskInputs, config: Config, parts: tuple[Part, ...]) -> list[Problem]:
    return [
        Problem(
            message=f"task '{inputs.task.name}' has no {part.value.replace('_', '-')} examples",
            path=config.path,
            line=inputs.task.line or None,
            hint=f"give '{part.value}' a share of `split:`, or mark examples `part: {part.value}`",
        )
        for part in parts
        if not inputs.suite.part(part)
    ]


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise ConfigError.of(problems)
