from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gepa_ci.cli.suite_files import write_all
from gepa_ci.errors import SuiteError

if TYPE_CHECKING:
    from pathlib import Path

OLD = {"a.jsonl": b"old a\n", "sub/b.csv": b"old b\n"}
NEW = {"a.jsonl": b"new a\n", "sub/b.csv": b"new b\n"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name, content in OLD.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def contents(root: Path) -> dict[str, bytes]:
    """Return all files, so that drafts that were left behind are seen too."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def nothing() -> None:
    """Find nothing wrong."""


def test_all_files_are_replaced_and_keep_their_modes(root: Path) -> None:
    (root / "a.jsonl").chmod(0o640)
    checked: list[dict[str, bytes]] = []

    write_all(root, NEW, OLD, check=lambda: checked.append(contents(root)))

    assert contents(root) == NEW
    # Drafts of the old content are still there while the new one is checked.
    assert NEW.items() <= checked[0].items()
    assert (root / "a.jsonl").stat().st_mode & 0o777 == 0o640


def test_a_second_file_that_cannot_be_replaced_puts_the_first_one_back(root: Path) -> None:
    def swap(new: Path, target: Path) -> None:
        if target.name == "b.csv":
            raise OSError(28, "No space left on device", str(target))
        new.replace(target)

    with pytest.raises(SuiteError, match="no space left on device; all files are as they were"):
        write_all(root, NEW, OLD, check=nothing, swap=swap)

    assert contents(root) == OLD


@pytest.mark.parametrize("error", [SuiteError("wrong"), KeyboardInterrupt()])
def test_what_the_check_raises_puts_all_back(root: Path, error: BaseException) -> None:
    def check() -> None:
        raise error

    with pytest.raises(type(error)):
        write_all(root, NEW, OLD, check=check)

    assert contents(root) == OLD


def test_a_file_that_has_changed_since_is_left_alone(root: Path) -> None:
    (root / "sub/b.csv").write_bytes(b"somebody else's\n")

    with pytest.raises(SuiteError, match=r"sub/b\.csv: the file was changed while it was read"):
        write_all(root, NEW, OLD, check=nothing)

    assert contents(root) == {**OLD, "sub/b.csv": b"somebody else's\n"}


def test_a_file_that_is_gone_has_changed(root: Path) -> None:
    (root / "a.jsonl").unlink()

    with pytest.raises(SuiteError, match="was changed"):
        write_all(root, NEW, OLD, check=nothing)

    assert contents(root) == {"sub/b.csv": OLD["sub/b.csv"]}


def test_a_link_is_not_written_through(root: Path) -> None:
    (root / "real").write_bytes(OLD["a.jsonl"])
    (root / "a.jsonl").unlink()
    (root / "a.jsonl").symlink_to("real")

    with pytest.raises(SuiteError, match=r"a\.jsonl: a symbolic link is not written through"):
        write_all(root, NEW, OLD, check=nothing)

    assert (root / "real").read_bytes() == OLD["a.jsonl"]


def test_a_folder_that_takes_no_drafts_is_an_error(root: Path) -> None:
    name = "n" * 250
    (root / name).write_bytes(b"old")

    with pytest.raises(SuiteError, match="cannot write the suite: file name too long"):
        write_all(root, {name: b"new"}, {name: b"old"}, check=nothing)

    assert (root / name).read_bytes() == b"old"
