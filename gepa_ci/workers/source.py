"""Owns the texts of a user's Python file and of the modules beside it, as read from one place."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import TYPE_CHECKING

from gepa_ci.errors import ConfigError, GepaCiError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One Python file."""

    path: str
    """As in the config, or beside that file."""
    content: bytes
    """Its bytes."""
    is_package: bool = False
    """Whether it is the `__init__.py` of a package."""


class Sources:
    """A user's file with its neighbours, read once, so that all workers load the same code."""

    def __init__(self, path: str, read: Callable[[str], bytes], *, kind: str = "metric") -> None:
        """Read the file.

        Args:
            path: The file, as in the config.
            read: Returns the bytes of a path.
            kind: What the file is to the user, for errors.

        Raises:
            ConfigError: when it cannot be read.
        """
        self.kind = kind
        self.main = SourceFile(path=path, content=_read(path, read, kind))
        self._folder = PurePosixPath(path).parent
        self._read = read
        self._lock = Lock()
        self._neighbours: dict[str, SourceFile | None] = {}
        self._is_complete = False

    def neighbour(self, name: str) -> SourceFile | None:
        """Return the module of that dotted name that lies beside the file."""
        with self._lock:
            if name not in self._neighbours and not self._is_complete:
                self._neighbours[name] = self._find(name)
            return self._neighbours.get(name)

    def complete(self) -> str:
        """Take in no further modules, and return the digest of all that there are."""
        with self._lock:
            self._is_complete = True
            found = [self._neighbours[name] for name in sorted(self._neighbours)]
        contents = [self.main.content, *(file.content for file in found if file is not None)]
        whole = hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in contents))
        return whole.hexdigest()

    def _find(self, name: str) -> SourceFile | None:
        parts = name.split(".")
        if parts[0] in sys.stdlib_module_names or not all(part.isidentifier() for part in parts):
            return None
        base = self._folder.joinpath(*parts)
        for path, is_package in ((f"{base}.py", False), (f"{base}/__init__.py", True)):
            try:
                content = self._read(path)
            except (OSError, GepaCiError):
                continue
            return SourceFile(path=path, content=content, is_package=is_package)
        return None


def _read(path: str, read: Callable[[str], bytes], kind: str) -> bytes:
    try:
        return read(path)
    except OSError as error:
        folder = Path(path).parent
        beside = sorted(file.name for file in folder.glob("*.py")) if folder.is_dir() else []
        hint = (
            f"Python files there: {', '.join(beside)}"
            if beside
            else "the path is relative to the root"
        )
        raise ConfigError(
            f"cannot read the {kind}'s file: {error.strerror or error}", path=path, hint=hint
        ) from None
    except GepaCiError as error:
        (problem,) = error.problems
        raise ConfigError(
            f"cannot read the {kind}'s file: {problem.message}", path=path, hint=problem.hint
        ) from None
