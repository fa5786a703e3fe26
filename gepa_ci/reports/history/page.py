"""Owns the page of a task's scores over time, in the style of the page of a result."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gepa_ci.reports.escape import without_commands
from gepa_ci.reports.history.headline import days, headline
from gepa_ci.reports.page.filters import add_filters, one_text
from gepa_ci.reports.page.policy import Sources, sources
from gepa_ci.reports.page.sections import Limits
from gepa_ci.reports.templating.sources import BUILT_IN, environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from gepa_ci.reports.view.model_history import History, Moment

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_LIMITS = Limits(tasks=1, rows=2_000, opened=0, pairs=1, other_pairs=1, items=50, diff=1, text=600)


def render_history_page(history: History) -> str:
    """Render scores over time as one HTML page that asks for nothing from anywhere."""
    from markupsafe import Markup, escape

    # The page has no script, and its policy allows none but an empty one.
    found = Sources(style=sources().style, script="")
    jinja = environment(BUILT_IN, finalize=lambda value: one_text(value, _LIMITS), autoescape=True)
    add_filters(jinja, _LIMITS)
    page = jinja.get_template("history_page.html.j2").render(
        history=history,
        headline=headline(history),
        heading=_heading(history),
        shown=_shown(history.moments),
        latest=history.moments[: -_LIMITS.rows - 1 : -1],
        limits=_LIMITS,
        style=Markup(found.style),  # noqa: S704 - our own file
        policy=escape(found.policy),
    )
    return without_commands(page).strip() + "\n"


def _heading(history: History) -> Markup:
    """Return the history in one sentence; its days stay together where there is room."""
    from markupsafe import Markup, escape

    said = escape(headline(history))
    if not history.moments:
        return said
    told = f"{days(history)},"
    kept = _DAY.sub(r'<span class="keep">\g<0></span>', told)
    unit = Markup(f'<span class="unit">{kept}</span>')  # noqa: S704 - figures of our own
    return said.replace(told, unit)


def _shown(moments: Sequence[Moment]) -> dict[str, bool]:
    """Return what there is to say of any moment; a column without a word is not shown."""
    changed = any(moment.changed for moment in moments)
    return {
        "changed": changed,
        "commit": any(moment.commit for moment in moments),
        "remark": changed or any(moment.drift or moment.note for moment in moments),
    }
