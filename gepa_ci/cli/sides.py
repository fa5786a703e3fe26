"""Owns base and head of a gate: which prompts are compared, and whose exam they take."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gepa_ci.cli.tree import NoFileError, tree_reader
from gepa_ci.cli.workspace import (
    Workspace,
    bare_prompt,
    brings_exam,
    open_workspace,
    read_task,
    task_prompts,
)
from gepa_ci.config import config_for_prompt, read_config
from gepa_ci.core.result import TaskResult
from gepa_ci.delivery.commit_files import MissingFileError, commit_reader
from gepa_ci.delivery.commit_tree import CommitTree
from gepa_ci.errors import ConfigError, GepaCiError
from gepa_ci.lm.local_files import default_cache_dir

if TYPE_CHECKING:
    from gepa_ci.cli.tree import Read
    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.core.config import Config, Task
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Exam:
    """One task of a gate: the exam of the trusted side, and the prompts that take it."""

    inputs: TaskInputs
    """With the head's prompt."""
    base: Prompts | None
    """None for a prompt that is new."""
    notes: tuple[str, ...]
    """Finished sentences about what else differs between the sides."""


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Base and head, each with its own config where it has one, and the trusted one of the two."""

    base: Workspace
    head: Workspace
    trusts_base: bool

    @classmethod
    def open(
        cls,
        config_path: str,
        task_name: str | None,
        *,
        base: str,
        head: str | None,
        trust: str,
        runs_programs: bool = True,
    ) -> Sides:
        """Open both sides; only the trusted one's config must be right.

        Raises:
            GepaCiError: a commit is not there, or the trusted config is wrong.
        """
        path, trusts_base = Path(config_path), trust == "base"
        bare = bare_prompt(task_name)
        root = path.parent if bare is None else bare[0]
        read_base = commit_reader(root, base)
        read_head = tree_reader(root) if head is None else commit_reader(root, head)
        if bare is not None:
            base_config = head_config = config_for_prompt(bare[1])
        elif trusts_base:
            base_config = _trusted_config(path, read_base, trust)
            head_config = _other_config(path, read_head) or base_config
        else:
            head_config = (
                open_workspace(config_path, None)[0].config
                if head is None
                else _trusted_config(path, read_head, trust)
            )
            base_config = _other_config(path, read_base) or head_config
        return cls(
            base=Workspace(
                root=root,
                config=base_config,
                read=read_base,
                tree=_tree(root, base),
                runs_programs=runs_programs,
            ),
            head=Workspace(
                root=root,
                config=head_config,
                read=read_head,
                tree=None if head is None else _tree(root, head),
                runs_programs=runs_programs,
            ),
            trusts_base=trusts_base,
        )

    @property
    def trusted(self) -> Workspace:
        """Return the side whose config, suites and metrics are used."""
        return self.base if self.trusts_base else self.head

    @property
    def other(self) -> Workspace:
        """Return the side of which only the prompts are used."""
        return self.head if self.trusts_base else self.base

    def exams(self, task_name: str | None) -> list[Exam]:
        """Read what is needed for each task that both sides know, or that the head has brought.

        Raises:
            ConfigError: with all problems of all tasks.
        """
        found: list[Exam] = []
        problems: list[Problem] = []
        for task in self.trusted.tasks(task_name):
            if self._is_removed(task):
                continue
            try:
                found.append(self._exam(task))
            except GepaCiError as error:
                problems += [problem for problem in error.problems if problem not in problems]
        if problems:
            raise ConfigError.of(problems)
        return found

    def not_judged(self, task_name: str | None) -> list[TaskResult]:
        """Return results without a verdict for tasks that only the other side has, or has not."""
        found = [
            _unjudged(task, "The head has no such task any more, so nothing was run.")
            for task in self.trusted.tasks(task_name)
            if self._is_removed(task)
        ]
        if self.trusts_base and task_name is None:
            known = {task.name for task in self.base.config.tasks}
            found += [
                _unjudged(task, "The task is new; its exam counts once the base has it.")
                for task in self.head.config.tasks
                if task.name not in known
            ]
        return found

    def _is_removed(self, task: Task) -> bool:
        return (
            self.trusts_base and _own(self.head, task) is None and self._changed_file(task) is None
        )

    def _changed_file(self, task: Task) -> str | None:
        """Return a prompt file that the base names, when the head still has it, but changed."""
        for path in task.prompts:
            try:
                if self.base.read(path) != self.head.read(path):
                    return path
            except GepaCiError:
                continue
        return None

    def _exam(self, task: Task) -> Exam:
        self._refuse_two_prompts(task)
        head = self._prompt(self.head, task)
        if head is None:
            raise ConfigError(
                f"the head has no prompt file for task '{task.name}'",
                path=task.prompts[0],
                hint="restore the file, or correct or remove its task in the config",
            )
        base = self._prompt(self.base, task)
        read, paths = _recorded(self.trusted.read)
        # With `--trust base`, a new exam does not exist there, and reading it says so.
        inputs = read_task(task, self.trusted, read=read, prompt=head)
        notes = (*_renamed(base, head), *self._exam_notes(task, paths, head, base))
        return Exam(inputs=inputs, base=base, notes=notes)

    def _refuse_two_prompts(self, task: Task) -> None:
        """Refuse a head that names another file for a task and changes the base's file as well.

        One of the two would be judged, and the other one might be what is used.
        """
        own = _own(self.head, task)
        if not self.trusts_base or own is None or own.prompts == task.prompts:
            return
        if path := self._changed_file(task):
            raise ConfigError(
                f"task '{task.name}' takes the prompt '{', '.join(own.prompts)}' on the head, and "
                f"the base's file is changed there as well",
                path=path,
                hint="change the file in one pull request and the config in another, or remove "
                "the file that is not used any more",
            )

    def _prompt(self, side: Workspace, task: Task) -> Prompts | None:
        """Read the prompt that a side's own config names for a task, or else the trusted one's."""
        for named in (_own(side, task), task):
            if named is None:
                continue
            try:
                return task_prompts(named, side.config.path, side.read)
            except (MissingFileError, NoFileError):
                continue
        return None

    def _exam_notes(
        self, task: Task, paths: list[str], head: Prompts, base: Prompts | None
    ) -> tuple[str, ...]:
        own = _own(self.other, task)
        changed = [] if own is None or _terms(own) == _terms(task) else [self.trusted.config.path]
        changed += [path for path in paths if path not in task.prompts and self._differs(path)]
        if brings_exam(task) and base is not None and _checks(base) != _checks(head):
            changed.append(head.files[0].path)
        if not changed:
            return ()
        names = ", ".join(dict.fromkeys(changed))
        side = "base" if self.trusts_base else "head"
        return (f"The exam differs between base and head ({names}); the {side}'s was taken.",)

    def _differs(self, path: str) -> bool:
        try:
            return self.other.read(path) != self.trusted.read(path)
        except GepaCiError:
            return True


def _tree(root: Path, ref: str) -> CommitTree:
    environ = dict(os.environ)
    # Not below the system's temporary folder, into which commands may write.
    shelter = default_cache_dir(environ) / "trees"
    return CommitTree(folder=root, ref=ref, environ=environ, shelter=shelter)


def _trusted_config(path: Path, read: Read, trust: str) -> Config:
    try:
        return read_config(path.name, read(path.name))
    except MissingFileError as error:
        raise ConfigError(
            f"the {trust} has no config file",
            path=str(path),
            hint=f"with `--trust {trust}` the config is the {trust}'s: commit it there first",
        ) from error


def _other_config(path: Path, read: Read) -> Config | None:
    try:
        return read_config(path.name, read(path.name))
    except GepaCiError:
        return None


def _own(side: Workspace, task: Task) -> Task | None:
    """Return a side's own task of the same name."""
    return next((known for known in side.config.tasks if known.name == task.name), None)


def _recorded(read: Read) -> tuple[Read, list[str]]:
    paths: list[str] = []

    def reading(path: str) -> bytes:
        paths.append(path)
        return read(path)

    return reading, paths


def _terms(task: Task) -> Task:
    """Return a task without what may change without changing the exam."""
    suite = replace(task.suite, file=None) if brings_exam(task) else task.suite
    return replace(task, prompts=(), line=0, suite=suite)


def _checks(prompts: Prompts) -> tuple[object, ...]:
    return tuple((file.test_data, file.evaluators) for file in prompts.files)


def _renamed(base: Prompts | None, head: Prompts) -> tuple[str, ...]:
    before = [] if base is None else [file.path for file in base.files]
    after = [file.path for file in head.files]
    if base is None or before == after:
        return ()
    what = "prompt file was" if len(before) == 1 else "prompt files were"
    return (f"The {what} {', '.join(before)} on the base.",)


def _unjudged(task: Task, reason: str) -> TaskResult:
    return TaskResult(name=task.name, verdict=None, reasons=(reason,))
