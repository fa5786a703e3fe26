"""Owns what GitHub knows, as values: pull requests, comments, checks and annotations."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CHECK_NAME = "gepa-ci"
"""Name of the check run; one a commit."""


class Conclusion(StrEnum):
    """How a check run ended, in GitHub's words."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    """Nothing was decided: skipped, over budget, observed only. Never shown as green by us."""


class Level(StrEnum):
    """How loud an annotation is, in GitHub's words."""

    NOTICE = "notice"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who somebody is; the id decides, as logins can be renamed."""

    id: int
    login: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """One pull request as the API or an event's payload shows it."""

    number: int
    title: str
    url: str
    """Page for people."""
    author: Account
    head_sha: str
    head_branch: str
    """Without `refs/heads/`."""
    head_repository: int | None
    """Id; None when the fork is gone."""
    base_sha: str
    base_branch: str
    base_repository: int
    is_open: bool = True
    is_merged: bool = False
    is_draft: bool = False
    labels: tuple[str, ...] = ()
    body: str = ""

    @property
    def is_from_fork(self) -> bool:
        """Return whether the head is in another repository, judged by ids and not by names."""
        return self.head_repository != self.base_repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """One comment on a pull request."""

    id: int
    author: Account
    body: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A remark on lines of a file."""

    path: str
    start_line: int
    """1-based."""
    end_line: int
    level: Level
    title: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a check run shows."""

    sha: str
    """Commit that it stands on."""
    conclusion: Conclusion
    title: str
    summary: str
    """Markdown, at most 65,535 characters."""
    annotations: tuple[Annotation, ...] = ()
    digest: str = ""
    """Digest of what was judged, by which a merge group finds the verdict of its pull request."""
    name: str = CHECK_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    """A check run that GitHub has."""

    id: int
    name: str
    conclusion: str | None
    """None while it runs."""
    digest: str
    """GitHub's external id."""
    app: str
    """Slug of the app that made it."""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    """The run that a `workflow_run` event is about."""

    id: int
    event: str
    head_sha: str
    head_branch: str
    head_repository: int
    conclusion: str | None
    path: str
    """Workflow file, such as `.github/workflows/gepa-ci.yml`."""
