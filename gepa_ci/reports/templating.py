"""Owns where templates come from: ours, and those of a team that override single blocks of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment

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

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTemplates:
    """A team's templates, which extend ours; none by default."""

    folder: str = ""
    """Where they lie in the repository, for messages."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """By file name."""


BUILT_IN = OwnTemplates()
"""No template but ours."""


def environment(
    own: OwnTemplates,
    *,
    finalize: Callable[[object], object] | None = None,
    autoescape: bool = False,
) -> Environment:
    """Return a sandbox in which our templates, and a team's, can be rendered."""
    from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader, PrefixLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    ours = FileSystemLoader(_TEMPLATES, encoding="utf-8")
    return ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([DictLoader(own.sources), PrefixLoader({OURS: ours}), ours]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=autoescape,
        finalize=finalize,
    )
