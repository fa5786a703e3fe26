"""Keeps every test offline, out of the home directory and away from keys; makes repositories."""

from __future__ import annotations

import ipaddress
import os
import re
import signal
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from gepa_ci.lm.local_files import default_cache_dir

if TYPE_CHECKING:
    from pathlib import Path

_SECRET_OR_PROXY = re.compile(
    r".*_API_KEY|.*_API_TOKEN|.*_ACCESS_KEY.*|.*_SESSION_TOKEN|.*_SECRET.*|.*_API_BASE|.*_BASE_URL"
    r"|(HTTPS?|ALL|NO|FTP)_PROXY|GITHUB_TOKEN|GH_TOKEN|HF_TOKEN|GITHUB_.*|GIT_.*|GEPA_CI_.*",
    re.IGNORECASE,
)
_IDENTITY = {
    "GIT_AUTHOR_NAME": "A. Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.com",
    "GIT_COMMITTER_NAME": "A. Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "file",
}
_REAL_CACHE = default_cache_dir(os.environ)


class NetworkForbiddenError(AssertionError):
    """A test tried to leave the machine."""


# A busy machine is no failure, and a run that fails must fail again.
settings.register_profile("gepa-ci", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("gepa-ci")
# A background job of a shell ignores Ctrl-C, and so would the processes that tests start.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets reach this machine only, and names resolve only to it."""
    connect, connect_ex, getaddrinfo = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.getaddrinfo,
    )

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _demand_loopback(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _demand_loopback(address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        _demand_loopback((host, 0))
        return getaddrinfo(host, *rest, **more)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)


@pytest.fixture(autouse=True)
def _own_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Give the test, and its subprocesses, a home of its own and nobody's keys or proxies."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if _SECRET_OR_PROXY.fullmatch(name) or name.startswith("XDG_"):
            monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    for name, value in _IDENTITY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """Return the real cache directory, into which the set-up has put the local model's file."""
    return _REAL_CACHE


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a clone, with one commit on `main`, of a bare remote in the temporary directory."""
    remote, clone = tmp_path / "remote.git", tmp_path / "repository"
    _git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    _git(tmp_path, "clone", "--quiet", str(remote), str(clone))
    _git(clone, "checkout", "--quiet", "-B", "main")
    (clone / "README.md").write_text("# A repository\n", encoding="utf-8")
    _git(clone, "add", "--all")
    _git(clone, "commit", "--quiet", "--message", "Begin")
    _git(clone, "push", "--quiet", "--set-upstream", "origin", "main")
    return clone


def _git(directory: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=directory, check=True, capture_output=True)


def _demand_loopback(address: Any) -> None:
    """Raise unless an address is on this machine."""
    if not isinstance(address, tuple):  # a Unix socket's path
        return
    host = address[0].decode() if isinstance(address[0], bytes) else address[0]
    if host in (None, "", "localhost"):
        return
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise NetworkForbiddenError(f"a test tried to reach '{host}'")
