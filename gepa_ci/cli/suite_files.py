"""Owns writing several suite files at once: all of them, or none as far as a disk allows."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from gepa_ci.cli.tree import reason
from gepa_ci.errors import Problem, SuiteError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def write_all(
    root: Path,
    files: Mapping[str, bytes],
    old: Mapping[str, bytes],
    *,
    check: Callable[[], None],
    swap: Callable[[Path, Path], object] = os.replace,
) -> None:
    """Replace files that still hold what they held, and put all back when anything goes wrong.

    Args:
        root: Folder that the paths are relative to.
        files: New content by path.
        old: What each of them must hold still.
        check: Called when all are written; what it raises puts them back.
        swap: Puts the first path in the place of the second.

    Raises:
        SuiteError: a file is a link, has changed, or cannot be written; all are as they were.
    """
    targets = {path: root.resolve() / path for path in files}
    _refuse(targets, old)
    with ExitStack() as drafts:
        try:
            new = {path: _draft(targets[path], files[path], drafts) for path in files}
            # Drafts too, so that putting back needs no more room on the disk.
            spare = {path: _draft(targets[path], old[path], drafts) for path in files}
        except OSError as error:
            raise _unwritable(error) from error
        done: list[str] = []
        try:
            for path in files:
                swap(new[path], targets[path])
                done.append(path)
            check()
        except BaseException as error:
            for path in done:
                spare[path].replace(targets[path])
            if isinstance(error, OSError):
                raise _unwritable(error) from error
            raise


def _refuse(targets: Mapping[str, Path], old: Mapping[str, bytes]) -> None:
    found = []
    for path, target in targets.items():
        if target.is_symlink() or target.resolve() != target:
            what, hint = "a symbolic link is not written through", "name the real file"
        elif _content(target) != old[path]:
            what, hint = "the file was changed while it was read", "run the command again"
        else:
            continue
        found.append(Problem(message=what, path=path, hint=hint))
    if found:
        raise SuiteError.of(found)


def _content(target: Path) -> bytes | None:
    try:
        return target.read_bytes()
    except OSError:
        return None


def _draft(target: Path, content: bytes, drafts: ExitStack) -> Path:
    # A new name that nobody can have planted as a link.
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    draft = Path(name)
    drafts.callback(draft.unlink, missing_ok=True)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(stat.S_IMODE(target.stat().st_mode))
    return draft


def _unwritable(error: OSError) -> SuiteError:
    name = error.filename2 or error.filename
    return SuiteError(
        f"cannot write the suite: {reason(error)}; all files are as they were",
        path=None if name is None else str(name),
        hint="check the permissions of the suite's files and folders",
    )
