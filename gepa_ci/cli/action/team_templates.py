"""Owns rendering what the Action shows by a team's templates, or by ours where theirs fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from gepa_ci.cli.action.commits import pull_commits
from gepa_ci.cli.action.gating import open_sides
from gepa_ci.cli.own_templates import own_templates
from gepa_ci.cli.printing import inert, say
from gepa_ci.delivery.errands import GateErrand, MergeGroupErrand, OptimizeErrand, RecordErrand
from gepa_ci.errors import GepaCiError
from gepa_ci.reports.templating.rendering import OwnTemplateError
from gepa_ci.reports.templating.sources import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.delivery.errands import Errand
    from gepa_ci.reports.templating.sources import OwnTemplates

T = TypeVar("T")


def by_own(desk: Desk, own: OwnTemplates, render: Callable[[OwnTemplates, str], T]) -> T:
    """Render by the team's templates, or by ours with a note: what was paid for is shown.

    Args:
        desk: Whose log is told as well.
        own: The team's templates.
        render: Given templates and a note, which is empty or a finished sentence.
    """
    try:
        return render(own, "")
    except OwnTemplateError as error:
        note = desk.redactor(f"A report template failed, so the built-in one is shown: {error}.")
        say(f"warning: {inert(note)}", err=True)
        return render(BUILT_IN, note)


def templates_for(desk: Desk, errand: Errand) -> OwnTemplates:
    """Return the templates that a run which failed would have used, if they can be had."""
    try:
        commit = _trusted_commit(desk, errand)
        sides = None if commit is None else open_sides(desk, commit, commit)
        return BUILT_IN if sides is None else own_templates(sides.trusted)
    except GepaCiError:
        # Something else has failed already, and that is what has to be shown.
        return BUILT_IN


def _trusted_commit(desk: Desk, errand: Errand) -> str | None:
    match errand:
        case GateErrand():
            return pull_commits(desk, errand.base, errand.head).base
        case MergeGroupErrand():
            return errand.base
        case OptimizeErrand() if errand.pull is not None:
            return pull_commits(desk, errand.pull.base_sha, errand.sha).base
        case OptimizeErrand() | RecordErrand():
            return errand.sha
    return None
