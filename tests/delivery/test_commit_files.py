"""Tests of gepa_ci.delivery.commit_files, on real git repositories."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from gepa_ci.delivery.commit_files import MissingFileError, commit_id, commit_reader
from gepa_ci.errors import GitError

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "prompts/a.md": b"one\r\n\xff",
    "prompts/run.sh": b"#!",
    "sub/folder/b.txt": b"two",
    "spaced name \u00e9.md": b"three",
}


@dataclass(frozen=True)
class Clone:
    """A working tree and how git is run in it."""

    path: Path

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.path, check=True, capture_output=True)
        return done.stdout.decode().strip()

    def commit(self, message: str = "x") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--no-verify", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def clone(repository: Path) -> Clone:
    made = Clone(repository)
    for name, content in FILES.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (repository / "link.md").symlink_to("prompts/a.md")
    (repository / "linked").symlink_to("prompts")
    (repository / "out.md").symlink_to("/etc/passwd")
    (repository / "prompts" / "run.sh").chmod(0o755)
    made.commit("first")
    return made


def test_a_file_is_read_as_the_commit_has_it(clone: Clone) -> None:
    for name in FILES:
        (clone.path / name).write_bytes(b"changed in the working tree")

    read = commit_reader(clone.path, "HEAD")

    assert {name: read(name) for name in FILES} == FILES


def test_an_older_commit_has_its_own_files(clone: Clone) -> None:
    first = clone.git("rev-parse", "HEAD")
    (clone.path / "prompts" / "a.md").write_bytes(b"newer")
    clone.commit("second")

    assert commit_reader(clone.path, first)("prompts/a.md") == FILES["prompts/a.md"]
    assert commit_reader(clone.path, "HEAD~1")("prompts/a.md") == FILES["prompts/a.md"]
    assert commit_id(clone.path, "HEAD~1") == first
    assert commit_reader(clone.path, "main")("prompts/a.md") == b"newer"


@pytest.mark.parametrize(
    "ref", ["HEAD", "main", "v1", "refs/heads/main", "origin/side", "@", "main@{0}", "HEAD^0"]
)
def test_every_name_of_a_commit_is_understood(clone: Clone, ref: str) -> None:
    clone.git("tag", "-a", "v1", "-m", "annotated")
    clone.git("update-ref", "refs/remotes/origin/side", "HEAD")

    assert commit_reader(clone.path, ref)("prompts/a.md") == FILES["prompts/a.md"]


def test_paths_are_relative_to_the_folder(clone: Clone) -> None:
    read = commit_reader(clone.path / "sub", "HEAD")

    assert read("folder/b.txt") == b"two"
    with pytest.raises(MissingFileError):
        read("prompts/a.md")


def test_a_shallow_clone_that_has_the_commit_is_enough(clone: Clone, tmp_path: Path) -> None:
    for number in range(3):
        (clone.path / "prompts" / "a.md").write_bytes(b"%d" % number)
        clone.commit()
    shallow = Clone(tmp_path / "shallow")
    clone.git("clone", "-q", "--depth=1", f"file://{clone.path}", str(shallow.path))
    older = clone.git("rev-parse", "HEAD~1")
    shallow.git("fetch", "-q", "--depth=1", f"file://{clone.path}", "HEAD")

    assert commit_reader(shallow.path, "HEAD")("prompts/a.md") == b"2"
    with pytest.raises(GitError) as caught:
        commit_reader(shallow.path, older)
    assert caught.value.problems[0].message == f"the repository has no commit '{older}'"
    assert caught.value.problems[0].hint == f"fetch it: git fetch --depth=1 origin {older}"


def test_a_working_tree_of_its_own_reads_the_shared_objects(clone: Clone, tmp_path: Path) -> None:
    clone.git("worktree", "add", "-q", "--detach", str(tmp_path / "tree"))

    read = commit_reader(tmp_path / "tree" / "prompts", "main")

    assert read("a.md") == FILES["prompts/a.md"]


@pytest.mark.parametrize("ref", ["nowhere", "0" * 40, "HEAD~9", "HEAD^{blob}"])
def test_a_commit_that_is_not_there_is_an_error(clone: Clone, ref: str) -> None:
    with pytest.raises(GitError, match=r"has no commit|is not a name|cannot read"):
        commit_reader(clone.path, ref)


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "-c",
        "--output=x",
        "--exec=touch x",
        "..",
        "a..b",
        "main...HEAD",
        "main\n",
        "main\nHEAD",
        "main\x00",
        "HEAD:prompts/a.md",
        ":/first",
        "^main",
        "main HEAD",
        "$(touch x)",
        "`touch x`",
        "m\u00e4in",
        "a" * 300,
    ],
)
def test_a_ref_that_is_no_name_is_never_given_to_git(clone: Clone, ref: str) -> None:
    with pytest.raises(GitError, match="is not a name of a commit"):
        commit_reader(clone.path, ref)

    assert not (clone.path / "x").exists()


@pytest.mark.parametrize("path", ["link.md", "out.md", "prompts", "linked"])
def test_what_is_not_a_plain_file_is_refused(clone: Clone, path: str) -> None:
    with pytest.raises(GitError, match="this is not a plain file") as caught:
        commit_reader(clone.path, "HEAD")(path)

    assert not isinstance(caught.value, MissingFileError)


@pytest.mark.parametrize("path", ["linked/a.md", "prompts/a.md/x"])
def test_a_path_through_something_that_is_no_folder_is_refused(clone: Clone, path: str) -> None:
    with pytest.raises(GitError):
        commit_reader(clone.path, "HEAD")(path)


def test_a_submodule_is_refused(clone: Clone) -> None:
    clone.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    clone.git("commit", "-q", "-m", "module")

    with pytest.raises(GitError, match="this is not a plain file"):
        commit_reader(clone.path, "HEAD")("module")


@pytest.mark.parametrize(
    "path", ["../a", "a/../b", "..", ".", "./a", ".git/config", "", "/etc/passwd", "a//b", "a/"]
)
def test_a_path_that_leads_out_is_refused(clone: Clone, path: str) -> None:
    with pytest.raises(GitError, match="the path leads out of the repository"):
        commit_reader(clone.path, "HEAD")(path)


def test_a_missing_file_is_an_error_of_its_own(clone: Clone) -> None:
    with pytest.raises(MissingFileError) as caught:
        commit_reader(clone.path, "main")("prompts/none.md")

    assert str(caught.value) == "prompts/none.md: commit 'main' has no such file"


def test_a_repository_with_other_object_names_is_an_error(clone: Clone, tmp_path: Path) -> None:
    other = Clone(tmp_path / "sha256")
    clone.git("init", "-q", "--object-format=sha256", str(other.path))
    (other.path / "a.md").write_bytes(b"one")
    other.commit()

    with pytest.raises(GitError, match="is not a name of a commit"):
        commit_reader(other.path, "HEAD")


def test_a_folder_without_a_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="is not in a git repository"):
        commit_reader(tmp_path, "HEAD")
    with pytest.raises(GitError, match="is not in a git repository"):
        commit_reader(tmp_path / "none", "HEAD")


def test_a_bare_repository_is_an_error(clone: Clone, tmp_path: Path) -> None:
    clone.git("clone", "-q", "--bare", str(clone.path), str(tmp_path / "bare"))

    with pytest.raises(GitError, match="has no working tree"):
        commit_reader(tmp_path / "bare", "HEAD")


def test_a_repository_of_another_user_is_named_as_the_reason(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    with pytest.raises(GitError, match=r"git cannot read the repository: .*dubious") as caught:
        commit_reader(clone.path, "HEAD")

    assert "safe.directory" in str(caught.value.problems[0].hint)


def test_a_file_that_is_too_large_is_refused(clone: Clone) -> None:
    with (clone.path / "large.bin").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    clone.commit("large")

    with pytest.raises(GitError, match="64 MiB is the most"):
        commit_reader(clone.path, "HEAD")("large.bin")
