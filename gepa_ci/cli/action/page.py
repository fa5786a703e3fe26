"""Owns the HTML page that a run of the Action leaves behind, for an artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.cli.action.team_templates import by_own
from gepa_ci.cli.history_moments import history_of
from gepa_ci.cli.history_source import recorded
from gepa_ci.cli.printing import inert, say
from gepa_ci.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.cli.action.outcome import Outcome
    from gepa_ci.reports.links import Links
    from gepa_ci.reports.outcome import Stance
    from gepa_ci.reports.templating.sources import OwnTemplates
    from gepa_ci.reports.view.model_history import History

PAGE = "report.html"
"""Name of the file, in the folder for reports."""


def write_page(desk: Desk, outcome: Outcome, links: Links, stance: Stance) -> str:
    """Write the page of a result that we made ourselves; return its path, empty without one."""
    from gepa_ci.reports import view
    from gepa_ci.reports.page import render_page

    path = desk.settings.folder / PAGE
    # A machine of one's own keeps its folders, and an old page must not pass for this run's.
    path.unlink(missing_ok=True)
    document = outcome.document
    if document is None or outcome.unverified:
        return ""
    names = [task.name for task in view(document).tasks]
    history = tuple(_history(desk, names))

    def page(own: OwnTemplates, note: str) -> str:
        del note  # the log has it
        return render_page(document, own, links=links.known(), history=history, stance=stance)

    text = desk.redactor(by_own(desk, outcome.own, page))
    path.write_text(text, encoding="utf-8", newline="\n")
    return str(path)


def _history(desk: Desk, tasks: list[str]) -> Iterator[History]:
    """Yield the recorded scores of the tasks over time, those of this run among them."""
    try:
        source = recorded(desk.data.read())
    except GitError as error:
        say(f"warning: the page shows no history: {inert(desk.redactor(str(error)))}", err=True)
        return
    for task in tasks:
        if source.entries.get(task):
            yield history_of(task, source)
