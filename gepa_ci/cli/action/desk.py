"""Owns what every errand of the Action works with: git, GitHub, the runner's files, redaction."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.cli.known_secrets import secrets_of
from gepa_ci.delivery.data_branch import DataBranch
from gepa_ci.delivery.git_repository import Git, Remote
from gepa_ci.delivery.github_client import GitHub
from gepa_ci.delivery.redaction import Redactor
from gepa_ci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gepa_ci.cli.action.settings import Settings
    from gepa_ci.core.values import JSON


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One run's settings and its ways to the outside; nothing is asked before it is needed."""

    settings: Settings
    git: Git
    remote: Remote
    github: GitHub

    @property
    def redactor(self) -> Redactor:
        """Return what takes secrets out; those that the config names are known once it is read."""
        return Redactor({**secrets_of(os.environ), "token": self.settings.token or ""})

    @property
    def data(self) -> DataBranch:
        """Return the data branch."""
        return DataBranch(self.git, self.remote)

    @property
    def run(self) -> str:
        """Return which run and which attempt at it this is."""
        return f"{self.settings.run_id}.{self.settings.run_attempt}"

    def clean(self, document: Mapping[str, JSON]) -> dict[str, JSON]:
        """Return a document without secrets.

        It comes before anything is rendered: escaping and cutting would hide half of a secret.
        """
        redactor = self.redactor
        return {redactor(key): redactor.in_json(item) for key, item in document.items()}

    def bring(self, sha: str, *, depth: int = 1) -> None:
        """Fetch a commit unless the clone has it."""
        if depth > 1 or not self.git.has(sha):
            self.git.fetch(self.remote, sha, depth=depth)


@contextmanager
def open_desk(settings: Settings) -> Iterator[Desk]:
    """Open the ways to the outside and close them however the run ends.

    Raises:
        UsageError: there is no token.
    """
    if settings.token is None:
        raise UsageError(
            "there is no token for GitHub",
            hint="the input `token` defaults to github.token; do not set it to an empty value",
        )
    settings.folder.mkdir(parents=True, exist_ok=True)
    github = GitHub(
        settings.token,
        settings.event.repository,
        api_url=settings.api_url,
        server_url=settings.server_url,
    )
    try:
        yield Desk(
            settings=settings,
            git=Git(settings.workspace, environ=dict(os.environ)),
            remote=Remote(url=settings.clone_url, token=settings.token),
            github=github,
        )
    finally:
        github.close()
