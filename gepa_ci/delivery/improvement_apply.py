"""Owns doing what was planned about an improvement pull request, step by step, each repeatable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from gepa_ci.delivery.commits import BOT, Identity
from gepa_ci.delivery.improvement import (
    ClosePull,
    Comment,
    DeleteBranch,
    EditPull,
    OpenPull,
    Operation,
    Outcome,
    Plan,
    Proposal,
    Push,
    Target,
    World,
)
from gepa_ci.delivery.improvement_marks import read_mark
from gepa_ci.delivery.improvement_plan import plan, plan_close
from gepa_ci.delivery.remotes import Push as Pushed
from gepa_ci.delivery.sticky import Talk, put_comment
from gepa_ci.errors import GitError, GitHubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gepa_ci.delivery.forge import PullRequest
    from gepa_ci.delivery.git_repository import Git
    from gepa_ci.delivery.remotes import Remote

_FEW = 20


class GitHub(Talk, Protocol):
    """What of GitHub is needed here; `gepa_ci.delivery.github_client` says what each does."""

    def pulls(self, head_branch: str, *, base: str | None = None) -> list[PullRequest]: ...  # noqa: D102
    def open_pull(  # noqa: D102
        self, *, head: str, base: str, title: str, body: str, draft: bool = False
    ) -> PullRequest: ...
    def edit_pull(  # noqa: D102
        self,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        is_open: bool | None = None,
    ) -> PullRequest: ...
    def signed_commit(self, *, parent: str, files: Mapping[str, bytes], message: str) -> str: ...  # noqa: D102
    def set_branch(self, branch: str, sha: str, *, expected: str | None) -> None: ...  # noqa: D102


class LostRaceError(GitError):
    """Another run changed our branch between our look and our push."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a plan is made true."""

    git: Git
    remote: Remote
    github: GitHub
    who: Identity = BOT
    sign: bool = False
    """Commit through GitHub's API, which signs."""


@dataclass(slots=True)
class _State:
    """What the steps so far have come to."""

    head: str | None
    pull: PullRequest | None
    operation: Operation = Operation.NONE
    notes: list[str] = field(default_factory=list)


def deliver(proposal: Proposal, places: Places) -> Outcome:
    """Make the branch and the pull request show a proposal; whoever does it last wins nothing.

    Raises:
        GitError: the branch could not be pushed; the hint names the setting.
        GitHubError: the pull request could not be written; the next run goes on from there.
    """

    def make() -> Plan:
        world = read_world(proposal.target, proposal.files, proposal.base_sha, places)
        return plan(proposal, world, who=places.who)

    return _until_done(make, places, proposal.branch)


def withdraw(target: Target, reason: str, places: Places) -> Outcome:
    """Close our open pull request, which no longer proves itself, saying why.

    Raises:
        GitError: the branch could not be read or deleted.
        GitHubError: the pull request could not be closed.
    """

    def make() -> Plan:
        return plan_close(read_world(target, (), None, places), reason, who=places.who)

    return _until_done(make, places, target.branch)


def read_world(target: Target, paths: Iterable[str], base_sha: str | None, places: Places) -> World:
    """Look at all that a plan depends on; brings commits into the clone and changes nothing."""
    git, remote = places.git, places.remote
    base = git.remote_head(remote, target.base_branch)
    head = git.remote_head(remote, target.branch)
    for sha in (base, head, base_sha):
        if sha is not None:
            git.fetch(remote, sha, depth=1)
    me = places.github.me()
    return World(
        target=target,
        base=base,
        files={} if base is None else {path: git.read(base, path) for path in paths},
        before={} if base_sha is None else {path: git.read(base_sha, path) for path in paths},
        head=head,
        parents=() if head is None else git.parents(head),
        commits=() if head is None else git.log(head, base, most=_FEW),
        pulls=tuple(places.github.pulls(target.branch)),
        mine=frozenset({f"{me.id}+{me.login}@users.noreply.github.com"}),
    )


def apply(plan: Plan, places: Places) -> Outcome:
    """Do what was planned.

    Raises:
        LostRaceError: the branch moved; look again and plan anew.
        GitError: a push was refused.
        GitHubError: GitHub refused.
    """
    state = _State(head=plan.head, pull=plan.pull)
    for step in plan.steps:
        match step:
            case Push():
                _push(step, plan, places, state)
            case OpenPull():
                _open(step, plan, places, state)
            case EditPull():
                _demand_head(plan, places, state)
                state.pull = places.github.edit_pull(step.number, title=step.title, body=step.body)
                state.operation = Operation.UPDATED
            case Comment():
                put_comment(places.github, step.number, step.mark, step.text, edits=False)
            case ClosePull():
                state.pull = places.github.edit_pull(step.number, body=step.body, is_open=False)
                state.operation = Operation.CLOSED
            case DeleteBranch():
                if places.git.delete(places.remote, plan.branch, step.expected) is Pushed.MOVED:
                    raise _lost(plan.branch)
                state.head = None
            case _:
                state.notes.append(step.reason)
    return Outcome(
        operation=state.operation,
        number=None if state.pull is None else state.pull.number,
        url="" if state.pull is None else state.pull.url,
        head_sha=state.head,
        branch=plan.branch,
        notes=tuple(state.notes),
    )


def _until_done(make: Callable[[], Plan], places: Places, branch: str) -> Outcome:
    for _ in range(2):
        try:
            return apply(make(), places)
        except LostRaceError:
            continue
    note = f"Other runs changed the branch '{branch}' at the same time; theirs stands."
    return Outcome(operation=Operation.NONE, branch=branch, notes=(note,))


def _push(step: Push, plan: Plan, places: Places, state: _State) -> None:
    git, remote, github = places.git, places.remote, places.github
    if places.sign:
        sha = github.signed_commit(parent=step.parent, files=step.files, message=step.message)
        try:
            github.set_branch(plan.branch, sha, expected=step.expected)
        except GitHubError as error:
            if git.remote_head(remote, plan.branch) != step.expected:
                raise _lost(plan.branch) from error
            raise
    else:
        # The base's own time: two runs with the same proposal then make the same commit.
        sha = git.commit(
            step.parent,
            step.files,
            step.message,
            who=places.who,
            when=git.made_at(step.parent),
        )
        if git.push(remote, sha, plan.branch, expected=step.expected) is Pushed.MOVED:
            raise _lost(plan.branch)
    state.head = sha
    if state.pull is not None:
        state.operation = Operation.UPDATED


def _open(step: OpenPull, plan: Plan, places: Places, state: _State) -> None:
    _demand_head(plan, places, state)
    try:
        pull = places.github.open_pull(
            head=plan.branch, base=step.base, title=step.title, body=step.body
        )
    except GitHubError as error:
        problem = error.problems[0]
        hint = problem.hint or "look at the token's permissions"
        raise GitHubError(
            problem.message,
            hint=f"{hint}; the branch '{plan.branch}' is pushed, and the next run opens the pull "
            "request",
        ) from error
    # Another run may have opened it in between, with its own words.
    told = read_mark(pull.body, step.mark.key)
    if told is not None and told != step.mark:
        _demand_head(plan, places, state)
        pull = places.github.edit_pull(pull.number, title=step.title, body=step.body)
    state.pull = pull
    state.operation = Operation.CREATED


def _demand_head(plan: Plan, places: Places, state: _State) -> None:
    """Refuse to describe a branch that another run has changed since."""
    if places.git.remote_head(places.remote, plan.branch) != state.head:
        raise _lost(plan.branch)


def _lost(branch: str) -> LostRaceError:
    return LostRaceError(
        f"branch '{branch}': another run changed it at the same time", hint="run again"
    )
