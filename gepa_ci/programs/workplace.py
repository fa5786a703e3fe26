"""Owns the folder that a command works in: the checkout, or a copy of the trusted commit."""

from __future__ import annotations

import shutil
import weakref
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from gepa_ci.core.digests import digest
from gepa_ci.errors import GepaCiError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Tree(Protocol):
    """The files of a trusted commit."""

    @property
    def digest(self) -> str:
        """Changes when any of its files does that could be code."""

    def has(self, path: str) -> bool:
        """Return whether there is a file of that path, relative to the root."""

    def copy(self) -> tuple[Path, Path]:
        """Write all files into a new folder; return it, and the root in it."""


class Workplace:
    """Where a command works; a copy is made when it is first needed, and removed at the end."""

    def __init__(self, root: Path, tree: Tree | None) -> None:
        """Take the checkout's root, and the commit to work in in its place, if any."""
        self._root = root.absolute()
        self._tree = tree
        self._lock = Lock()
        self._copy: Path | None = None
        self._remove: Callable[[], object] | None = None

    @property
    def folder(self) -> Path:
        """Return the folder, with the trusted files in it.

        Raises:
            GitError: the commit cannot be copied.
        """
        if self._tree is None:
            return self._root
        with self._lock:
            if self._copy is None:
                made, self._copy = self._tree.copy()
                self._remove = weakref.finalize(self, shutil.rmtree, made, ignore_errors=True)
            return self._copy

    def has(self, path: str) -> bool:
        """Return whether there is such a file, without making a copy."""
        if Path(path).is_absolute() or self._tree is None:
            return (self._root / path).is_file()
        return self._tree.has(path)

    def digest(self, command: Sequence[str], read: Callable[[str], bytes]) -> str:
        """Return the digest of what a command may load: a commit's files, or those beside its own.

        Args:
            command: Program and arguments.
            read: Returns the bytes of a trusted file.
        """
        if self._tree is not None:
            return self._tree.digest
        found: dict[str, bytes] = {}
        for path in named_files(command, read):
            folder = (self._root / path).parent
            beside = sorted(folder.glob(f"*{Path(path).suffix}")) if Path(path).suffix else []
            for file in (self._root / path, *beside):
                name = file.relative_to(self._root).as_posix()
                if name not in found and (content := _content(name, read)) is not None:
                    found[name] = content
        return digest([[path, digest(code.decode("latin-1"))] for path, code in found.items()])

    def close(self) -> None:
        """Remove the copy, if there is one."""
        with self._lock:
            if self._remove is not None:
                self._remove()


def named_files(command: Sequence[str], read: Callable[[str], bytes]) -> list[str]:
    """Return the files of the repository that a command names."""
    parts = [part.removeprefix("./") for part in command]
    own = [part for part in parts if part and not part.startswith(("-", "/", ".."))]
    return [path for path in dict.fromkeys(own) if _content(path, read) is not None]


def _content(path: str, read: Callable[[str], bytes]) -> bytes | None:
    try:
        return read(path)
    except (OSError, ValueError, GepaCiError):
        return None
