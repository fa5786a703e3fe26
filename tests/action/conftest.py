"""The world that the tests of whole runs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from act import Runner
from action_world import KEY, World, answer, files
from github_repository import BareRepository
from github_server import GitHubServer
from provider import FakeProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Return a provider that lets only the key of the world in."""
    with FakeProvider(answer, keys=[KEY]) as provider:
        yield provider


@pytest.fixture
def world(tmp_path: Path, provider: FakeProvider) -> Iterator[World]:
    """Return a repository with a good prompt on its default branch."""
    git = BareRepository.create(tmp_path / "name.git", files(provider.url))
    with GitHubServer(git) as server:
        runner = Runner(folder=tmp_path / "runner", server=server, secrets={"OPENAI_API_KEY": KEY})
        yield World(server=server, runner=runner, folder=tmp_path)
