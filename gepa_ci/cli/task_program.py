"""Owns building a task's program: what it is given, kept from telling, and ended with."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.known_secrets import long_enough, remember
from gepa_ci.delivery.redaction import Redactor
from gepa_ci.programs import build_program

if TYPE_CHECKING:
    from gepa_ci.cli.tree import Read
    from gepa_ci.cli.workspace import Workspace
    from gepa_ci.core.config import Config, Task
    from gepa_ci.programs import Program


def task_program(task: Task, side: Workspace, read: Read) -> Program:
    """Build the program of a task as a side has it; it is closed when the command ends.

    Raises:
        ConfigError: its file cannot be read.
    """
    given = {name: os.environ[name] for name in task.program.environment if name in os.environ}
    remember(given)
    program = build_program(
        task.program,
        client=None,
        model=task.model,
        models=side.config.models,
        read_code=read,
        root=side.root,
        concurrency=side.config.concurrency,
        environ=given,
        where=side.config.path,
        line=task.line,
        tree=None if side.tree is None else replace(side.tree, apart=_apart(side.config)),
        clean=Redactor(long_enough(given)),
    )
    # However the command ends, with a session or without one, nothing it has started outlives it.
    if (context := click.get_current_context(silent=True)) is not None:
        context.call_on_close(program.close)
    return program


def _apart(config: Config) -> frozenset[str]:
    """Return the files that a config names and that are no code."""
    prompts = [path for task in config.tasks for path in task.prompts]
    suites = [path for task in config.tasks for path in task.suite.files]
    return frozenset([config.path, *prompts, *suites])
