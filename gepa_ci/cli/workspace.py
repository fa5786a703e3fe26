"""Owns reading a repository's files into a task's inputs, from the working tree or a commit."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gepa_ci.config import config_for_prompt, read_config
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
    from collections.abc import Callable, Iterable

    from gepa_ci.core.config import Config, Task
    from gepa_ci.core.prompt import Prompt
    from gepa_ci.core.suite import Suite
    from gepa_ci.metrics import Metric

    Read = Callable[[str], bytes]

_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class TaskInputs:
    """Everything about a task that is read from files."""

    task: Task
    prompt: Prompt
    suite: Suite
    metric: Metric
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
        known = ", ".join(sorted(task.name for task in self.config.tasks))
        raise UsageError(
            f"there is no task '{name}'", path=self.config.path, hint=f"tasks: {known}"
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
    if task_name is not None and _is_prompt_file(task_name) and Path(task_name).is_file():
        prompt_path = Path(task_name)
        root = prompt_path.parent if prompt_path.is_absolute() else Path()
        relative = prompt_path.relative_to(root).as_posix()
        workspace = Workspace(root=root, config=config_for_prompt(relative), read=tree_reader(root))
        return workspace, None
    if not path.is_file():
        raise ConfigError(
            f"there is no config file '{config_path}'",
            hint="write one, name it with --config, or name a .prompt.yml file in place of a task",
        )
    root = path.parent
    config = read_config(path.name, tree_reader(root)(path.name))
    return Workspace(root=root, config=config, read=tree_reader(root)), task_name


def tree_reader(root: Path) -> Read:
    """Return a reader of files below a folder that follows no link out of it."""
    real_root = root.resolve()

    def read(path: str) -> bytes:
        full = real_root / path
        if not full.resolve().is_relative_to(real_root):
            raise UsageError("the path leads out of the repository", path=path)
        try:
            status = full.stat()
            if not stat.S_ISREG(status.st_mode):
                raise UsageError("this is not a file", path=path)
            if status.st_size > _LARGEST:
                raise UsageError(
                    f"the file has {status.st_size} bytes; 64 MiB is the most", path=path
                )
            return full.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read the file: {error.strerror}", path=path) from error

    return read


def read_task(
    task: Task, config_path: str, read: Read, *, prompt: Prompt | None = None
) -> TaskInputs:
    """Read and check one task's prompt, suite and metric, without a model.

    The suite of a `.prompt.yml` is read by `read` even when another side's prompt is given.

    Raises:
        GepaCiError: with all problems that were found.
    """
    exam = task_prompt(task, config_path, read) if prompt is None or _brings_exam(task) else prompt
    prompt = prompt or exam
    problems: list[Problem] = []
    suite, metric = None, None
    try:
        suite = load_suite(task.suite, read, prompt=exam)
    except GepaCiError as error:
        problems += error.problems
    try:
        metric = build_metric(
            task.metrics,
            evaluators=exam.evaluators,
            read_code=read,
            where=config_path,
            line=task.line,
        )
    except GepaCiError as error:
        problems += error.problems
    if suite is None or metric is None:
        raise ConfigError.of(problems)
    examples = (*suite.tuning.train, *suite.tuning.val, *suite.held_out.examples)
    problems += check_labels(metric, examples)
    warnings = list(suite.warnings)
    unused: set[str] = set()
    for example in examples:
        try:
            unused |= set(render(prompt, example.inputs).unused_inputs)
        except PromptError as error:
            problem = error.problems[0]
            problems.append(
                Problem(
                    message=problem.message, path=example.path, line=example.line, hint=problem.hint
                )
            )
    if problems:
        raise ConfigError.of(problems)
    if unused:
        names = ", ".join(f"'{name}'" for name in sorted(unused))
        warnings.append(f"{prompt.path} does not use these inputs: {names}.")
    return TaskInputs(
        task=task, prompt=prompt, suite=suite, metric=metric, warnings=tuple(warnings)
    )


def task_prompt(task: Task, config_path: str, read: Read) -> Prompt:
    """Read a task's one prompt file."""
    if len(task.prompts) != 1:
        raise ConfigError(
            f"task '{task.name}' has {len(task.prompts)} prompt files; a chat task has one",
            path=config_path,
            line=task.line,
            hint="make a task of each file",
        )
    return read_prompt(task.prompts[0], read(task.prompts[0]))


def _brings_exam(task: Task) -> bool:
    """Say whether the prompt file itself holds examples or checks."""
    return task.suite.file in task.prompts or any(m.name == "evaluators" for m in task.metrics)


def write_prompt(root: Path, prompt: Prompt) -> tuple[str, ...]:
    """Replace a prompt file by new bytes, whole or not at all, and never through a link."""
    target = root.resolve() / prompt.path
    if target.is_symlink() or target.resolve() != target:
        raise PromptError(
            "a symbolic link is not written through", path=prompt.path, hint="name the real file"
        )
    draft = target.with_name(f".{target.name}.gepa-ci")
    try:
        draft.write_bytes(prompt.source)
        draft.chmod(stat.S_IMODE(target.stat().st_mode))
        draft.replace(target)
    except OSError as error:
        raise PromptError(f"cannot write the file: {error.strerror}", path=prompt.path) from error
    return (prompt.path,)


def _is_prompt_file(name: str) -> bool:
    return name.endswith((".prompt.yml", ".prompt.yaml"))
