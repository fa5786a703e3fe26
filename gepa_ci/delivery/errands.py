"""Owns what an event can ask of gepa-ci, as values; doing it is the caller's work."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from gepa_ci.delivery.forge import Account, PullRequest, WorkflowRun


class Verb(StrEnum):
    """What a comment can ask for."""

    GATE = "gate"
    OPTIMIZE = "optimize"
    RERUN = "rerun"
    WHY = "why"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateErrand:
    """Judge the prompts of a head against those of its base."""

    base: str
    """Sha that is trusted."""
    head: str
    """Sha that is judged."""
    pull: PullRequest | None
    """None when no pull request is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizeErrand:
    """Look for better prompts, and propose them to a branch."""

    branch: str
    """Branch that is to get the better prompts, without `refs/heads/`."""
    sha: str
    """Its commit that is optimized."""
    pull: PullRequest | None
    """The pull request of that branch when one asked; None for the default branch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordErrand:
    """Record the scores of the default branch, for later runs to compare with."""

    sha: str
    branch: str
    """The default branch, without `refs/heads/`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostErrand:
    """Post what a run without write access found out; nothing of its head is executed."""

    run: WorkflowRun
    """The run that is over."""
    is_from_fork: bool
    """Whether its head is in another repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandErrand:
    """Obey a comment, if its author may ask; the API has to be asked about that first."""

    verb: Verb
    argument: str
    """Id of an example for `why`, as its author wrote it; else empty."""
    number: int
    """Of the pull request."""
    comment_id: int
    author: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeGroupErrand:
    """Judge what a merge queue is about to merge."""

    base: str
    """Sha that the group is merged into."""
    head: str
    """Sha of the group's merge."""
    pull_number: int | None
    """The last pull request of the group; None when the ref does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingErrand:
    """There is nothing to do, which is no failure."""

    reason: str
    """A finished sentence on one line; it can quote what somebody wrote."""


Errand: TypeAlias = (
    GateErrand
    | OptimizeErrand
    | RecordErrand
    | PostErrand
    | CommandErrand
    | MergeGroupErrand
    | NothingErrand
)
