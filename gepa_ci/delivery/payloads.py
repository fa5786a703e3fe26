"""Owns turning GitHub's JSON, of the API and of events, into values; every field is checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gepa_ci.delivery.forge import Account, CheckRun, Comment, PullRequest, WorkflowRun
from gepa_ci.errors import GitHubError

_SHA = re.compile(r"[0-9a-f]{40}")
# What git refuses in a name of a ref anyway: whatever has one of these did not come from git.
_NOT_IN_REFS = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_LONGEST_REF = 500
_URL = re.compile(r"https?://[^\s<>\"'`\\^{|}\x00-\x20\x7f]{1,2000}")
_MOST_SHOWN = 60
# Who GitHub names where an account is gone.
_GHOST = Account(id=10137, login="ghost")


def is_sha(text: str) -> bool:
    """Return whether a text is the full id of a commit."""
    return _SHA.fullmatch(text) is not None


def shown(text: str) -> str:
    """Return other people's text on one short line of printable characters, to be quoted."""
    line = " ".join(text[: 4 * _MOST_SHOWN].split())[:_MOST_SHOWN]
    return "".join(c if c.isprintable() else "\ufffd" for c in line)


def parse_pull(payload: object) -> PullRequest:
    """Return a pull request out of the API's JSON or an event's.

    Raises:
        GitHubError: a field is missing, or is not of the type that GitHub promises.
    """
    fields = Fields(payload, "pull request")
    return PullRequest(
        number=fields.number("number"),
        title=fields.text("title"),
        url=fields.url("html_url"),
        author=parse_account(fields.get("user")),
        head_sha=fields.sha("head.sha"),
        head_branch=fields.branch("head.ref"),
        head_repository=None if fields.get("head.repo") is None else fields.number("head.repo.id"),
        base_sha=fields.sha("base.sha"),
        base_branch=fields.branch("base.ref"),
        base_repository=fields.number("base.repo.id"),
        is_open=fields.text("state") == "open",
        # Lists have the time only.
        is_merged=fields.flag("merged") or fields.get("merged_at") is not None,
        is_draft=fields.flag("draft"),
        labels=tuple(Fields(row, "label").text("name") for row in fields.rows("labels")),
        body=fields.optional_text("body"),
    )


def parse_account(payload: object) -> Account:
    """Return who somebody is; an account that is gone is GitHub's ghost."""
    if payload is None:
        return _GHOST
    fields = Fields(payload, "account")
    return Account(id=fields.number("id"), login=fields.text("login"))


def parse_comment(payload: object) -> Comment:
    """Return a comment on a pull request or on its lines."""
    fields = Fields(payload, "comment")
    return Comment(
        id=fields.number("id"),
        author=parse_account(fields.get("user")),
        body=fields.optional_text("body"),
        url=fields.optional_text("html_url"),
    )


def parse_check_run(payload: object) -> CheckRun:
    """Return a check run."""
    fields = Fields(payload, "check run")
    return CheckRun(
        id=fields.number("id"),
        name=fields.text("name"),
        conclusion=fields.optional_text("conclusion") or None,
        digest=fields.optional_text("external_id"),
        app=fields.optional_text("app.slug"),
        title=fields.optional_text("output.title"),
    )


def parse_workflow_run(payload: object) -> WorkflowRun:
    """Return a run of a workflow; the run of a fork that is gone has no repository to trust."""
    fields = Fields(payload, "workflow run")
    return WorkflowRun(
        id=fields.number("id"),
        event=fields.text("event"),
        head_sha=fields.sha("head_sha"),
        head_branch=fields.optional_text("head_branch"),
        head_repository=fields.number("head_repository.id"),
        conclusion=fields.optional_text("conclusion") or None,
        path=fields.text("path"),
    )


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object whose fields are checked as they are taken; names may go down by dots."""

    data: object
    what: str
    """What the object is, for messages."""

    def get(self, name: str) -> object:
        """Return a field as it is; None when it, or an object above it, is missing."""
        found = self.data
        for part in name.split("."):
            if found is None:
                return None
            if not isinstance(found, Mapping):
                raise self._wrong(name, "an object around it")
            found = found.get(part)
        return found

    def text(self, name: str) -> str:
        """Return a text that is not empty; halves of surrogate pairs are replaced."""
        found = self.get(name)
        if not isinstance(found, str) or not found:
            raise self._wrong(name, "a text")
        return found.encode("utf-8", "replace").decode("utf-8")

    def optional_text(self, name: str) -> str:
        """Return a text, empty where there is none."""
        found = self.get(name)
        return "" if found is None or found == "" else self.text(name)

    def number(self, name: str) -> int:
        """Return a whole number from 0 on."""
        found = self.get(name)
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise self._wrong(name, "a number")
        return found

    def sha(self, name: str) -> str:
        """Return the full id of a commit."""
        found = self.get(name)
        if not isinstance(found, str) or not is_sha(found):
            raise self._wrong(name, "a commit")
        return found

    def branch(self, name: str) -> str:
        """Return a name of a branch that git could have; it may still look like an option."""
        found = self.text(name)
        if len(found) > _LONGEST_REF or _NOT_IN_REFS.search(found):
            raise self._wrong(name, "a name of a branch")
        return found

    def url(self, name: str) -> str:
        """Return an http or https address without blanks, quotes or brackets."""
        found = self.text(name)
        if not _URL.fullmatch(found):
            raise self._wrong(name, "an http address")
        return found

    def flag(self, name: str) -> bool:
        """Return a flag, off where there is none."""
        found = self.get(name)
        if found is not None and not isinstance(found, bool):
            raise self._wrong(name, "true or false")
        return found is True

    def rows(self, name: str) -> list[object]:
        """Return a list, empty where there is none."""
        found = self.get(name)
        if found is None:
            return []
        if not isinstance(found, list):
            raise self._wrong(name, "a list")
        return found

    def _wrong(self, name: str, kind: str) -> GitHubError:
        return GitHubError(
            f"GitHub's {self.what} has no '{name}' that is {kind}",
            hint="does the API address lead to GitHub?",
        )
