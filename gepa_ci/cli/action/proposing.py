"""Owns proposing what was proved for a task, and withdrawing a proposal that proves nothing now."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gepa_ci.cli.action.suggesting import suggest
from gepa_ci.cli.action.team_templates import by_own
from gepa_ci.cli.digests import optimize_digest
from gepa_ci.delivery.improvement import Operation, Outcome, Proposal, Target
from gepa_ci.delivery.improvement_apply import Places, deliver, withdraw
from gepa_ci.reports import without_texts
from gepa_ci.reports.links import Links
from gepa_ci.reports.posts.commit_message import commit_message, commit_subject
from gepa_ci.reports.posts.pull_body import render_pull_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.core.config import ModelSpec
    from gepa_ci.core.result import PromptChange, TaskResult
    from gepa_ci.core.values import JSON
    from gepa_ci.delivery.errands import OptimizeErrand
    from gepa_ci.reports.templating.sources import OwnTemplates

_INPUTS = re.compile(r"^Gepa-CI-Inputs: ([0-9a-f]{64})$", re.MULTILINE)


def propose(
    desk: Desk,
    errand: OptimizeErrand,
    inputs: TaskInputs,
    result: TaskResult,
    document: Mapping[str, JSON],
    reflection: ModelSpec | None,
    own: OwnTemplates,
) -> Outcome:
    """Propose a candidate that was promoted: by a suggestion where one fits, else a pull request.

    Raises:
        GitError: the branch could not be pushed.
        GitHubError: the pull request could not be written.
    """
    posted = without_texts(desk.clean(document))
    subject = commit_subject(posted, result.name)
    changes = result.changes
    if any(_brings_secret(desk, change) for change in changes):
        return Outcome(
            operation=Operation.NONE,
            notes=("The better prompt holds a secret of this run, so it was not proposed.",),
        )
    pull = errand.pull if len(changes) == 1 else None
    if pull is not None and suggest(desk, pull, changes[0], f"{subject}."):
        return Outcome(
            operation=Operation.UPDATED,
            number=pull.number,
            url=pull.url,
            notes=("The better prompt is suggested on the lines that were changed.",),
        )
    told = f"Gepa-CI-Inputs: {optimize_digest(inputs, reflection)}"
    links = Links(run=desk.settings.run_url)
    body = by_own(
        desk,
        own,
        lambda own, note: render_pull_body(
            posted, result.name, links=links, notes=[note] if note else [], own=own
        ),
    )
    proposal = Proposal(
        task=result.name,
        base_branch=errand.branch,
        base_sha=errand.sha,
        files={change.path: change.after.encode() for change in changes},
        title=desk.redactor(subject),
        body=desk.redactor(body),
        commit_message=desk.redactor(f"{commit_message(posted, result.name)}\n{told}"),
    )
    return deliver(proposal, _places(desk))


def close_stale(
    desk: Desk, errand: OptimizeErrand, inputs: TaskInputs, reflection: ModelSpec | None
) -> Outcome | None:
    """Close the task's open proposal when what it was proved against has changed since.

    None where there is no proposal, or one whose evidence still stands.
    """
    target = Target(task=inputs.task.name, base_branch=errand.branch)
    head = desk.git.remote_head(desk.remote, target.branch)
    if head is None:
        return None
    desk.bring(head)
    found = _INPUTS.search(desk.git.log(head, most=1)[0].message)
    if found is None or found[1] == optimize_digest(inputs, reflection):
        return None
    reason = (
        "The prompt or what it is measured by has changed since this was proved, and the last "
        "search did not find a better prompt."
    )
    return withdraw(target, reason, _places(desk))


def _brings_secret(desk: Desk, change: PromptChange) -> bool:
    """Return whether a model has written a key of ours, which only its provider can know."""
    knew = desk.redactor(change.before) != change.before
    return not knew and desk.redactor(change.after) != change.after


def _places(desk: Desk) -> Places:
    return Places(git=desk.git, remote=desk.remote, github=desk.github, sign=desk.settings.signs)
