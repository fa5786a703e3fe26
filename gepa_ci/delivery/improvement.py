"""Owns the values of the improvement pull request: what is proposed, what is there, what to do."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from gepa_ci.core.digests import digest as digest_of
from gepa_ci.delivery.improvement_marks import Mark, read_mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.delivery.commits import Made
    from gepa_ci.delivery.forge import PullRequest

_LONGEST_WORDS = 40


class Operation(StrEnum):
    """What was done about the pull request."""

    CREATED = "created"
    UPDATED = "updated"
    CLOSED = "closed"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The task and the branch that a pull request is about; there is one open for each."""

    task: str
    base_branch: str

    @property
    def key(self) -> str:
        """Return what tells this target from every other."""
        return digest_of([self.base_branch, self.task])[:16]

    @property
    def branch(self) -> str:
        """Return the one branch on which the task is improved."""
        return f"gepa-ci/{_words(self.base_branch)}/{_words(self.task)}-{self.key[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Prompt files that have proved to be better, and what to say about them."""

    task: str
    base_branch: str
    """May be the branch of another pull request, on which this one then stands."""
    base_sha: str
    """The commit whose prompts were improved."""
    files: Mapping[str, bytes]
    title: str
    body: str
    """Escaped markdown."""
    commit_message: str

    @property
    def target(self) -> Target:
        """Return what the proposal is about."""
        return Target(task=self.task, base_branch=self.base_branch)

    @property
    def key(self) -> str:
        """Return what all proposals for this task and base have in common."""
        return self.target.key

    @property
    def branch(self) -> str:
        """Return the branch that the proposal is pushed to."""
        return self.target.branch

    @property
    def digest(self) -> str:
        """Return what tells this proposal's files from those of every other."""
        files = {path: hashlib.sha256(data).hexdigest() for path, data in self.files.items()}
        return digest_of(files)[:32]

    @property
    def mark(self) -> Mark:
        """Return what is written into the commit and the body."""
        return Mark(key=self.key, digest=self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is there before anything is done."""

    target: Target
    base: str | None
    """Head of the base branch; None when it is gone."""
    files: Mapping[str, bytes | None]
    """The proposal's files as the base has them now; None where it has no such file."""
    before: Mapping[str, bytes | None]
    """The same at the commit that was improved."""
    head: str | None = None
    """Head of our branch; None when there is none."""
    parents: tuple[str, ...] = ()
    """Of the head."""
    commits: tuple[Made, ...] = ()
    """What our branch has and the base has not, newest first."""
    pulls: tuple[PullRequest, ...] = ()
    """Of our branch, in every state, newest first."""
    mine: frozenset[str] = frozenset()
    """Addresses under which GitHub commits for us."""

    @property
    def open_pull(self) -> PullRequest | None:
        """Return the open pull request, ours before one that a person opened from our branch."""
        is_open = [pull for pull in self.pulls if pull.is_open]
        marked = [pull for pull in is_open if read_mark(pull.body, self.target.key)]
        return next(iter([*marked, *is_open]), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Put our branch on one commit on top of the base."""

    parent: str
    files: Mapping[str, bytes]
    message: str
    expected: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPull:
    """Open the pull request."""

    base: str
    title: str
    body: str
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPull:
    """Say what the branch now proposes."""

    number: int
    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """Say something once."""

    number: int
    text: str
    mark: str
    """Hidden text by which the comment is found again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePull:
    """Close the pull request; its body then says that we did."""

    number: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteBranch:
    """Delete our branch, if it is where it was."""

    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Do nothing (more), for a reason."""

    reason: str


Step: TypeAlias = Push | OpenPull | EditPull | Comment | ClosePull | DeleteBranch | Nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do, in this order; each step can be done twice."""

    branch: str
    steps: tuple[Step, ...]
    head: str | None = None
    """Head of our branch before the first step."""
    pull: PullRequest | None = None
    """The pull request that is open before the first step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was done."""

    operation: Operation
    number: int | None = None
    url: str = ""
    head_sha: str | None = None
    branch: str = ""
    notes: tuple[str, ...] = ()
    """Finished sentences: why nothing was done, or what else happened."""


def _words(name: str) -> str:
    """Return what of a name can stand in a branch's; it need not be another for each name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:_LONGEST_WORDS].strip("-") or "x"
