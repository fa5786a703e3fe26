"""Owns what a test arranges on the GitHub emulator beforehand, and what it looks at afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import github_comments
import github_pulls
from github_model import ALL_WRITE, BOT_LOGIN, Row, Token, World

if TYPE_CHECKING:
    from collections.abc import Mapping


class Arranging:
    """The part of the emulator that tests talk to directly, without HTTP."""

    world: World

    def add_token(
        self,
        secret: str,
        *,
        login: str = BOT_LOGIN,
        app: str | None = "github-actions",
        permissions: Mapping[str, str] = ALL_WRITE,
    ) -> None:
        """Let a token in: a workflow's, or with `app=None` a person's."""
        number = self.world.account(login)["id"]
        self.world.tokens[secret] = Token(login=login, id=number, permissions=permissions, app=app)

    def open_pull(
        self,
        *,
        head: str,
        base: str = "main",
        login: str = "ann",
        title: str = "Change",
        **more: Any,
    ) -> Row:
        """Open a pull request as a person would and return it."""
        git = self.world.git
        shas = {name: git.sha(f"refs/heads/{name}") for name in (head, base)}
        assert None not in shas.values(), shas
        with self.world.lock:
            return github_pulls.new_pull(
                self.world,
                title=title,
                login=login,
                head_ref=head,
                head_sha=shas[head],
                base_ref=base,
                base_sha=shas[base],
                **more,
            )

    def open_fork_pull(
        self,
        head_sha: str,
        *,
        head: str = "main",
        base: str = "main",
        login: str = "eve",
        **more: Any,
    ) -> Row:
        """Open a pull request out of a fork; `head_repository=None` is a fork that is gone."""
        fields: Row = {"title": "From a fork", "head_repository": 2002, **more}
        base_sha = self.world.git.sha(f"refs/heads/{base}")
        with self.world.lock:
            return github_pulls.new_pull(
                self.world,
                login=login,
                head_ref=head,
                head_sha=head_sha,
                base_ref=base,
                base_sha=base_sha,
                **fields,
            )

    def merge(self, number: int, *, squash: bool = False) -> str:
        """Merge a pull request as its button does."""
        with self.world.lock:
            self.world.sync()
            return github_pulls.merge(self.world, self.world.pull(number), squash=squash)

    def comment(self, number: int, *, body: str, login: str = "ann") -> Row:
        """Comment as a person would."""
        with self.world.lock:
            return github_comments.new_comment(self.world, number, login, body)

    def add_run(self, *, head_sha: str, head_branch: str, **more: Any) -> int:
        """Remember a workflow run and return its id."""
        made = self.world.next_id()
        row: Row = {
            "id": made,
            "event": "pull_request",
            "head_sha": head_sha,
            "head_branch": head_branch,
            "head_repository": self.world.id,
            "status": "completed",
            "conclusion": "success",
            "path": ".github/workflows/gepa-ci.yml",
            **more,
        }
        self.world.runs.append(row)
        return made

    def add_artifact(self, run: int, name: str, content: bytes, *, expired: bool = False) -> int:
        """Upload an artifact and return its id."""
        made = self.world.next_id()
        self.world.blobs[made] = content
        where = f"/repos/{self.world.name}/actions/artifacts/{made}/zip"
        self.world.artifacts.append(
            {
                "id": made,
                "name": name,
                "size_in_bytes": len(content),
                "expired": expired,
                "archive_download_url": where,
                "workflow_run": {"id": run},
            }
        )
        return made

    # Asking.

    @property
    def pulls(self) -> list[Row]:
        """All pull requests, oldest first, as their branches now make them."""
        with self.world.lock:
            self.world.sync()
            return list(self.world.pulls)

    def comments(self, number: int) -> list[Row]:
        """Return the comments on a pull request."""
        return [row for row in self.world.comments if row["number"] == number]

    def review_comments(self, number: int) -> list[Row]:
        """Return the remarks on lines of a pull request."""
        return [row for row in self.world.review_comments if row["number"] == number]

    def checks(self, sha: str) -> list[Row]:
        """Return the check runs of a commit, with their annotations."""
        return [row for row in self.world.checks if row["head_sha"] == sha]

    def statuses(self, sha: str) -> list[Row]:
        """Return the statuses of a commit."""
        return [row for row in self.world.statuses if row["sha"] == sha]
