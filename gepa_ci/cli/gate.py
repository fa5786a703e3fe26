"""Owns `gepa-ci gate`: base against head on the held-out examples."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.options import run_options, task_argument
from gepa_ci.cli.progress import Progress
from gepa_ci.cli.results import deliver, exit_code, run_result
from gepa_ci.cli.session import open_session
from gepa_ci.cli.workspace import Workspace, open_workspace, read_task, task_prompt, tree_reader
from gepa_ci.errors import ConfigError, GepaCiError

if TYPE_CHECKING:
    from pathlib import Path

    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.core.config import Task
    from gepa_ci.core.prompt import Prompt
    from gepa_ci.errors import Problem


@click.command()
@task_argument
@click.option("--base", required=True, metavar="REF", help="Commit to compare with.")
@click.option("--head", metavar="REF", help="Commit to judge; the working tree if not given.")
@click.option(
    "--trust",
    type=click.Choice(["head", "base"]),
    default="head",
    show_default=True,
    help="Side that config, suite and metric come from; base for changes of others.",
)
@run_options
def gate(
    task_name: str | None,
    base: str,
    head: str | None,
    trust: str,
    config_path: str,
    output_format: str,
    output: Path | None,
    state_dir: Path | None,
) -> int:
    """Run base and head on the held-out examples; exit 1 when the head is worse.

    The base is read from git's objects: nothing is checked out.
    """
    from gepa_ci.pipeline import gate as gate_task

    started = time.perf_counter()
    sides = _Sides.open(config_path, base=base, head=head, trust=trust)
    pairs = sides.pairs(task_name)
    with open_session(sides.trusted, state_dir, Progress()) as session:
        results = [
            gate_task(inputs.task, before, inputs.prompt, inputs.suite, session.services(inputs))
            for inputs, before in pairs
        ]
        result = run_result("gate", session, results, started)
    deliver(result, output, output_format)
    return exit_code(result, sides.trusted.config)


class _Sides:
    """Base and head of a gate, and the side whose exam is taken."""

    def __init__(self, base: Workspace, head: Workspace, *, trust_base: bool) -> None:
        self._base = base
        self._head = head
        self.trusted = base if trust_base else head

    @classmethod
    def open(cls, config_path: str, *, base: str, head: str | None, trust: str) -> _Sides:
        """Open both sides; only the trusted one's config is read."""
        from pathlib import Path

        from gepa_ci.config import read_config
        from gepa_ci.delivery.commit_files import commit_reader

        path = Path(config_path)
        root = path.parent
        read_base = commit_reader(root, base)
        read_head = tree_reader(root) if head is None else commit_reader(root, head)
        read_trusted = read_base if trust == "base" else read_head
        if trust == "head" and head is None:
            config = open_workspace(config_path, None)[0].config
        else:
            config = read_config(path.name, read_trusted(path.name))
        sides = [Workspace(root=root, config=config, read=read) for read in (read_base, read_head)]
        return cls(*sides, trust_base=trust == "base")

    def pairs(self, task_name: str | None) -> list[tuple[TaskInputs, Prompt | None]]:
        """Return for each task its inputs with the head's prompt, and the base's prompt."""
        found: list[tuple[TaskInputs, Prompt | None]] = []
        problems: list[Problem] = []
        for task in self.trusted.tasks(task_name):
            try:
                found.append(self._pair(task))
            except GepaCiError as error:
                problems += [problem for problem in error.problems if problem not in problems]
        if problems:
            raise ConfigError.of(problems)
        return found

    def _pair(self, task: Task) -> tuple[TaskInputs, Prompt | None]:
        from gepa_ci.delivery.commit_files import MissingFileError

        config_path = self.trusted.config.path
        head = task_prompt(task, config_path, self._head.read)
        try:
            before = task_prompt(task, config_path, self._base.read)
        except MissingFileError:
            before = None
        # With `--trust base`, a new task's exam does not exist there, and reading it says so.
        inputs = read_task(task, config_path, self.trusted.read, prompt=head)
        return inputs, before
