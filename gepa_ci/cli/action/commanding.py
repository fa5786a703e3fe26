"""Owns obeying a comment such as `/gepa-ci gate`, once its author was found to be allowed to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.cli.action.gating import gate_pull
from gepa_ci.cli.action.improving import improve
from gepa_ci.cli.action.outcome import Outcome
from gepa_ci.delivery.errands import GateErrand, NothingErrand, Verb
from gepa_ci.delivery.events import optimization_of
from gepa_ci.delivery.sticky import put_comment
from gepa_ci.reports.posts.example_answer import render_example_answer

if TYPE_CHECKING:
    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.delivery.errands import CommandErrand
    from gepa_ci.delivery.forge import PullRequest

_MAY_ASK = frozenset({"admin", "maintain", "write"})


def obey(desk: Desk, errand: CommandErrand) -> Outcome:
    """Do what a comment asks for, if its author can write to the repository."""
    role = desk.github.permission(errand.author.login)
    if role not in _MAY_ASK:
        return Outcome(
            reason=f"Only people who can write to this repository can ask gepa-ci; "
            f"'{errand.author.login}' has the role '{role}'."
        )
    pull = desk.github.pull(errand.number)
    match errand.verb:
        case Verb.GATE | Verb.RERUN:
            return gate_pull(desk, _gate(pull), again=errand.verb is Verb.RERUN)
        case Verb.OPTIMIZE:
            found = optimization_of(pull)
            if isinstance(found, NothingErrand):
                return Outcome(reason=found.reason, pull=pull)
            return improve(desk, found)
        case Verb.WHY:
            return _explain(desk, errand, pull)


def _gate(pull: PullRequest) -> GateErrand:
    return GateErrand(base=pull.base_sha, head=pull.head_sha, pull=pull)


def _explain(desk: Desk, errand: CommandErrand, pull: PullRequest) -> Outcome:
    """Say how one example fared; its texts stay out of what is posted."""
    judged = gate_pull(desk, _gate(pull), again=True)
    answer = (
        f"There is no result to explain: {judged.reason}"
        if judged.document is None
        else render_example_answer(desk.clean(judged.document), errand.argument)
    )
    marker = f"<!-- gepa-ci:why:v1 {errand.comment_id} -->"
    put_comment(desk.github, pull.number, marker, desk.redactor(answer), edits=False)
    return replace(judged, exit_code=0)
