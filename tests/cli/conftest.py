"""The workbench that the command line's tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from workbench import Workbench

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workbench:
    """Return an empty folder that is the working directory, with a key for the fake provider."""
    root = tmp_path / "bench"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    return Workbench(root=root, capsys=capsys)


@pytest.fixture
def repo(bench: Workbench) -> Workbench:
    """Return the workbench as a git repository."""
    bench.git("init", "--quiet", "--initial-branch=main")
    return bench
