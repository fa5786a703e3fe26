"""Owns the comment on a pull request: enough to decide in its first three lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gepa_ci.reports.outcome import (
    WORST_FIRST,
    Ending,
    Stance,
    rule,
    rule_without_verdict,
    worst_first,
)
from gepa_ci.reports.posts.markdown import Room, post_size, render_template
from gepa_ci.reports.templating.sources import BUILT_IN
from gepa_ci.reports.view import view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.values import JSON
    from gepa_ci.errors import Problem
    from gepa_ci.reports.links import Links
    from gepa_ci.reports.templating.sources import OwnTemplates

MAX_CHARS = 65_536
"""Longest comment or body of a pull request that GitHub takes."""

_MARKER = re.compile(r"<!-- gepa-ci:(?:(?!--)[^\n<>])*-->")
_PLAIN = Stance()
_ROOM = Room(most=MAX_CHARS)


def render_comment(
    document: Mapping[str, JSON],
    *,
    links: Links,
    head: str,
    marker: str,
    stance: Stance = _PLAIN,
    notes: Sequence[str] = (),
    own: OwnTemplates = BUILT_IN,
) -> str:
    """Render a result as the comment of its pull request, without any text of an example.

    Args:
        document: The result.
        links: Where a reader finds more.
        head: Sha that was judged.
        marker: The hidden first line by which the comment is found again.
        stance: What the team lets a verdict do.
        notes: Finished sentences about the run as a whole, such as whose exam it was.
        own: The team's templates.
    """
    report = view(document)
    tasks = worst_first(report.tasks)
    return _marked(
        "comment.md.j2",
        marker,
        own,
        report=report,
        tasks=tasks,
        ruling=rule(report, stance),
        loud=[task for task in tasks if task.verdict in WORST_FIRST],
        quiet=[task for task in tasks if task.verdict not in WORST_FIRST],
        links=links.known(),
        whole=links.whole,
        head=head,
        mode=stance.mode,
        notes=notes,
    )


def render_failure_comment(
    problems: Sequence[Problem],
    *,
    links: Links,
    head: str,
    marker: str,
    stance: Stance = _PLAIN,
    ending: Ending = Ending.FAILED,
    own: OwnTemplates = BUILT_IN,
) -> str:
    """Render what kept a run from a verdict, and what to do about it."""
    return _marked(
        "failure.md.j2",
        marker,
        own,
        problems=problems,
        ruling=rule_without_verdict(ending, stance),
        cause="the spend cap was reached" if ending is Ending.OVER_BUDGET else "the run failed",
        links=links.known(),
        head=head,
        mode=stance.mode,
    )


def render_nothing_comment(
    reason: str,
    *,
    links: Links,
    head: str,
    marker: str,
    stance: Stance = _PLAIN,
    own: OwnTemplates = BUILT_IN,
) -> str:
    """Render that there was nothing to do, with the finished sentence that says why."""
    return _marked(
        "nothing.md.j2",
        marker,
        own,
        reason=reason,
        links=links.known(),
        head=head,
        mode=stance.mode,
    )


def _marked(template: str, marker: str, own: OwnTemplates, /, **values: object) -> str:
    if not _MARKER.fullmatch(marker):
        raise ValueError("a marker is one HTML comment of gepa-ci on one line")
    text = render_template(template, _ROOM.less(post_size(marker) + 2), own, **values)
    return f"{marker}\n{text}"
