"""Tests of gepa_ci.delivery.new_repository."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from gepa_ci.delivery.new_repository import diff_of, make_repository
from gepa_ci.errors import GitError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode().strip()


def test_the_repository_has_one_commit_with_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "demo"

    make_repository(folder, {"a.md": b"one\r\n", "--b.md": b"two"})

    assert git(folder, "rev-list", "--count", "HEAD") == "1"
    assert git(folder, "ls-files").split() == ["--b.md", "a.md"]
    assert git(folder, "status", "--porcelain") == ""
    assert git(folder, "log", "--format=%an") == "gepa-ci demo"
    assert (folder / "a.md").read_bytes() == b"one\r\n"


def test_the_diff_names_what_changed(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.md": b"one\n", "b.md": b"two\n"})
    (tmp_path / "a.md").write_bytes(b"other\n")

    assert "a.md | 2 +-" in diff_of(tmp_path)
    assert "b.md" not in diff_of(tmp_path)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(UsageError, match="is not empty"):
        make_repository(tmp_path, {"a.md": b""})

    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_git_that_fails_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="git failed: "):
        make_repository(tmp_path, {})
