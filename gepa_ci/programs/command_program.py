"""Owns the command program: any language, in processes that read and write lines of JSON."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gepa_ci.core.digests import digest
from gepa_ci.core.prompt import file_name
from gepa_ci.errors import ConfigError, PromptError
from gepa_ci.formats import render
from gepa_ci.programs.process_program import (
    Clean,
    Place,
    ProcessProgram,
    capacity,
    missing_variables,
)
from gepa_ci.programs.speaker import Speaker
from gepa_ci.programs.speakers import Speakers
from gepa_ci.programs.workplace import Workplace, named_files
from gepa_ci.workers.child import Child
from gepa_ci.workers.launch import launched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gepa_ci.core.config import ProgramSpec
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON
    from gepa_ci.programs.model_calls import Caller

_VERSION = 1
_UNREAD = 1024
"""Lines that may wait."""


class CommandProgram(ProcessProgram):
    """Asks processes of a command of the repository, one JSON line a run."""

    keeps_stderr = True

    def __init__(
        self,
        *,
        spec: ProgramSpec,
        caller: Caller,
        read_code: Callable[[str], bytes],
        workplace: Workplace,
        concurrency: int,
        environment: Mapping[str, str],
        place: Place = (None, None),
        clean: Clean = str,
    ) -> None:
        """Take what it needs; no process is started before the first run."""
        path = next(iter(named_files(spec.command, read_code)), None)
        shown = Path(path or spec.command[0]).name
        super().__init__(
            name=f"program '{shown}'", path=path, spec=spec, caller=caller, clean=clean
        )
        self._read_code = read_code
        self._workplace = workplace
        self._place = place
        self._digest: str | None = None
        self._environment = dict(environment)
        self._missing = missing_variables(spec, environment)
        processes, threads = capacity(spec, concurrency)
        self._speakers = Speakers(self._start, processes=processes, threads=threads)

    @property
    def digest(self) -> str:
        """Return the digest of the command and of the repository's files that it may load."""
        if self._digest is None:
            command = self.settings.command
            code = self._workplace.digest(command, self._read_code)
            self._digest = digest(["command", _VERSION, list(command), code])
        return self._digest

    @property
    def speakers(self) -> Speakers:
        """Return its processes."""
        return self._speakers

    def request(self, prompts: Prompts, example: Example, trial: int) -> dict[str, Any]:
        """Return the line that a run is asked with."""
        return {
            "prompts": {file_name(file.path): file.texts for file in prompts.files},
            "inputs": dict(example.inputs),
            "rendered": _rendered(prompts, example),
            "trial": trial,
        }

    def check(self, prompts: Prompts, examples: Sequence[Example]) -> list[str]:  # noqa: ARG002 - the protocol
        """See that the command is there.

        Raises:
            ConfigError: when the command cannot be run.
        """
        command = self.settings.command[0]
        is_there = self._workplace.has(command) if "/" in command else shutil.which(command)
        if not is_there:
            raise ConfigError(
                f"the program's command '{command}' is not there",
                path=self._place[0],
                line=self._place[1],
                hint="paths of commands are relative to the config's folder"
                if "/" in command
                else "install it, or name it by its path from the root, as in ./programs/run.sh",
            )
        return self._missing

    def close(self) -> None:
        """End its processes, and remove what they worked in."""
        super().close()
        self._workplace.close()

    def _start(self) -> Speaker:
        return Speaker(
            Child(
                launched(self.settings.command),
                unread=_UNREAD,
                environment=self._environment,
                folder=str(self._workplace.folder),
            )
        )


def _rendered(prompts: Prompts, example: Example) -> dict[str, JSON]:
    found: dict[str, JSON] = {}
    for file in prompts.files:
        try:
            messages = render(file, example.inputs).messages
        except PromptError:
            # Its inputs are made by the program on the way.
            continue
        found[file_name(file.path)] = [{"role": m.role, "content": m.content} for m in messages]
    return found
