"""Owns where templates come from: ours, and those of a team that override single blocks of ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jinja2 import Environment
    from jinja2.sandbox import ImmutableSandboxedEnvironment

ENTRIES = (
    "comment.md.j2",
    "failure.md.j2",
    "nothing.md.j2",
    "page.html.j2",
    "pull_body.md.j2",
    "report.md.j2",
)
"""Templates that a team may extend, each by a file of the same name."""
OURS = "gepa-ci"
"""The folder from which a team's template extends ours: `{% extends "gepa-ci/comment.md.j2" %}`."""

_TEMPLATES = Path(__file__).parents[1] / "templates"


# Compared by identity: a set of templates is read once, and what is made of it is kept for it.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnTemplates:
    """A team's templates, which extend ours; none by default."""

    folder: str = ""
    """Where they lie in the repository, for messages."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """By file name."""
    missed: Callable[[Exception], None] | None = None
    """On trial, told what a template names that there is not, so that the rest is tried too."""

    def path(self, name: str) -> str:
        """Return the path of a template in the repository."""
        return f"{self.folder}/{name}"


BUILT_IN = OwnTemplates()
"""No template but ours."""


def our_names() -> tuple[str, ...]:
    """Return the file names of all templates of ours, entries and their parts."""
    return tuple(sorted(path.name for path in _TEMPLATES.glob("*.j2")))


def environment(
    own: OwnTemplates,
    *,
    finalize: Callable[[object], object] | None = None,
    autoescape: bool = False,
    sandbox: type[ImmutableSandboxedEnvironment] | None = None,
) -> Environment:
    """Return a sandbox in which our templates, and a team's, can be rendered.

    Args:
        own: The team's templates.
        finalize: What is done with the value of every expression.
        autoescape: Whether values are escaped as HTML.
        sandbox: The class of it; Jinja's own by default.
    """
    from jinja2 import ChoiceLoader, FileSystemLoader, FunctionLoader, PrefixLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    from gepa_ci.reports.templating.missing import missing_type

    def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        if name not in own.sources:
            return None
        # With a file name, tracebacks tell the line of the template.
        return own.sources[name], own.path(name), lambda: True

    ours = FileSystemLoader(_TEMPLATES, encoding="utf-8")
    return (sandbox or ImmutableSandboxedEnvironment)(
        loader=ChoiceLoader([FunctionLoader(load), PrefixLoader({OURS: ours}), ours]),
        undefined=StrictUndefined if own.missed is None else missing_type(own.missed),
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=autoescape,
        finalize=finalize,
    )
