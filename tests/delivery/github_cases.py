"""Owns the repository on the emulator that the tests of the GitHub client start from."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from github_repository import BareRepository
from github_server import WORKFLOW_TOKEN, GitHubServer

from gepa_ci.delivery.forge import Annotation, Check, Conclusion, Level
from gepa_ci.delivery.github_client import GitHub

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FILES = {"prompts/a.md": b"one\ntwo\nthree\n", "b.txt": b"b\n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An emulator, a client of it with the workflow's token, and how long that one slept."""

    server: GitHubServer
    github: GitHub
    repository: BareRepository
    naps: list[float] = field(default_factory=list)

    @property
    def main(self) -> str:
        """The tip of the default branch."""
        return self.tip("main")

    def tip(self, branch: str) -> str:
        """Return the tip of a branch."""
        return self.repository.branches()[branch]

    def branch(self, name: str, files: Mapping[str, bytes] | None = None) -> str:
        """Make a branch with one commit on top of the default one and return it."""
        changed = {"prompts/a.md": b"one\n2\nthree\n"} if files is None else files
        return self.repository.commit(name, changed, parent=self.main)

    def pull(self, name: str = "topic", files: Mapping[str, bytes] | None = None) -> int:
        """Open a pull request as a person would and return its number."""
        self.branch(name, files)
        return int(self.server.open_pull(head=name)["number"])

    @contextmanager
    def client(self, token: str, *, server_url: str | None = None) -> Iterator[GitHub]:
        """Give a client with another token."""
        with GitHub(
            token,
            self.server.name,
            api_url=self.server.api_url,
            server_url=server_url or self.server.url,
            sleep=self.naps.append,
        ) as github:
            yield github

    @contextmanager
    def client_with(self, **permissions: str) -> Iterator[GitHub]:
        """Give a client whose token has these permissions only."""
        named = {name.replace("_", "-"): level for name, level in permissions.items()}
        self.server.add_token("ghs_less", permissions=named)
        with self.client("ghs_less") as github:
            yield github


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Serve a repository with one commit, and give a client of it."""
    repository = BareRepository.create(folder / "name.git", FILES)
    naps: list[float] = []
    with GitHubServer(repository) as server:
        with GitHub(
            WORKFLOW_TOKEN,
            server.name,
            api_url=server.api_url,
            server_url=server.url,
            sleep=naps.append,
        ) as github:
            yield Place(server=server, github=github, repository=repository, naps=naps)


def remarks(count: int, *, start: int = 1) -> tuple[Annotation, ...]:
    """Return so many remarks on lines of a prompt."""
    return tuple(
        Annotation(
            path="prompts/a.md",
            start_line=line,
            end_line=line,
            level=Level.WARNING,
            title="worse",
            message=f"example e{line} got worse",
        )
        for line in range(start, start + count)
    )


def verdict(sha: str, **changes: object) -> Check:
    """Return a check run to show."""
    fields: dict[str, object] = {
        "sha": sha,
        "conclusion": Conclusion.SUCCESS,
        "title": "no regression",
        "summary": "all good",
        "digest": "d1",
        **changes,
    }
    return Check(**fields)  # type: ignore[arg-type]
