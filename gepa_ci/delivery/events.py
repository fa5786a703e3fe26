"""Owns which errand an event of GitHub is; it reads values only and asks nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.delivery.commands import command_in
from gepa_ci.delivery.errands import (
    CommandErrand,
    GateErrand,
    MergeGroupErrand,
    NothingErrand,
    OptimizeErrand,
    PostErrand,
    RecordErrand,
)
from gepa_ci.delivery.payloads import (
    Fields,
    is_sha,
    parse_account,
    parse_pull,
    parse_workflow_run,
    shown,
)
from gepa_ci.errors import GitHubError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.delivery.errands import Errand
    from gepa_ci.delivery.forge import PullRequest

LABEL = "gepa-ci:optimize"
"""Label that asks for an optimization of a pull request."""
OWN_BRANCHES = "gepa-ci/"
"""What every branch that gepa-ci pushes starts with."""

_HEADS = "refs/heads/"
_JUDGED = frozenset({"opened", "synchronize", "reopened", "ready_for_review"})
_WITHOUT_RESULT = frozenset({"cancelled", "skipped", "action_required", "startup_failure", "stale"})
_LAST_OF_QUEUE = re.compile(r"/pr-([1-9][0-9]{0,15})-[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What started the run, as GitHub told the runner."""

    name: str
    """Such as `pull_request`."""
    payload: Mapping[str, object]
    """The event's file; other people's text is in it."""
    repository: str
    """`owner/name`."""
    ref: str
    """GITHUB_REF, such as `refs/heads/main`."""
    sha: str
    """GITHUB_SHA; of a pull request it is a merge that is not trusted."""
    checked_out: str | None = None
    """Sha of the working tree's commit, where the caller knows it."""


def decide(event: Event, *, label: str = LABEL, drafts: bool = True) -> Errand:
    """Return what the event asks for.

    Args:
        event: The event.
        label: The label that asks for an optimization.
        drafts: Whether a draft is judged like every other pull request.

    Raises:
        UsageError: the event would run other people's code with this repository's rights.
        GitHubError: the payload is not what GitHub sends.
    """
    payload = Fields(event.payload, "event")
    match event.name:
        case "pull_request":
            return _pull_request(payload, label=label, drafts=drafts)
        case "pull_request_target":
            raise UsageError(
                "the event 'pull_request_target' would give a pull request's code this "
                "repository's secrets",
                hint="use `pull_request`, and `workflow_run` to post on pull requests from forks",
            )
        case "merge_group":
            return _merge_group(payload)
        case "schedule":
            # It runs on the default branch only, and its payload does not always name that.
            return _optimize_ref(event)
        case "workflow_dispatch":
            return _dispatch(event, payload)
        case "push":
            return _push(payload)
        case "issue_comment":
            return _comment(payload)
        case "workflow_run":
            return _workflow_run(event, payload)
        case other:
            return NothingErrand(reason=f"gepa-ci has nothing to do on the event '{shown(other)}'.")


def _pull_request(payload: Fields, *, label: str, drafts: bool) -> Errand:
    action = payload.text("action")
    pull = parse_pull(payload.get("pull_request"))
    this = f"Pull request #{pull.number}"
    if not pull.is_open:
        return NothingErrand(reason=f"{this} is closed.")
    if action == "labeled":
        return _labeled(payload, pull, label)
    if action not in _JUDGED:
        return NothingErrand(
            reason=f"'{shown(action)}' of a pull request does not change its prompts."
        )
    if pull.is_draft and not drafts:
        return NothingErrand(reason=f"{this} is a draft, and drafts are not judged here.")
    return GateErrand(base=pull.base_sha, head=pull.head_sha, pull=pull)


def _labeled(payload: Fields, pull: PullRequest, label: str) -> Errand:
    given = payload.text("label.name")
    if given != label:
        return NothingErrand(
            reason=f"The label '{shown(given)}' asks for nothing; '{label}' asks for an "
            "optimization."
        )
    return optimization_of(pull)


def optimization_of(pull: PullRequest) -> OptimizeErrand | NothingErrand:
    """Return the optimization of a pull request's branch, unless it may not be optimized."""
    this = f"Pull request #{pull.number}"
    if pull.is_from_fork:
        return NothingErrand(
            reason=f"{this} comes from a fork, for which gepa-ci never calls a model; push the "
            "branch to this repository to optimize it."
        )
    if pull.head_branch.startswith(OWN_BRANCHES):
        return NothingErrand(
            reason=f"{this} is of a branch below '{OWN_BRANCHES}', which holds what gepa-ci "
            "optimized already."
        )
    return OptimizeErrand(branch=pull.head_branch, sha=pull.head_sha, pull=pull)


def _merge_group(payload: Fields) -> Errand:
    action = payload.text("action")
    if action != "checks_requested":
        return NothingErrand(reason=f"'{shown(action)}' of a merge group asks for no check.")
    base_branch = _branch_of(payload.text("merge_group.base_ref"), "merge_group.base_ref")
    ref = payload.text("merge_group.head_ref")
    queue = f"{_HEADS}gh-readonly-queue/{base_branch}"
    # The name of a base branch can look like a queue's ref itself, so only the rest is searched.
    last = _LAST_OF_QUEUE.fullmatch(ref.removeprefix(queue)) if ref.startswith(queue) else None
    return MergeGroupErrand(
        base=payload.sha("merge_group.base_sha"),
        head=payload.sha("merge_group.head_sha"),
        pull_number=None if last is None else int(last[1]),
    )


def _dispatch(event: Event, payload: Fields) -> Errand:
    default = payload.branch("repository.default_branch")
    if event.ref != f"{_HEADS}{default}":
        return NothingErrand(
            reason=f"The workflow was started on '{shown(event.ref)}', but gepa-ci optimizes the "
            f"default branch '{default}'; choose that one when you start it."
        )
    return _optimize_ref(event)


def _optimize_ref(event: Event) -> Errand:
    if not is_sha(event.sha):
        raise GitHubError(f"GITHUB_SHA is not the id of a commit: '{shown(event.sha)}'")
    return OptimizeErrand(branch=_branch_of(event.ref, "GITHUB_REF"), sha=event.sha, pull=None)


def _push(payload: Fields) -> Errand:
    default = payload.branch("repository.default_branch")
    ref = payload.text("ref")
    if ref != f"{_HEADS}{default}":
        return NothingErrand(
            reason=f"'{shown(ref)}' is not the default branch '{default}', of which alone the "
            "scores are recorded."
        )
    if payload.flag("deleted"):
        return NothingErrand(reason=f"The branch '{default}' was deleted.")
    return RecordErrand(sha=payload.sha("after"), branch=default)


def _comment(payload: Fields) -> Errand:
    action = payload.text("action")
    if action != "created":
        return NothingErrand(reason="Only a new comment can ask for something, not a changed one.")
    number = payload.number("issue.number")
    if payload.get("issue.pull_request") is None:
        return NothingErrand(reason=f"Issue #{number} is not a pull request.")
    if payload.text("issue.state") != "open":
        return NothingErrand(reason=f"Pull request #{number} is closed.")
    if payload.text("comment.user.type") == "Bot":
        # GitHub says so itself; a login that ends like a bot's would prove nothing.
        return NothingErrand(reason="Comments of bots ask for nothing.")
    found = command_in(payload.optional_text("comment.body"))
    if isinstance(found, NothingErrand):
        return found
    return CommandErrand(
        verb=found.verb,
        argument=found.argument,
        number=number,
        comment_id=payload.number("comment.id"),
        author=parse_account(payload.get("comment.user")),
    )


def _workflow_run(event: Event, payload: Fields) -> Errand:
    action = payload.text("action")
    if action != "completed":
        return NothingErrand(reason=f"The run is only '{shown(action)}', so there is no result.")
    started_by = payload.text("workflow_run.event")
    if started_by != "pull_request":
        return NothingErrand(
            reason=f"The run was started by '{shown(started_by)}', not by a pull request."
        )
    ended = payload.optional_text("workflow_run.conclusion")
    if not ended or ended in _WITHOUT_RESULT:
        return NothingErrand(reason=f"The run ended as '{shown(ended)}', without a result.")
    if payload.get("workflow_run.head_repository") is None:
        return NothingErrand(reason="The repository that the run's commit came from is gone.")
    run = parse_workflow_run(payload.get("workflow_run"))
    is_from_fork = run.head_repository != payload.number("repository.id")
    if is_from_fork:
        _refuse_checkout(event)
    return PostErrand(run=run, is_from_fork=is_from_fork)


def _refuse_checkout(event: Event) -> None:
    """Refuse to go on beside a fork's files; only the default branch's may be there."""
    if event.checked_out is not None and event.checked_out != event.sha:
        raise UsageError(
            f"the event 'workflow_run' is about a fork, and '{event.checked_out}' is checked out, "
            "which is not the default branch",
            hint="check out nothing but the default branch there; run a pull request's own files "
            "on the event `pull_request`",
        )


def _branch_of(ref: str, where: str) -> str:
    if not ref.startswith(_HEADS):
        raise GitHubError(f"'{where}' is not a branch: '{shown(ref)}'")
    return Fields({"ref": ref.removeprefix(_HEADS)}, where).branch("ref")
