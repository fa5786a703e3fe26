"""Owns reading a repository's files into a task's inputs, from the working tree or a commit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gepa_ci.cli.choosing import chosen
from gepa_ci.cli.task_program import task_program
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
    UsageError,
)
from gepa_ci.formats import read_prompt
from gepa_ci.metrics import build_metric, check_labels, rubric_problems
from gepa_ci.suites import load_suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gepa_ci.cli.tree import Read
    from gepa_ci.core.config import Config, Task
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.suite import Suite
    from gepa_ci.delivery.commit_tree import CommitTree
    from gepa_ci.metrics import Metric
    from gepa_ci.programs import Program

T = TypeVar("T")

_LISTED = 4
"""Further lines that a message names."""


@dataclass(frozen=True, kw_only=True)
class TaskInputs:
    """Everything about a task that is read from files."""

    task: Task
    prompt: Prompts
    """All its prompt files."""
    program: Program
    """What runs them; a session gives it a client."""
    suite: Suite
    metric: Metric
    guards: Mapping[str, Metric | Measure]
    """What measures each guard, by its name."""
    warnings: tuple[str, ...]
    """Finished sentences."""
    choice: str = ""
    """Why `optimizer: auto` chose the task's optimizer, a finished sentence."""

    @property
    def model_name(self) -> str:
        """Return the model that runs the prompts; empty where there is no one model."""
        spec = self.program.model(self.prompt)
        return "" if spec is None else spec.model


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A config and the way to the files that it names."""

    root: Path
    config: Config
    read: Read
    """Returns the bytes of a path relative to the root; raises GepaCiError."""
    tree: CommitTree | None = None
    """The commit that files are read from; None for the working tree."""
    runs_programs: bool = True
    """Whether programs of the user's own may be started."""

    def may_run(self, task: Task) -> bool:
        """Return whether a task's program may be started, if only to look at it."""
        return self.runs_programs or task.program.kind is ProgramKind.CHAT

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
                found.append(read_task(task, self))
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
    task: Task, side: Workspace, *, read: Read | None = None, prompt: Prompts | None = None
) -> TaskInputs:
    """Read and check one task's prompts, program, suite and metric, without a model.

    The suite of a `.prompt.yml` is read by `read` even when another side's prompt is given.

    Raises:
        GepaCiError: with all problems that were found.
    """
    config_path, read = side.config.path, read or side.read
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
    program = _noting(problems, lambda: task_program(task, side, read))
    if suite is None or metric is None or judged is None or program is None or problems:
        raise ConfigError.of(problems)
    metrics = (metric, *(guard for guard in guards.values() if not isinstance(guard, Measure)))
    checked = program if side.may_run(task) else None
    warnings = [*suite.warnings, *check_fit(judged, checked, suite, metrics)]
    task, choice = chosen(task, side.config, judged, program, suite, metric)
    return TaskInputs(
        task=task,
        choice=choice,
        prompt=judged,
        program=program,
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


def check_fit(
    prompt: Prompts, program: Program | None, suite: Suite, metrics: Sequence[Metric]
) -> list[str]:
    """Check that the parts of a task fit each other, and return warnings.

    Without a program, whatever only starting it would tell is left out.
    """
    examples = (*suite.tuning.train, *suite.tuning.val, *suite.held_out.examples)
    found = [problem for metric in metrics for problem in check_labels(metric, examples)]
    problems = list(dict.fromkeys(found))
    warnings: list[str] = []
    try:
        warnings = [] if program is None else program.check(prompt, examples)
    except GepaCiError as error:
        problems += _grouped(error.problems)
    problems += _grouped(rubric_problems(metrics, examples))
    raise_all(problems, ConfigError)
    return warnings


def _grouped(problems: Sequence[Problem]) -> list[Problem]:
    """Return one problem for all lines of a file that have the same one."""
    alike: defaultdict[tuple[str | None, str], list[Problem]] = defaultdict(list)
    for problem in problems:
        alike[problem.path, problem.message].append(problem)
    return [_once(found) for found in alike.values()]


def _once(found: list[Problem]) -> Problem:
    first, *rest = sorted(found, key=lambda problem: problem.line or 0)
    others = [str(problem.line) for problem in rest]
    if not others:
        return first
    more = f" and {len(others) - _LISTED} more" if len(others) > _LISTED else ""
    lines = "line" if len(others) == 1 else "lines"
    listed = f"the same on {lines} {', '.join(others[:_LISTED])}{more}"
    return replace(first, message=f"{first.message.rstrip('.')}; {listed}")


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
    if len(task.prompts) != 1 and task.program.kind is ProgramKind.CHAT:
        raise ConfigError(
            f"task '{task.name}' has {len(task.prompts)} prompt files; a chat task has one",
            path=config_path,
            line=task.line,
            hint="make a task of each file, or say with `program:` what runs them together",
        )
    # Not among the problems: by what a missing file raises, a side is known to lack it.
    sources = [(path, read(path)) for path in task.prompts]
    problems = _same_names(task, config_path)
    found = [_noting(problems, partial(read_prompt, *source)) for source in sources]
    raise_all(problems, ConfigError)
    files = tuple(prompt for prompt in found if prompt is not None)
    return files[0] if len(files) == 1 else PromptSet(files=files)


def _same_names(task: Task, config_path: str) -> list[Problem]:
    paths: defaultdict[str, list[str]] = defaultdict(list)
    for path in task.prompts:
        paths[file_name(path)].append(path)
    return [
        Problem(
            message=f"prompt files of task '{task.name}' have the same name '{name}': "
            f"{' and '.join(same)}",
            path=config_path,
            line=task.line,
            hint="a file is known by its name without folder and endings; rename one of them",
        )
        for name, same in sorted(paths.items())
        if len(same) > 1
    ]


def brings_exam(task: Task) -> bool:
    """Say whether the prompt file itself holds examples or checks."""
    guards = [guard.metric for guard in task.gate.guards if guard.metric is not None]
    return task.suite.file in task.prompts or any(
        metric.name == "evaluators" for metric in (*task.metrics, *guards)
    )
