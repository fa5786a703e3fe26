from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gepa_ci.cli.tree import write_prompts
from gepa_ci.errors import PromptError
from gepa_ci.formats import read_prompt

if TYPE_CHECKING:
    from pathlib import Path

    from gepa_ci.core.prompt import Prompt


OLD = read_prompt("prompts/p.md", b"old {{ text }}")


@pytest.fixture
def prompt(tmp_path: Path) -> Prompt:
    """Return a prompt file in the folder `prompts`, with other bytes than on disk."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "p.md").write_bytes(b"old {{ text }}")
    return replace(read_prompt("prompts/p.md", b"x"), source=b"new {{ text }}\r\n")


def test_the_file_gets_the_new_bytes_and_nothing_else_is_left(
    tmp_path: Path, prompt: Prompt
) -> None:
    assert write_prompts(tmp_path, OLD, prompt) == ("prompts/p.md",)

    assert (tmp_path / "prompts" / "p.md").read_bytes() == b"new {{ text }}\r\n"
    assert [path.name for path in (tmp_path / "prompts").iterdir()] == ["p.md"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_the_mode_of_the_file_is_kept(tmp_path: Path, prompt: Prompt, mode: int) -> None:
    (tmp_path / "prompts" / "p.md").chmod(mode)

    write_prompts(tmp_path, OLD, prompt)

    assert stat.S_IMODE((tmp_path / "prompts" / "p.md").stat().st_mode) == mode


def test_a_link_is_not_written_through(tmp_path: Path, prompt: Prompt) -> None:
    victim = tmp_path / "victim.md"
    victim.write_bytes(b"victim")
    (tmp_path / "prompts" / "p.md").unlink()
    (tmp_path / "prompts" / "p.md").symlink_to(victim)

    with pytest.raises(PromptError, match="a symbolic link is not written through"):
        write_prompts(tmp_path, OLD, prompt)

    assert victim.read_bytes() == b"victim"


def test_a_linked_folder_is_not_written_through(tmp_path: Path, prompt: Prompt) -> None:
    (tmp_path / "prompts").rename(tmp_path / "elsewhere")
    (tmp_path / "prompts").symlink_to("elsewhere")

    with pytest.raises(PromptError, match="a symbolic link is not written through"):
        write_prompts(tmp_path, OLD, prompt)


def test_a_planted_link_beside_the_file_is_not_followed(tmp_path: Path, prompt: Prompt) -> None:
    victim = tmp_path / "victim.md"
    victim.write_bytes(b"victim")
    for name in (".p.md.gepa-ci", ".p.md.tmp", "p.md.tmp"):
        (tmp_path / "prompts" / name).symlink_to(victim)

    write_prompts(tmp_path, OLD, prompt)

    assert victim.read_bytes() == b"victim"


def test_a_failed_write_leaves_the_old_file_whole(
    tmp_path: Path, prompt: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)

    with pytest.raises(PromptError) as caught:
        write_prompts(tmp_path, OLD, prompt)

    (problem,) = caught.value.problems
    assert str(problem) == "prompts/p.md: cannot write the file: no space left on device"
    assert problem.hint == "check the permissions of the file and its folder"
    assert (tmp_path / "prompts" / "p.md").read_bytes() == b"old {{ text }}"
    assert [path.name for path in (tmp_path / "prompts").iterdir()] == ["p.md"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_error_with_a_hint(tmp_path: Path, prompt: Prompt) -> None:
    folder = tmp_path / "prompts"
    folder.chmod(0o555)
    try:
        with pytest.raises(PromptError, match="cannot write the file: permission denied"):
            write_prompts(tmp_path, OLD, prompt)
    finally:
        folder.chmod(0o755)


def test_a_file_that_has_gone_is_an_error(tmp_path: Path, prompt: Prompt) -> None:
    (tmp_path / "prompts" / "p.md").unlink()

    with pytest.raises(PromptError, match="cannot write the file: no such file"):
        write_prompts(tmp_path, OLD, prompt)
