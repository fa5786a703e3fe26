"""Owns the Markdown report, and how much of it fits where it goes: comment, body or summary."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from gepa_ci.reports import escape
from gepa_ci.reports.links import Links
from gepa_ci.reports.outcome import Stance, rule, worst_first
from gepa_ci.reports.posts.filters import Limits, Markdown, filters, finalize
from gepa_ci.reports.templating import sources
from gepa_ci.reports.templating.rendering import told_by_line
from gepa_ci.reports.templating.sources import BUILT_IN
from gepa_ci.reports.view import view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jinja2 import Environment

    from gepa_ci.core.values import JSON
    from gepa_ci.reports.templating.sources import OwnTemplates

_BLANK_LINES = re.compile(r"\n{3,}")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_REST = "The rest is left out here, as it would be too long.\n"
_NO_LINKS = Links()
_PLAIN = Stance()


def post_size(text: str) -> int:
    """Return the length of a text as the strictest forge may count it.

    A line end may count as two characters, as may each character beyond the first 65,536.
    """
    return len(text.encode("utf-16-le", "surrogatepass")) // 2 + text.count("\n")


def file_size(text: str) -> int:
    """Return the bytes of a text in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


_LEVELS = (
    Limits(tasks=100, rows=10, diff=40_000, text=600),
    Limits(tasks=100, rows=10, diff=12_000, text=600),
    Limits(tasks=100, rows=5, diff=3_000, text=400),
    Limits(tasks=50, rows=3, diff=600, text=300, diagrams=False),
    Limits(tasks=10, rows=3, diff=600, text=200, diagrams=False),
    Limits(tasks=3, rows=3, diff=600, text=200, diagrams=False),
    Limits(tasks=1, rows=1, diff=600, text=100, diagrams=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How long a text may become where it goes."""

    most: int
    """The longest it may be."""
    size: Callable[[str], int] = post_size
    """How its length is counted there."""
    levels: tuple[Limits, ...] = _LEVELS
    """How much is shown: the first of these that fits."""

    def less(self, taken: int) -> Room:
        """Return the room that is left beside something else."""
        return Room(most=self.most - taken, size=self.size, levels=self.levels)


MAX_CHARS = 60_000
"""Longest report that is fit for a comment; GitHub refuses more than 65,536 characters."""
REPORT = Room(most=MAX_CHARS)
"""Room of a report that somebody may paste into a comment."""
SUMMARY = Room(
    most=1_000_000,
    size=file_size,
    levels=(
        Limits(tasks=100, rows=50, diff=200_000, text=2_000),
        Limits(tasks=100, rows=25, diff=60_000, text=1_000),
        *_LEVELS,
    ),
)
"""Room of a job summary, of which GitHub refuses more than 1 MiB."""


def render_markdown(
    document: Mapping[str, JSON],
    own: OwnTemplates = BUILT_IN,
    *,
    room: Room = REPORT,
    stance: Stance = _PLAIN,
    links: Links = _NO_LINKS,
    notes: Sequence[str] = (),
) -> str:
    """Render a result as Markdown without any text of an example.

    Args:
        document: The result.
        own: The team's templates.
        room: How long it may become.
        stance: What the team lets a verdict do.
        links: Where a reader finds more.
        notes: Finished sentences about the run as a whole.
    """
    report = view(document)
    return render_template(
        "report.md.j2",
        room,
        own,
        report=report,
        tasks=worst_first(report.tasks),
        ruling=rule(report, stance),
        notes=notes,
        links=links.known(),
        whole=links.whole,
    )


def render_template(template: str, room: Room, own: OwnTemplates, /, **values: object) -> str:
    """Render a template with as much detail as fits; it says itself what it leaves out.

    Raises:
        OwnTemplateError: a template of the team's own is wrong.
    """
    text = ""
    with told_by_line(own, template):
        for limits in room.levels:
            text = _render(template, limits, own, values)
            if room.size(text) <= room.most:
                return text
    # Only a team's own template can come to this.
    return cut_markdown(text, room)


def cut_markdown(text: str, room: Room) -> str:
    """Cut a text after a paragraph that is in no fence and no fold, and say so."""
    most = room.most - room.size(_REST) - 2
    lines = text.split("\n")
    fence, folds, size, safe = "", 0, 0, 0
    for number, line in enumerate(lines):
        size += room.size(f"{line}\n")
        if size > most:
            break
        mark = _FENCE.match(line)
        if fence:
            # As long as it began, or longer, and nothing else on the line.
            is_end = line.strip().startswith(fence) and not line.strip(f" {fence[0]}")
            fence = "" if is_end else fence
        elif mark:
            fence = mark[1]
        else:
            folds += line.count("<details") - line.count("</details>")
        if not line and not fence and not folds:
            safe = number
    return "\n".join([*lines[:safe], "", _REST]).lstrip("\n")


@lru_cache(maxsize=32)
def environment(limits: Limits, own: OwnTemplates) -> Environment:
    """Return the environment of Markdown templates, with those that were compiled already."""
    from gepa_ci.reports.posts.sandbox import MarkdownEnvironment
    from gepa_ci.reports.templating.missing import lenient

    # HTML escaping would not make Markdown safe; this does, for every expression.
    found = sources.environment(own, finalize=finalize(limits), sandbox=MarkdownEnvironment)
    known = filters(limits)
    found.filters |= known if own.missed is None else lenient(known, Markdown())
    return found


def _render(template: str, limits: Limits, own: OwnTemplates, values: Mapping[str, object]) -> str:
    found = environment(limits, own).get_template(template)
    text = found.render(**values, limits=limits).strip() + "\n"
    return escape.without_markers(escape.without_commands(_BLANK_LINES.sub("\n\n", text)))
