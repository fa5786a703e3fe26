"""Owns what gepa-ci asks of GitHub, as calls that take and return values."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

from gepa_ci.delivery import github_checks, github_commits
from gepa_ci.delivery.forge import Account
from gepa_ci.delivery.github_errors import RefusedError
from gepa_ci.delivery.github_transport import Transport
from gepa_ci.delivery.payloads import (
    Fields,
    is_sha,
    parse_account,
    parse_comment,
    parse_pull,
    parse_workflow_run,
)
from gepa_ci.errors import GitHubError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from gepa_ci.delivery.forge import Check, CheckRun, Comment, PullRequest, WorkflowRun

WORKFLOW_BOT = Account(id=41898282, login="github-actions[bot]")
"""Whose token a workflow has, on github.com; elsewhere the id is another."""
_REPOSITORY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+")
_ROLES = {"admin", "maintain", "write", "triage", "read", "none"}
_READ = "pull-requests: read"
_WRITE = "pull-requests: write"
_FORBIDDEN = 403
_NOT_FOUND = 404
_INVALID = 422


class GitHub:
    """One repository on GitHub, seen with one token; nothing is sent before the first call.

    Args:
        token: of the workflow, an app or a person.
        repository: `owner/name`.
        api_url: such as `https://api.github.com`, or an Enterprise server's with its path.
        server_url: such as `https://github.com`.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        token: str,
        repository: str,
        *,
        api_url: str,
        server_url: str,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if not _REPOSITORY.fullmatch(repository):
            raise GitHubError(f"'{repository}' is not a repository's owner/name")
        self.repository = repository
        self._base = f"/repos/{repository}"
        self._is_public_github = urlsplit(server_url).hostname == "github.com"
        self._transport = Transport(token, api_url=api_url, sleep=sleep)
        self._about: Fields | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End the connections."""
        self._transport.close()

    def me(self) -> Account:
        """Return whose token this is; one that may not know is taken for the workflow's."""
        try:
            return parse_account(self._get("/user", "ask whose token this is", "a valid token"))
        except RefusedError as error:
            if error.status != _FORBIDDEN:
                raise
        if self._is_public_github:
            return WORKFLOW_BOT
        try:
            login = quote(WORKFLOW_BOT.login)
            return parse_account(self._get(f"/users/{login}", "find the bot", "metadata: read"))
        except RefusedError:
            return WORKFLOW_BOT

    def default_branch(self) -> str:
        """Return the name of the default branch."""
        return self._repository().text("default_branch")

    def repository_id(self) -> int:
        """Return the repository's id, which outlives its name."""
        return self._repository().number("id")

    def _repository(self) -> Fields:
        if self._about is None:
            found = self._get(self._base, "read the repository", "metadata: read")
            self._about = Fields(found, "repository")
        return self._about

    def pull(self, number: int) -> PullRequest:
        """Return a pull request."""
        path = f"{self._base}/pulls/{number:d}"
        return parse_pull(self._get(path, f"read pull request {number}", _READ))

    def pulls(self, head_branch: str, *, base: str | None = None) -> list[PullRequest]:
        """Return the pull requests of a branch of this repository, open or not, newest first."""
        owner = self.repository.partition("/")[0]
        query = {"state": "all", "head": f"{owner}:{head_branch}", "sort": "created"}
        query |= {"direction": "desc"} if base is None else {"direction": "desc", "base": base}
        found = self._pulls(f"{self._base}/pulls", query)
        own = [pull for pull in found if not pull.is_from_fork and pull.head_branch == head_branch]
        return sorted(own, key=lambda pull: pull.number, reverse=True)

    def pulls_of_commit(self, sha: str) -> list[PullRequest]:
        """Return the pull requests that have a commit or brought it."""
        return self._pulls(f"{self._base}/commits/{_sha(sha)}/pulls", {})

    def _pulls(self, path: str, query: Mapping[str, str]) -> list[PullRequest]:
        rows = self._transport.pages(path, action="list pull requests", needs=_READ, query=query)
        return [parse_pull(row) for row in rows]

    def open_pull(
        self, *, head: str, base: str, title: str, body: str, draft: bool = False
    ) -> PullRequest:
        """Open a pull request between branches, or return the open one that there is."""
        try:
            answer = self._transport.send(
                "POST",
                f"{self._base}/pulls",
                action="open a pull request",
                needs=_WRITE,
                body={"head": head, "base": base, "title": title, "body": body, "draft": draft},
                # GitHub refuses a second one, so asking twice does no harm.
                is_repeatable=True,
            )
        except RefusedError as error:
            if error.status == _INVALID and "already exists" in error.said:
                for pull in self.pulls(head, base=base):
                    if pull.is_open:
                        return pull
            raise
        return parse_pull(answer.data)

    def edit_pull(
        self,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        is_open: bool | None = None,
    ) -> PullRequest:
        """Change what is given of a pull request."""
        state = None if is_open is None else "open" if is_open else "closed"
        fields = {"title": title, "body": body, "state": state}
        answer = self._transport.send(
            "PATCH",
            f"{self._base}/pulls/{number:d}",
            action=f"change pull request {number}",
            needs=_WRITE,
            body={name: value for name, value in fields.items() if value is not None},
        )
        return parse_pull(answer.data)

    def add_labels(self, number: int, labels: Sequence[str]) -> None:
        """Add labels to a pull request; new ones are made."""
        self._transport.send(
            "POST",
            f"{self._base}/issues/{number:d}/labels",
            action=f"label pull request {number}",
            needs=_WRITE,
            body={"labels": list(labels)},
            is_repeatable=True,
        )

    def comments(self, number: int) -> list[Comment]:
        """Return all comments on a pull request, oldest first."""
        return self._comments(f"{self._base}/issues/{number:d}/comments")

    def review_comments(self, number: int) -> list[Comment]:
        """Return all remarks on lines of a pull request."""
        return self._comments(f"{self._base}/pulls/{number:d}/comments")

    def _comments(self, path: str) -> list[Comment]:
        rows = self._transport.pages(path, action="list comments", needs=_READ)
        return [parse_comment(row) for row in rows]

    def add_comment(self, number: int, body: str) -> Comment:
        """Comment on a pull request."""
        path = f"{self._base}/issues/{number:d}/comments"
        return self._comment("POST", path, {"body": body})

    def edit_comment(self, comment: int, body: str) -> Comment:
        """Change a comment."""
        path = f"{self._base}/issues/comments/{comment:d}"
        return self._comment("PATCH", path, {"body": body})

    def delete_comment(self, comment: int) -> None:
        """Take a comment away; one that is gone already is as good."""
        try:
            self._transport.send(
                "DELETE",
                f"{self._base}/issues/comments/{comment:d}",
                action="delete a comment",
                needs=_WRITE,
                is_repeatable=True,
            )
        except RefusedError as error:
            if error.status != _NOT_FOUND:
                raise

    def suggest(
        self, number: int, *, sha: str, path: str, start_line: int, end_line: int, body: str
    ) -> Comment:
        """Remark on lines of the diff, as they are at a commit of the pull request."""
        fields: dict[str, Any] = {"body": body, "commit_id": sha, "path": path}
        fields |= {"line": end_line, "side": "RIGHT"}
        if start_line != end_line:
            fields |= {"start_line": start_line, "start_side": "RIGHT"}
        return self._comment("POST", f"{self._base}/pulls/{number:d}/comments", fields)

    def _comment(self, method: str, path: str, body: Mapping[str, Any]) -> Comment:
        answer = self._transport.send(
            method, path, action="write a comment", needs=_WRITE, body=body
        )
        return parse_comment(answer.data)

    def files(self, number: int) -> list[tuple[str, str | None]]:
        """Return the changed files of a pull request with their patches; large ones have none."""
        rows = self._transport.pages(
            f"{self._base}/pulls/{number:d}/files", action="list changed files", needs=_READ
        )
        found = [Fields(row, "file") for row in rows]
        return [(file.text("filename"), file.optional_text("patch") or None) for file in found]

    def permission(self, login: str) -> str:
        """Return what somebody may do: admin, maintain, write, triage, read or none."""
        path = f"{self._base}/collaborators/{quote(login, safe='')}/permission"
        try:
            found = self._get(path, f"read what '{login}' may do", "metadata: read")
        except RefusedError as error:
            if error.status != _NOT_FOUND:
                raise
            return "none"
        fields = Fields(found, "permission")
        # A role of the organization's own has a name of its own and the rights of one of these.
        role = fields.optional_text("role_name")
        role = role if role in _ROLES else fields.text("permission")
        return role if role in _ROLES else "none"

    def checks(self, sha: str, name: str) -> list[CheckRun]:
        """Return the latest check runs of a name on a commit, one an app."""
        return github_checks.checks(self._transport, self.repository, _sha(sha), name)

    def put_check(self, check: Check) -> int:
        """Show a check run and return its id; 0 when a commit status had to do."""
        return github_checks.put_check(self._transport, self.repository, check)

    def signed_commit(self, *, parent: str, files: Mapping[str, bytes], message: str) -> str:
        """Make a commit that GitHub signs, on no branch yet, and return its id."""
        return github_commits.signed_commit(
            self._transport, self.repository, parent=_sha(parent), files=files, message=message
        )

    def set_branch(self, branch: str, sha: str, *, expected: str | None) -> None:
        """Make a branch, or move it if it still is at the expected commit."""
        github_commits.set_branch(
            self._transport, self.repository, branch, _sha(sha), expected=expected
        )

    def artifact(self, run_id: int, name: str) -> bytes | None:
        """Return the zip file of a run's newest artifact of a name; None when there is none."""
        return github_commits.artifact(self._transport, self.repository, run_id, name)

    def run(self, run_id: int) -> WorkflowRun:
        """Return a run of a workflow."""
        path = f"{self._base}/actions/runs/{run_id:d}"
        return parse_workflow_run(self._get(path, f"read run {run_id}", "actions: read"))

    def _get(self, path: str, action: str, needs: str) -> object:
        return self._transport.send("GET", path, action=action, needs=needs).data


def _sha(text: str) -> str:
    if not is_sha(text):
        raise GitHubError(f"'{text}' is not the full id of a commit")
    return text
