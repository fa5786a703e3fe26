"""Owns reading a repository's files into a task's inputs, from the working tree or a commit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gepa_ci.cli.tree import tree_reader
from gepa_ci.config import config_for_prompt, read_config
from gepa_ci.config.keys import TESTED
from gepa_ci.config.problems import known_names, raise_all, shown
from gepa_ci.core.config import Measure, ProgramKind
from gepa_ci.core.prompt import Prompt, PromptSet, file_name
from gepa_ci.errors import (
    ConfigError,
    GepaCiError,
    Problem,
    PromptError,
    UsageError,
)
from gepa_ci.formats import read_prompt, render
from gepa_ci.metrics import build_metric, check_labels
from gepa_ci.suites import load_suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gepa_ci.cli.tree import Read
    from gepa_ci.core.config import Config, Task
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.suite import Example, Suite
    from gepa_ci.metrics import Metric

T = TypeVar("T")

_LISTED = 4
"""Further lines that a message names."""


@dataclass(frozen=True, kw_only=True)
class TaskInputs:
    """Everything about a task that is read from files."""

    task: Task
    prompt: Prompts
    """All its prompt files."""
    suite: Suite
    metric: Metric
    guards: Mapping[str, Metric | Measure]
    """What measures each guard, by its name."""
    warnings: tuple[str, ...]
    """Finished sentences."""


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A config and the way to the files that it names."""

    root: Path
    config: Config
    read: Read
    """Returns the bytes of a path relative to the root; raises GepaCiError."""

    def tasks(self, name: str | None) -> tuple[Task, ...]:
        """Return the task of that name, or all."""
        if name is None:
            return self.config.tasks
        for task in self.config.tasks:
            if task.name == name:
                return (task,)
        raise UsageError(
            f"there is no task {shown(name)}",
            path=self.config.path,
            hint=known_names(name, [task.name for task in self.config.tasks], "tasks"),
        )

    def inputs(self, tasks: Iterable[Task]) -> list[TaskInputs]:
        """Read all files of some tasks; one error holds all the problems of all of them."""
        found: list[TaskInputs] = []
        problems: list[Problem] = []
        for task in tasks:
            try:
                found.append(read_task(task, self.config.path, self.read))
            except GepaCiError as error:
                problems += [problem for problem in error.problems if problem not in problems]
        if problems:
            raise ConfigError.of(problems)
        return found


def open_workspace(config_path: str, task_name: str | None) -> tuple[Workspace, str | None]:
    """Read the config, or make one for a bare prompt file that is named in place of a task."""
    path = Path(config_path)
    bare = bare_prompt(task_name)
    if bare is not None:
        root, relative = bare
        workspace = Workspace(root=root, config=config_for_prompt(relative), read=tree_reader(root))
        return workspace, None
    if not path.is_file():
        raise ConfigError(
            f"there is no config file {shown(config_path)}",
            hint="write one, name it with --config, or name a .prompt.yml file in place of a task",
        )
    root = path.parent
    config = read_config(path.name, tree_reader(root)(path.name))
    return Workspace(root=root, config=config, read=tree_reader(root)), task_name


def bare_prompt(task_name: str | None) -> tuple[Path, str] | None:
    """Return root and path when a `.prompt.yml` file is named in place of a task."""
    if task_name is None or not task_name.endswith(TESTED):
        return None
    path = Path(task_name)
    root = path.parent if path.is_absolute() else Path()
    return root, path.relative_to(root).as_posix()


def read_task(
    task: Task, config_path: str, read: Read, *, prompt: Prompts | None = None
) -> TaskInputs:
    """Read and check one task's prompt, suite and metric, without a model.

    The suite of a `.prompt.yml` is read by `read` even when another side's prompt is given.

    Raises:
        GepaCiError: with all problems that were found.
    """
    problems: list[Problem] = []
    exam = prompt
    if prompt is None or brings_exam(task):
        exam = _noting(problems, lambda: task_prompts(task, config_path, read))
    if exam is None and brings_exam(task):
        raise ConfigError.of(problems)
    own = exam if isinstance(exam, Prompt) else None
    suite = _noting(problems, lambda: load_suite(task.suite, read, prompt=own))
    build = partial(
        build_metric,
        evaluators=own.evaluators if own is not None else (),
        read_code=read,
        where=config_path,
    )
    metric = _noting(problems, lambda: build(task.metrics, line=task.line))
    guards = _guards(task, problems, build)
    judged = prompt or exam
    if suite is None or metric is None or judged is None or len(guards) < len(task.gate.guards):
        raise ConfigError.of(problems)
    metrics = (metric, *(guard for guard in guards.values() if not isinstance(guard, Measure)))
    warnings = [*suite.warnings, *check_fit(judged, suite, metrics)]
    return TaskInputs(
        task=task,
        prompt=judged,
        suite=suite,
        metric=metric,
        guards=guards,
        warnings=tuple(warnings),
    )


def _guards(
    task: Task, problems: list[Problem], build: Callable[..., Metric]
) -> dict[str, Metric | Measure]:
    """Return what measures each guard, without those whose problems were noted."""
    found: dict[str, Metric | Measure | None] = {
        guard.name: guard.measure
        if guard.metric is None
        else _noting(problems, partial(build, (guard.metric,), line=guard.line))
        for guard in task.gate.guards
    }
    return {name: guard for name, guard in found.items() if guard is not None}


def check_fit(prompt: Prompts, suite: Suite, metrics: Sequence[Metric]) -> list[str]:
    """Check that the parts of a task fit each other, and return warnings."""
    examples = (*suite.tuning.train, *suite.tuning.val, *suite.held_out.examples)
    found = [problem for metric in metrics for problem in check_labels(metric, examples)]
    problems = list(dict.fromkeys(found))
    unused: set[str] = set()
    failed: defaultdict[str, list[tuple[Example, Problem]]] = defaultdict(list)
    for example in examples:
        try:
            unused |= set(render(prompt, example.inputs).unused_inputs)
        except PromptError as error:
            problem = error.problems[0]
            failed[f"{example.path}: {problem.message}"].append((example, problem))
    problems += [_once(found) for found in failed.values()]
    raise_all(problems, ConfigError)
    if not unused:
        return []
    names = ", ".join(f"'{name}'" for name in sorted(unused))
    return [f"{prompt.path} does not use these inputs: {names}."]


def _once(found: list[tuple[Example, Problem]]) -> Problem:
    """Return one problem for all examples of a file on which a prompt fails alike."""
    found = sorted(found, key=lambda pair: pair[0].line)
    example, problem = found[0]
    message, others = problem.message.rstrip("."), [str(other.line) for other, _ in found[1:]]
    if others:
        more = f" and {len(others) - _LISTED} more" if len(others) > _LISTED else ""
        lines = "line" if len(others) == 1 else "lines"
        message += f"; the same on {lines} {', '.join(others[:_LISTED])}{more}"
    return Problem(message=message, path=example.path, line=example.line, hint=problem.hint)


def _noting(problems: list[Problem], step: Callable[[], T]) -> T | None:
    try:
        return step()
    except GepaCiError as error:
        problems += error.problems
        return None


def task_prompts(task: Task, config_path: str, read: Read) -> Prompts:
    """Read a task's prompt files.

    Raises:
        GepaCiError: with all problems that were found.
    """
    problems: list[Problem] = []
    if len(task.prompts) != 1 and task.program.kind is ProgramKind.CHAT:
        raise ConfigError(
            f"task '{task.name}' has {len(task.prompts)} prompt files; a chat task has one",
            path=config_path,
            line=task.line,
            hint="make a task of each file, or say with `program:` what runs them together",
        )
    found = [_noting(problems, partial(_read_prompt, path, read)) for path in task.prompts]
    problems += _same_names(task, config_path)
    raise_all(problems, ConfigError)
    files = tuple(prompt for prompt in found if prompt is not None)
    return files[0] if len(files) == 1 else PromptSet(files=files)


def _read_prompt(path: str, read: Read) -> Prompt:
    return read_prompt(path, read(path))


def _same_names(task: Task, config_path: str) -> list[Problem]:
    names = [file_name(path) for path in task.prompts]
    twice = sorted({name for name in names if names.count(name) > 1})
    return [
        Problem(
            message=f"task '{task.name}' has several prompt files called '{name}'",
            path=config_path,
            line=task.line,
            hint="a file is known by its name without folder and endings; rename one of them",
        )
        for name in twice
    ]


def brings_exam(task: Task) -> bool:
    """Say whether the prompt file itself holds examples or checks."""
    guards = [guard.metric for guard in task.gate.guards if guard.metric is not None]
    return task.suite.file in task.prompts or any(
        metric.name == "evaluators" for metric in (*task.metrics, *guards)
    )
