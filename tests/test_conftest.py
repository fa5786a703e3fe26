"""Tests that tests are kept offline, away from the home directory and from keys."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "example.com", "2001:db8::1"])
def test_a_test_cannot_leave_the_machine(host: str) -> None:
    with pytest.raises(AssertionError, match=f"tried to reach '{host}'"):
        socket.create_connection((host, 80), timeout=1)


def test_a_test_can_talk_to_its_own_machine() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as client,
    ):
        assert client.getpeername() == server.getsockname()


def test_the_home_directory_is_a_temporary_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert Path("~").expanduser().is_relative_to(tmp_path_factory.getbasetemp())


def test_no_key_or_proxy_is_in_the_environment() -> None:
    assert not [name for name in os.environ if name.upper().endswith(("_API_KEY", "_PROXY"))]


def test_a_repository_has_a_remote_and_a_clean_commit_on_main(repository: Path) -> None:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=repository, check=True, capture_output=True, text=True
        ).stdout

    assert git("status", "--porcelain=v2", "--branch").splitlines()[1:] == [
        "# branch.head main",
        "# branch.upstream origin/main",
        "# branch.ab +0 -0",
    ]
