"""Owns opening a repository, and reading files of a commit from git's objects, none checked out."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
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
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)


class MissingFileError(GitError):
    """The commit has no such file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A repository and where in it we stand."""

    repo: Any
    """GitPython's repository."""
    prefix: str
    """The folder below the working tree's top, empty or with a slash at its end."""


def commit_reader(folder: Path, ref: str) -> Callable[[str], bytes]:
    """Return a reader of the files that a commit has below a folder of the working tree.

    Paths are relative to the folder. Works in a shallow clone that has the commit.

    Raises:
        GitError: no repository, no such commit, or a ref that git should not be given.
    """
    opened = open_repository(folder)
    tree = _commit(opened.repo, ref).tree

    def read(path: str) -> bytes:
        full = f"{opened.prefix}{path}"
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


def commit_names(folder: Path, ref: str, path: str) -> list[str]:
    """Return the names of what a commit has in a folder; the path is relative to our own.

    Raises:
        GitError: no repository, no such commit, or no such folder in it.
    """
    opened = open_repository(folder)
    full = f"{opened.prefix}{path}"
    if any(part in ("", ".", "..", ".git") for part in full.split("/")):
        raise GitError("the path leads out of the repository", path=path)
    try:
        found = _commit(opened.repo, ref).tree / full
    except KeyError as error:
        raise MissingFileError(f"commit '{ref}' has no folder '{path}'", path=path) from error
    if found.type != "tree":
        raise GitError(f"in commit '{ref}', '{path}' is not a folder", path=path)
    return [item.name for item in found]


def commit_id(folder: Path, ref: str) -> str:
    """Return the full name of the commit that a ref names now.

    Raises:
        GitError: no repository, no such commit, or a ref that git should not be given.
    """
    return str(_commit(open_repository(folder).repo, ref).hexsha)


def open_repository(folder: Path) -> Opened:
    """Open the repository that a folder of a working tree is in.

    Raises:
        GitError: no repository, or one without a working tree.
    """
    # GitPython looks for a git binary at import and says so on stdout when it finds none.
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    from git import InvalidGitRepositoryError, NoSuchPathError, Repo

    try:
        repo = Repo(folder, search_parent_directories=True, expand_vars=False)
    except (InvalidGitRepositoryError, NoSuchPathError) as error:
        raise GitError(
            f"'{folder}' is not in a git repository", hint="run it inside a clone"
        ) from error
    # Children of GitPython have our whole environment, and git has no use for a provider's key.
    repo.git.update_environment(**{name: "" for name in os.environ if _SECRET.search(name)})
    top = repo.working_tree_dir
    if top is None:
        raise GitError("the git repository has no working tree")
    prefix = folder.resolve().relative_to(os.path.realpath(top)).as_posix()
    return Opened(repo=repo, prefix="" if prefix == "." else f"{prefix}/")


def check_ref(ref: str) -> None:
    """Refuse what git could take for an option, a range or something that is not a commit.

    Raises:
        GitError: the ref must not be given to git.
    """
    if not _REF.fullmatch(ref) or ".." in ref:
        raise GitError(f"'{ref}' is not a name of a commit")


def missing_commit(ref: str) -> GitError:
    """Return the error for a commit that the clone does not have."""
    return GitError(f"the repository has no commit '{ref}'", hint=_fetch_hint(ref))


def _commit(repo: Any, ref: str) -> Any:
    from git import GitCommandError

    check_ref(ref)
    try:
        found = repo.git.rev_parse("--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    except GitCommandError as error:
        # `--quiet` is silent about a missing commit only, not about a repository it will not read.
        if said := str(error.stderr).strip().removeprefix("stderr:").strip(" '\n"):
            raise GitError(
                f"git cannot read the repository: {said.splitlines()[0]}",
                hint="is it owned by another user? git config --global --add safe.directory DIR",
            ) from error
        raise missing_commit(ref) from error
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
