"""Owns deciding what to do about a task's improvement pull request; pure, nothing is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.delivery.improvement import (
    ClosePull,
    Comment,
    DeleteBranch,
    EditPull,
    Nothing,
    OpenPull,
    Plan,
    Proposal,
    Push,
    Step,
    World,
)
from gepa_ci.delivery.improvement_marks import (
    closed_mark,
    edited_mark,
    marked_body,
    marked_message,
    proposed_by,
    read_mark,
)

if TYPE_CHECKING:
    from gepa_ci.delivery.commits import Identity
    from gepa_ci.delivery.forge import PullRequest
    from gepa_ci.delivery.improvement_marks import Mark

# GitHub writes this one into what it commits and signs for somebody.
_GITHUB = "noreply@github.com"


def plan(proposal: Proposal | None, world: World, *, who: Identity) -> Plan:
    """Return what makes the world show the proposal; without one, everything is left as it is."""
    if proposal is None:
        return _steps(world, Nothing(reason="There is no better candidate."))
    base = world.base
    if base is None:
        gone = f"The base branch '{proposal.base_branch}' is gone."
        return _steps(world, Nothing(reason=gone))
    if is_edited(world, who):
        return _hands_off(world)
    for path in proposal.files:
        if world.files.get(path) is None and world.before.get(path) is not None:
            moved = f"The file '{path}' was moved or deleted on '{proposal.base_branch}'."
            return plan_close(world, moved, who=who)
    if all(world.files.get(path) == content for path, content in proposal.files.items()):
        has = f"The branch '{proposal.base_branch}' already has this proposal."
        return plan_close(world, has, who=who)
    if any(world.files.get(path) != world.before.get(path) for path in proposal.files):
        changed = f"The prompt changed on '{proposal.base_branch}' during the run."
        return _steps(world, Nothing(reason=f"{changed} The next run starts from it."))
    if refused := _refused(world, proposal.mark):
        said = f"Pull request #{refused.number} proposed the same, and somebody closed it."
        return _steps(world, Nothing(reason=said))
    return _steps(world, *_show(proposal, world, base))


def plan_close(world: World, reason: str, *, who: Identity) -> Plan:
    """Return what closes our open pull request, saying why, and removes its branch."""
    if is_edited(world, who):
        return _hands_off(world)
    pull = world.open_pull
    why = Nothing(reason=reason)
    if pull is None:
        last = world.pulls[0] if world.pulls else None
        # A branch whose pull request a person closed is theirs to reopen.
        is_left = last is None or last.is_merged or _is_withdrawn(world, last)
        if world.head is not None and is_left:
            return _steps(world, DeleteBranch(expected=world.head), why)
        return _steps(world, why)
    mark = read_mark(pull.body, world.target.key)
    if mark is None:
        return _steps(world, why)
    steps: list[Step] = [
        Comment(number=pull.number, text=f"{reason} gepa-ci closes this.", mark=closed_mark(mark)),
        ClosePull(number=pull.number, body=marked_body(pull.body, mark.withdrawn())),
    ]
    if world.head is not None:
        steps.append(DeleteBranch(expected=world.head))
    return _steps(world, *steps, why)


def is_edited(world: World, who: Identity) -> bool:
    """Return whether our branch has a commit that we did not make.

    We build one commit on the base's head and never on what somebody else pushed to our branch:
    so the newest commit tells, also in a clone that lacks the history below.
    """
    if not world.commits:
        return False
    newest = world.commits[0]
    us = {who.email, *world.mine}
    is_by_us = newest.author in us and newest.committer in {*us, _GITHUB}
    mark = proposed_by(newest.message)
    return not is_by_us or mark is None or mark.key != world.target.key


def _show(proposal: Proposal, world: World, base: str) -> list[Step]:
    mark, pull = proposal.mark, world.open_pull
    shown = proposed_by(world.commits[0].message) if world.commits else None
    body = marked_body(proposal.body, mark)
    steps: list[Step] = []
    if shown != mark or world.parents != (base,):
        message = marked_message(proposal.commit_message, mark)
        steps.append(Push(parent=base, files=proposal.files, message=message, expected=world.head))
    if pull is None:
        steps.append(
            OpenPull(base=proposal.base_branch, title=proposal.title, body=body, mark=mark)
        )
    else:
        told = read_mark(pull.body, proposal.key)
        # Without a mark, a person opened it, and its words are theirs.
        if told is not None and told != mark:
            steps.append(EditPull(number=pull.number, title=proposal.title, body=body))
        elif not steps:
            steps.append(Nothing(reason=f"Pull request #{pull.number} already proposes this."))
    return steps


def _hands_off(world: World) -> Plan:
    reason = (
        f"The branch '{world.target.branch}' has commits of somebody else, so it is left alone."
    )
    steps: list[Step] = []
    if pull := world.open_pull:
        text = (
            "This branch has commits that gepa-ci did not make, so gepa-ci will not change it or "
            "this pull request any more. Close it and delete the branch to have new proposals."
        )
        steps.append(Comment(number=pull.number, text=text, mark=edited_mark(world.target.key)))
    return _steps(world, *steps, Nothing(reason=reason))


def _refused(world: World, mark: Mark) -> PullRequest | None:
    """Return the pull request with the same files that a person closed."""
    for pull in world.pulls:
        if not pull.is_open and not pull.is_merged and read_mark(pull.body, mark.key) == mark:
            return pull
    return None


def _is_withdrawn(world: World, pull: PullRequest) -> bool:
    mark = read_mark(pull.body, world.target.key)
    return mark is not None and mark.is_withdrawn


def _steps(world: World, *steps: Step) -> Plan:
    return Plan(branch=world.target.branch, steps=steps, head=world.head, pull=world.open_pull)
