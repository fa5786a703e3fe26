"""Real clones and bare remotes for the tests of git and of what is pushed."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.delivery.git_repository import Git, Remote

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Clone:
    """A working tree, its bare remote, and how people use git in it."""

    path: Path
    bare: Path

    @property
    def remote(self) -> Remote:
        return Remote(url=f"file://{self.bare}")

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=folder or self.path, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.path / name).write_text(text, encoding="utf-8")

    def commit(self, message: str = "Change") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--no-verify", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def pushed(self, message: str = "Change", branch: str = "main") -> str:
        """Commit all, and put the remote's branch on it."""
        sha = self.commit(message)
        self.git("push", "-q", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return sha

    def head(self, branch: str) -> str | None:
        """Return the remote's branch as git itself sees it."""
        ref = f"refs/heads/{branch}"
        told = self.git("for-each-ref", "--format=%(objectname)", ref, folder=self.bare)
        return told or None

    def hook(self, name: str, script: str) -> None:
        """Give the remote a hook."""
        path = self.bare / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def open(self) -> Git:
        return Git(self.path, environ=dict(os.environ))

    def shallow(self, folder: Path, *, depth: int = 1) -> Clone:
        """Clone the remote as actions/checkout does."""
        url = f"file://{self.bare}"
        self.git("clone", "-q", f"--depth={depth}", "--no-tags", url, str(folder))
        return Clone(folder, self.bare)


def clone_of(repository: Path) -> Clone:
    """Return the clone that the fixture `repository` made."""
    return Clone(repository, repository.parent / "remote.git")
