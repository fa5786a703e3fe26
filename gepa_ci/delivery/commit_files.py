"""Owns reading files of a commit straight from git's objects, with nothing checked out."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from gepa_ci.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FILE_MODES = (0o100644, 0o100755)
_LARGEST = 64 * 1024 * 1024
# Refs are passed to git: nothing that could be an option, a range or a control character.
_REF = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_./@^~{}+-]{0,250}")
_SHA = re.compile(r"[0-9a-f]{40}")


class MissingFileError(GitError):
    """The commit has no such file."""


def commit_reader(folder: Path, ref: str) -> Callable[[str], bytes]:
    """Return a reader of the files that a commit has below a folder of the working tree.

    Paths are relative to the folder. Works in a shallow clone that has the commit.

    Raises:
        GitError: no repository, no such commit, or a ref that git should not be given.
    """
    repo, prefix = _open(folder)
    tree = _commit(repo, ref).tree

    def read(path: str) -> bytes:
        full = f"{prefix}{path}"
        if any(part in ("", ".", "..", ".git") for part in full.split("/")):
            raise GitError("the path leads out of the repository", path=path)
        try:
            blob = tree / full
        except KeyError as error:
            raise MissingFileError(f"commit '{ref}' has no such file", path=path) from error
        if blob.type != "blob" or blob.mode not in _FILE_MODES:
            raise GitError(f"in commit '{ref}' this is not a plain file", path=path)
        if blob.size > _LARGEST:
            raise GitError(f"the file has {blob.size} bytes; 64 MiB is the most", path=path)
        data: bytes = blob.data_stream.read()
        return data

    return read


def _open(folder: Path) -> tuple[Any, str]:
    # GitPython looks for a git binary at import and says so on stdout when it finds none.
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    from git import InvalidGitRepositoryError, NoSuchPathError, Repo

    try:
        repo = Repo(folder, search_parent_directories=True)
    except (InvalidGitRepositoryError, NoSuchPathError) as error:
        raise GitError(
            f"'{folder}' is not in a git repository", hint="run it inside a clone"
        ) from error
    top = repo.working_tree_dir
    if top is None:
        raise GitError("the git repository has no working tree")
    prefix = folder.resolve().relative_to(os.path.realpath(top)).as_posix()
    return repo, "" if prefix == "." else f"{prefix}/"


def _commit(repo: Any, ref: str) -> Any:
    from git import GitCommandError

    if not _REF.fullmatch(ref) or ".." in ref:
        raise GitError(f"'{ref}' is not a name of a commit")
    try:
        found = repo.git.rev_parse("--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    except GitCommandError as error:
        # `--quiet` is silent about a missing commit only, not about a repository it will not read.
        if said := str(error.stderr).strip().removeprefix("stderr:").strip(" '\n"):
            raise GitError(
                f"git cannot read the repository: {said.splitlines()[0]}",
                hint="is it owned by another user? git config --global --add safe.directory DIR",
            ) from error
        raise GitError(
            f"the repository has no commit '{ref}'",
            hint=_fetch_hint(ref),
        ) from error
    sha = found.strip().splitlines()[-1]
    if not _SHA.fullmatch(sha):
        raise GitError(f"'{ref}' is not a name of a commit")
    return repo.commit(sha)


def _fetch_hint(ref: str) -> str:
    if any(mark in ref for mark in "~^@"):
        return "the clone may be too shallow: git fetch --deepen=50, or `fetch-depth: 0` in CI"
    remote, slash, branch = ref.partition("/")
    if slash and remote == "origin":
        return f"fetch it: git fetch origin {branch}:refs/remotes/{ref}"
    return f"fetch it: git fetch --depth=1 origin {ref}"
