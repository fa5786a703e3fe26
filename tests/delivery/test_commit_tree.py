"""Copies of commits: what is in them, what is linked beside it, and what never is."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from clones import Clone

from gepa_ci.delivery import commit_tree
from gepa_ci.delivery.commit_tree import CommitTree
from gepa_ci.errors import GitError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(repository: Path) -> Clone:
    return Clone(repository, repository.parent / "remote.git")


@pytest.fixture
def shelter(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "trees"


def tree(clone: Clone, shelter: Path, *, below: str = "", ref: str = "main") -> CommitTree:
    return CommitTree(folder=clone.path / below, ref=ref, environ=os.environ, shelter=shelter)


def put(clone: Clone, **files: str) -> None:
    """Write files; two underscores stand for a slash."""
    for name, text in files.items():
        path = clone.path / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_copy_has_the_commits_files_with_their_modes(clone: Clone, shelter: Path) -> None:
    put(clone, run="#!/bin/sh\n", lib__a="one\r\n")
    (clone.path / "run").chmod(0o755)
    (clone.path / ".gitattributes").write_text("* text eol=lf filter=evil\n")
    clone.git("config", "filter.evil.smudge", "false")
    clone.commit()
    clone.git("checkout", "-q", "-b", "change")
    put(clone, run="changed", lib__b="new")
    clone.commit()

    made, root = tree(clone, shelter).copy()

    assert made == root
    assert made.parent == shelter
    assert (root / "run").read_text() == "#!/bin/sh\n"
    assert os.access(root / "run", os.X_OK)
    assert not os.access(root / "lib/a", os.X_OK)
    assert sorted(path.name for path in (root / "lib").iterdir()) == ["a"]
    assert not (root / ".git").exists()


def test_only_links_that_stay_inside_are_there(clone: Clone, shelter: Path) -> None:
    put(clone, d__a="a")
    links = {
        "good": "d/a",
        "d/up": "../README.md",
        "out": "../../etc/passwd",
        "absolute": "/etc/passwd",
        "loop": "loop",
        "first": "second/x",
        "second": "..",
    }
    for name, target in links.items():
        (clone.path / name).symlink_to(target)
    clone.commit()

    _, root = tree(clone, shelter).copy()

    assert (root / "good").read_text() == "a"
    assert (root / "d/up").read_text() == "# A repository\n"
    found = {name for name in links if os.path.lexists(root / name)}
    assert found <= {"good", "d/up", "first"}
    assert not (root / "first").exists()


def test_what_nobody_tracks_is_linked_at_the_top_and_at_the_root(
    clone: Clone, shelter: Path
) -> None:
    put(clone, ai__p="p", lib__x="x")
    clone.commit()
    clone.git("checkout", "-q", "-b", "change")
    put(clone, Tracked__x="head")
    clone.commit()
    put(clone, node_modules__x="here", ai__venv__x="there", lib__new="new", tracked__y="y")
    (clone.path / ".gepa-ci").mkdir()

    shown = tree(clone, shelter, below="ai")
    made, root = shown.copy()

    assert root == made / "ai"
    assert (made / "node_modules/x").read_text() == "here"
    assert (root / "venv/x").read_text() == "there"
    # Tracked folders are the commit's own, and what the checkout's commit has is not trusted.
    assert not (made / "lib/new").exists()
    assert not os.path.lexists(made / "Tracked")
    assert not os.path.lexists(made / "tracked")
    assert not os.path.lexists(made / ".gepa-ci")
    assert [shown.has(path) for path in ("p", "../lib/x", "venv/x", "venv/z", "q")] == [
        *(True, True, True, False, False)
    ]


def test_the_digest_is_of_all_files_but_those_that_are_apart(clone: Clone, shelter: Path) -> None:
    put(clone, ai__p="1", lib__x="1")
    clone.commit("one")
    put(clone, ai__p="2")
    clone.commit("two")
    put(clone, lib__x="2")
    clone.commit("three")

    def digest(ref: str, *apart: str) -> str:
        return CommitTree(
            folder=clone.path / "ai",
            ref=ref,
            environ=os.environ,
            shelter=shelter,
            apart=frozenset(apart),
        ).digest

    assert digest("main~2", "p") == digest("main~1", "p") != digest("main", "p")
    assert digest("main~2") != digest("main~1")


def test_a_commit_with_too_much_in_it_is_refused(
    clone: Clone, shelter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(clone, big="x" * 3_000_000, other="y" * 100)
    clone.commit()
    monkeypatch.setattr(commit_tree, "_AT_ONCE", 1000)
    assert (tree(clone, shelter).copy()[1] / "other").read_text() == "y" * 100
    monkeypatch.setattr(commit_tree, "_MOST_BYTES", 2 << 20)

    with pytest.raises(GitError, match="the trusted commit has 2 MiB of files"):
        tree(clone, shelter).copy()

    assert len(list(shelter.iterdir())) == 1


def test_copies_that_a_killed_run_left_are_removed(clone: Clone, shelter: Path) -> None:
    old, new = shelter / "gepa-ci-tree-old", shelter / "gepa-ci-tree-new"
    for path in (old, new):
        path.mkdir(parents=True)
    os.utime(old, (0, time.time() - 100_000))

    tree(clone, shelter).copy()

    assert not old.exists()
    assert new.exists()


def test_without_a_cache_folder_copies_are_made_in_the_temporary_one(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

    made, _ = tree(clone, tmp_path / "file" / "trees").copy()

    assert made.parent == tmp_path / "temporary"


def test_a_copy_that_cannot_be_written_is_an_error_and_leaves_nothing(
    clone: Clone, shelter: Path
) -> None:
    put(clone, name="x")
    clone.commit()
    deep = "/".join([*["n" * 255] * 15, "n" * 200])
    blob = clone.git("rev-parse", "main:name")
    clone.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{deep}")
    clone.git("commit", "-q", "-m", "deep")

    with pytest.raises(GitError, match="the trusted commit cannot be copied: File name too long"):
        tree(clone, shelter).copy()

    assert list(shelter.iterdir()) == []
