"""Owns building a task's program from its config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.core.config import ProgramKind
from gepa_ci.programs.chat import ChatProgram
from gepa_ci.programs.model_calls import Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gepa_ci.core.config import ModelSpec, ProgramSpec
    from gepa_ci.lm.client import LMClient
    from gepa_ci.programs.command_program import CommandProgram
    from gepa_ci.programs.process_program import Clean
    from gepa_ci.programs.python_program import PythonProgram
    from gepa_ci.programs.workplace import Tree


def build_program(
    spec: ProgramSpec,
    *,
    client: LMClient | None,
    model: ModelSpec | None,
    models: Mapping[str, ModelSpec],
    read_code: Callable[[str], bytes],
    root: Path,
    concurrency: int,
    environ: Mapping[str, str],
    where: str = "",
    line: int | None = None,
    tree: Tree | None = None,
    clean: Clean = str,
) -> ChatProgram | PythonProgram | CommandProgram:
    """Build the program of a task; the caller closes it.

    Args:
        spec: The program of the config.
        client: Makes the calls; None for a program that is bound to one later.
        model: The config's model for the task; None leaves the choice to the prompt files.
        models: The config's models by name, for calls that name one.
        read_code: Returns the bytes of a path as they are trusted.
        root: The repository's root, where a command works unless there is a `tree`.
        concurrency: Trials at once.
        environ: Our environment, of which a program gets the variables that its config names.
        where: The config file, for errors.
        line: The task's line in it.
        tree: The commit that is trusted, in a copy of which a command works.
        clean: Takes secrets out of what a program prints and tells besides its output.

    Raises:
        ConfigError: the program's file cannot be read.
    """
    if spec.kind is ProgramKind.CHAT:
        return ChatProgram(client=client, model=model)
    # Only these kinds need processes.
    from gepa_ci.programs.command_program import CommandProgram
    from gepa_ci.programs.python_program import PythonProgram
    from gepa_ci.programs.workplace import Workplace

    caller = Caller(client=client, model=model, models=models)
    environment = {name: environ[name] for name in spec.environment if name in environ}
    if spec.kind is ProgramKind.PYTHON:
        return PythonProgram(
            spec=spec,
            caller=caller,
            read_code=read_code,
            concurrency=concurrency,
            environment=environment,
            place=(where or None, line),
            clean=clean,
        )
    return CommandProgram(
        spec=spec,
        caller=caller,
        read_code=read_code,
        workplace=Workplace(root, tree),
        concurrency=concurrency,
        environment=environment,
        place=(where or None, line),
        clean=clean,
    )
