"""Owns the HTML page of a result: what it shows, in how many bytes, by which templates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.reports.escape import without_commands
from gepa_ci.reports.outcome import Stance
from gepa_ci.reports.page.answers import answer_of
from gepa_ci.reports.page.filters import add_filters, one_text
from gepa_ci.reports.page.policy import sources
from gepa_ci.reports.page.room import room_of
from gepa_ci.reports.page.sections import Limits, sections_of
from gepa_ci.reports.templating.rendering import told_by_line
from gepa_ci.reports.templating.sources import BUILT_IN, environment
from gepa_ci.reports.view import view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from markupsafe import Markup

    from gepa_ci.core.values import JSON
    from gepa_ci.reports.links import Link
    from gepa_ci.reports.page.room import Lengths
    from gepa_ci.reports.templating.sources import OwnTemplates
    from gepa_ci.reports.view.model_history import History

MAX_BYTES = 3_000_000
"""Longest page."""

_PLAIN = Stance()
_POLICY = "(policy)"
_TRIES = 3
# Of what is around the examples: style, script, sentences, pictures.
_FRAME_BYTES = 60_000
# Where less than this share of a page is left for texts, fewer trials or rows are shown.
_LEAST_FOR_TEXTS = 0.25
_WHOLE = Limits(
    tasks=200,
    rows=5_000,
    opened=5_000,
    pairs=50,
    other_pairs=50,
    items=50,
    diff=60_000,
    text=600,
)
_ONE_TRIAL = replace(_WHOLE, pairs=1, other_pairs=0, items=30, diff=20_000, text=300)
_SHORT = replace(_ONE_TRIAL, opened=150, rows=500, tasks=100, items=12, diff=5_000, text=200)
_LEVELS = (
    _WHOLE,
    replace(_WHOLE, other_pairs=1),
    replace(_WHOLE, pairs=3, other_pairs=0),
    _ONE_TRIAL,
    # That an example is there, and its score, is worth more than the texts of another.
    *(replace(_ONE_TRIAL, opened=opened) for opened in (1_200, 700, 400, 150)),
    replace(_ONE_TRIAL, opened=150, rows=2_000),
    _SHORT,
    replace(_SHORT, opened=100, rows=100, tasks=40, items=6, diff=1_000, text=120),
    replace(_SHORT, opened=20, rows=20, tasks=10, items=4, diff=500, text=80),
)


def render_page(
    document: Mapping[str, JSON],
    own: OwnTemplates = BUILT_IN,
    *,
    links: Sequence[Link] = (),
    history: Sequence[History] = (),
    stance: Stance = _PLAIN,
    most_bytes: int = MAX_BYTES,
) -> str:
    """Render a result as one HTML page that asks for nothing from anywhere.

    Args:
        document: The result; the page has the texts of its examples where it has them.
        own: The team's templates.
        links: Where a reader finds more.
        history: Scores over time, of as many tasks as they are known of.
        stance: What the team lets a verdict do.
        most_bytes: How long the page may be; what is left out for it, the page says.

    Raises:
        UsageError: the document is not a result.
    """
    report = view(document, texts=True)
    page = ""
    for limits in _LEVELS:
        sections = sections_of(report, history, limits)
        need = room_of(sections, limits)
        room = most_bytes - _FRAME_BYTES - need.markup
        if limits is not _LEVELS[-1] and room < min(need.least, _LEAST_FOR_TEXTS * most_bytes):
            continue
        values = {"report": report, "sections": sections, "links": links}
        write = _writer(own, limits, answer=answer_of(report, stance), **values, **_sources())
        for _ in range(_TRIES):
            page = write(need.lengths(max(0, room)))
            over = len(page.encode()) - most_bytes
            if over <= 0:
                return page
            if over > room:
                break
            room -= over + over // 10 + 1_000
    return page


def _sources() -> dict[str, Markup]:
    from markupsafe import Markup

    found = sources()
    return {
        "style": Markup(found.style),  # noqa: S704 - our own file
        "script": Markup(found.script),  # noqa: S704 - our own file
    }


def _writer(own: OwnTemplates, limits: Limits, /, **values: object) -> Callable[[Lengths], str]:
    from markupsafe import escape

    found = environment(own, finalize=lambda value: one_text(value, limits), autoescape=True)
    add_filters(found, limits)

    def write(lengths: Lengths) -> str:
        with told_by_line(own, "page.html.j2"):
            template = found.get_template("page.html.j2")
            text = template.render(**values, limits=limits, lengths=lengths)
        # The first place is ours, and no template can name another policy.
        text = text.replace(_POLICY, str(escape(sources().policy)), 1)
        return without_commands(text).strip() + "\n"

    return write
