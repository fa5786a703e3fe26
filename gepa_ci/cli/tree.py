"""Owns the files of the working tree: read below the root only, written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gepa_ci.config.problems import nearest
from gepa_ci.errors import PromptError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.core.prompt import Prompt, Prompts

    Read = Callable[[str], bytes]

_LARGEST = 64 * 1024 * 1024


class NoFileError(UsageError):
    """The working tree has no such file."""


def tree_reader(root: Path) -> Read:
    """Return a reader of files below a folder that follows no link out of it."""
    real_root = root.resolve()

    def read(path: str) -> bytes:
        full = real_root / path
        try:
            if not full.resolve().is_relative_to(real_root):
                raise UsageError(
                    "the path leads out of the repository", path=path, hint="name a file inside it"
                )
            status = full.stat()
            if not stat.S_ISREG(status.st_mode):
                raise UsageError("this is not a file", path=path, hint="name a file")
            if status.st_size > _LARGEST:
                raise UsageError(
                    f"the file has {status.st_size} bytes; 64 MiB is the most",
                    path=path,
                    hint="make it smaller",
                )
            return full.read_bytes()
        except FileNotFoundError as error:
            raise NoFileError("there is no such file", path=path, hint=_neighbour(full)) from error
        except (OSError, RuntimeError) as error:
            raise UsageError(
                f"cannot read the file: {reason(error)}", path=path, hint="check its permissions"
            ) from error

    return read


def reason(error: Exception) -> str:
    """Return why the operating system refused, in lower case."""
    said = getattr(error, "strerror", None) or str(error)
    return f"{said[:1].lower()}{said[1:]}"


def _neighbour(missing: Path) -> str:
    """Return the hint for a missing file: one beside it that is spelt nearly the same."""
    names = [entry.name for entry in missing.parent.iterdir()] if missing.parent.is_dir() else []
    near = nearest(missing.name, names)
    root = "paths are relative to the config's folder"
    return root if near is None else f"did you mean '{near}'? {root}"


def write_prompts(root: Path, baseline: Prompts, prompts: Prompts) -> tuple[str, ...]:
    """Write the files of a candidate that differ from the baseline's, and return their paths.

    Raises:
        PromptError: a path is a link, or cannot be written.
    """
    changed = _changed(baseline, prompts)
    for prompt in changed:
        _write(root, prompt)
    return tuple(prompt.path for prompt in changed)


def changed_paths(baseline: Prompts, prompts: Prompts) -> tuple[str, ...]:
    """Return the paths of a candidate's files that differ from the baseline's."""
    return tuple(prompt.path for prompt in _changed(baseline, prompts))


def _changed(baseline: Prompts, prompts: Prompts) -> list[Prompt]:
    pairs = zip(baseline.files, prompts.files, strict=True)
    return [new for old, new in pairs if old.source != new.source]


def _write(root: Path, prompt: Prompt) -> None:
    """Replace a file by new bytes, whole or not at all, and never through a link."""
    target = root.resolve() / prompt.path
    if target.is_symlink() or target.resolve() != target:
        raise PromptError(
            "a symbolic link is not written through", path=prompt.path, hint="name the real file"
        )
    try:
        _replace(target, prompt.source)
    except OSError as error:
        raise PromptError(
            f"cannot write the file: {reason(error)}",
            path=prompt.path,
            hint="check the permissions of the file and its folder",
        ) from error


def _replace(target: Path, content: bytes) -> None:
    mode = stat.S_IMODE(target.stat().st_mode)
    # A new name that nobody can have planted as a link.
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        draft.chmod(mode)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
