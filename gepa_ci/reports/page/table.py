"""Owns the markup of the rows of examples, of which a page has thousands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment

    from gepa_ci.reports.page.room import Lengths
    from gepa_ci.reports.page.sections import Limits, Section

_TEMPLATES = Path(__file__).parents[1] / "templates"


def row_writer(like: Environment, limits: Limits) -> Callable[[Section, str, str, Lengths], object]:
    """Return what writes the rows of a section, with the filters of an environment."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    # A sandbox looks at every field that is read, which would take most of the time here. This
    # template is ours, and no team's can stand in for it.
    plain = Environment(
        loader=FileSystemLoader(_TEMPLATES, encoding="utf-8"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=like.finalize,
    )
    plain.filters |= like.filters
    template = plain.get_template("example.html.j2")

    def write(section: Section, before: str, after: str, lengths: Lengths) -> object:
        text = template.render(
            section=section, before=before, after=after, lengths=lengths, limits=limits
        )
        return Markup(text)  # noqa: S704 - escaped by the template

    return write
