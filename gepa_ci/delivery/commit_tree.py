"""Owns a copy of a commit's files in a folder of its own, beside what git does not track."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gepa_ci.core.digests import digest
from gepa_ci.delivery.commits import check_path
from gepa_ci.delivery.git_repository import Git
from gepa_ci.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gepa_ci.delivery.commits import Entry

_LINK = "120000"
_MOST_BYTES = 1 << 30
_AT_ONCE = 64 << 20
"""Bytes of files that are held in memory."""

_NEVER_LINKED = frozenset({".git", ".gepa-ci"})
_FORGOTTEN = 24 * 3600
"""Seconds after which a copy belongs to a run that was killed."""


@dataclass(frozen=True, kw_only=True)
class CommitTree:
    """The files of a commit, of which a copy can be made; nothing is read before it is needed."""

    folder: Path
    """The root: a folder of the clone's working tree."""
    ref: str
    """The commit."""
    environ: Mapping[str, str]
    """Our environment, of which git gets what it needs."""
    shelter: Path
    """Where copies are made; the system's temporary folder when that cannot be written."""
    apart: frozenset[str] = field(default_factory=frozenset)
    """Paths below the root that are known by digests of their own."""

    @cached_property
    def digest(self) -> str:
        """Return the digest of all files, but for those that are kept apart."""
        prefix = self._prefix
        return digest(
            [
                [entry.path, entry.mode, entry.sha]
                for entry in self._entries
                if entry.path.removeprefix(prefix) not in self.apart
            ]
        )

    def has(self, path: str) -> bool:
        """Return whether a copy would have a file of that path."""
        found = os.path.normpath(f"{self._prefix}{path}")
        if any(entry.path == Path(found).as_posix() for entry in self._entries):
            return True
        linked = {top / name for top, name in self._untracked()}
        top = self.folder.absolute()
        return any((top / path).is_relative_to(link) for link in linked) and (top / path).is_file()

    def copy(self) -> tuple[Path, Path]:
        """Write all files into a new folder; return it, and the root in it.

        No filter and no hook of git runs. Links that lead out and submodules are left out. What
        lies untracked at the top of the checkout or of the root, such as `node_modules`, is linked.

        Raises:
            GitError: the files are too many bytes, or git cannot read them.
        """
        made = Path(tempfile.mkdtemp(prefix="gepa-ci-tree-", dir=self._place())).resolve()
        try:
            self._write(made)
            root = made / self._prefix
            root.mkdir(parents=True, exist_ok=True)
            for top, name in self._untracked():
                link = made / top.relative_to(self._top) / name
                if link.parent.is_dir() and not os.path.lexists(link):
                    link.symlink_to(top / name)
        except OSError as error:
            shutil.rmtree(made, ignore_errors=True)
            raise GitError(
                f"the trusted commit cannot be copied: {error.strerror or error}", path=str(made)
            ) from error
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        return made, root

    @cached_property
    def _entries(self) -> tuple[Entry, ...]:
        with Git(self.folder, environ=self.environ) as git:
            return git.tree(git.resolve(self.ref))

    @cached_property
    def _top(self) -> Path:
        with Git(self.folder, environ=self.environ) as git:
            return git.top

    @cached_property
    def _prefix(self) -> str:
        below = self.folder.resolve().relative_to(self._top.resolve()).as_posix()
        return "" if below == "." else f"{below}/"

    def _write(self, made: Path) -> None:
        files = [entry for entry in self._entries if entry.is_file and _is_usable(entry.path)]
        total = sum(entry.size or 0 for entry in files)
        if total > _MOST_BYTES:
            raise GitError(
                f"the trusted commit has {total >> 20} MiB of files; a command's copy holds 1 GiB",
                hint="keep large files out of git, or make a python program of it",
            )
        with Git(self.folder, environ=self.environ) as git:
            for part in _parts(files):
                contents = git.blobs(entry.sha for entry in part)
                for entry in part:
                    target = made / entry.path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(contents[entry.sha])
                    target.chmod(0o755 if entry.mode == "100755" else 0o644)
            links = [e for e in self._entries if e.mode == _LINK and _is_usable(e.path)]
            targets = git.blobs(entry.sha for entry in links) if links else {}
        # After all files: none of them is written through a link.
        for entry in links:
            _make_link(made / entry.path, os.fsdecode(targets[entry.sha]))
        for entry in links:
            _remove_leading_out(made / entry.path, made)

    def _untracked(self) -> list[tuple[Path, str]]:
        """Return folder and name of what neither the commit nor the checkout tracks at all."""
        with Git(self.folder, environ=self.environ) as git:
            tracked = {entry.path.casefold() for entry in git.tree(git.resolve("HEAD"))}
        tracked |= {entry.path.casefold() for entry in self._entries}
        # Also every folder that has a tracked file in it, however deep.
        known = tracked | {str(above) for path in tracked for above in Path(path).parents}
        found = []
        for top in dict.fromkeys((self._top, self._top / self._prefix)):
            below = top.relative_to(self._top)
            found += [
                (top, entry.name)
                for entry in sorted(top.iterdir())
                if entry.name not in _NEVER_LINKED
                and (below / entry.name).as_posix().casefold() not in known
            ]
        return found

    def _place(self) -> Path | None:
        """Return where copies are made, without those that a killed run has left there."""
        try:
            self.shelter.mkdir(parents=True, exist_ok=True)
            for old in self.shelter.glob("gepa-ci-tree-*"):
                if time.time() - old.stat().st_mtime > _FORGOTTEN:
                    shutil.rmtree(old, ignore_errors=True)
        except OSError:
            return None
        return self.shelter if os.access(self.shelter, os.W_OK) else None


def _is_usable(path: str) -> bool:
    try:
        check_path(path)
    except GitError:
        return False
    return True


def _parts(files: Iterable[Entry]) -> Iterable[list[Entry]]:
    """Return files in groups that are small enough to be held at once."""
    part: list[Entry] = []
    held = 0
    for entry in files:
        if part and held + (entry.size or 0) > _AT_ONCE:
            yield part
            part, held = [], 0
        part.append(entry)
        held += entry.size or 0
    if part:
        yield part


def _make_link(link: Path, target: str) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if target and "\0" not in target:
        link.symlink_to(target)


def _remove_leading_out(link: Path, made: Path) -> None:
    try:
        stays = link.resolve().is_relative_to(made)
    except (OSError, RuntimeError):
        stays = False
    if not stays:
        link.unlink(missing_ok=True)
