"""Owns the start of a user's command: rights that it has no need of are given up before."""

from __future__ import annotations

import os
import sys
import tempfile

from gepa_ci.workers.seclusion import import_path, restrain

_NOT_FOUND = 127


def launched(command: tuple[str, ...]) -> list[str]:
    """Return how a command is started so that it is restrained from its first instruction on."""
    code = f"import sys; sys.path[:] = {import_path()!r}; from {__name__} import main; main()"
    shared = tempfile.gettempdir()
    return [sys.executable, "-P", "-s", "-B", "-c", code, "{folder}", shared, *command]


def main() -> None:  # pragma: no cover - runs in processes that become another program
    """Become the command; the arguments before it are folders that it may write into."""
    folders, command = sys.argv[1:3], sys.argv[3:]
    restrain(folders)
    try:
        os.execvp(command[0], command)  # noqa: S606 - what the config names
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        os._exit(_NOT_FOUND)
