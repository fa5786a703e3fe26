"""Owns making a small git repository for the demo, and showing what changed in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gepa_ci.delivery.commit_files import open_repository
from gepa_ci.errors import GitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_IDENTITY = {
    "GIT_AUTHOR_NAME": "gepa-ci demo",
    "GIT_AUTHOR_EMAIL": "demo@example.invalid",
    "GIT_COMMITTER_NAME": "gepa-ci demo",
    "GIT_COMMITTER_EMAIL": "demo@example.invalid",
}


def make_repository(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make a git repository in an empty folder, with one commit that has the given files.

    Raises:
        UsageError: the folder is not empty.
        GitError: git failed.
    """
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    from git import GitCommandError, GitCommandNotFound, Repo

    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise UsageError(f"the folder '{folder}' is not empty", hint="name a new one")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    try:
        repo = Repo.init(folder, initial_branch="main")
        repo.git.add("--", *files)
        with repo.git.custom_environment(**_IDENTITY):
            repo.git.commit(
                "--quiet", "--no-verify", "--no-gpg-sign", "-m", "Read orders by e-mail"
            )
        repo.close()
    except (GitCommandError, GitCommandNotFound) as error:
        said = str(error.stderr).strip() or str(error.stdout).strip()
        raise GitError(f"git failed: {said}", hint="is git installed?") from error


def diff_of(folder: Path) -> str:
    """Return `git diff --stat` of a repository's working tree."""
    with open_repository(folder).repo as repo:
        return str(repo.git.diff("--stat", "--no-color", "--no-ext-diff"))
