"""Owns the Jinja format; its sandbox is imported when a file needs it, as it is slow to start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.prompt import Prompt
    from gepa_ci.core.values import JSON
    from gepa_ci.formats.source import Source

NAME = "jinja"


def read(source: Source) -> Prompt:
    """Read a file; a PromptError has all that is wrong with it."""
    from gepa_ci.formats import front_matter, jinja_sandbox

    return front_matter.read(source, name=NAME, variables=jinja_sandbox.variables)


def fill(text: str, inputs: Mapping[str, JSON]) -> str:
    """Render a template."""
    from gepa_ci.formats import jinja_sandbox

    return jinja_sandbox.fill(text, inputs)


def placeholders(text: str) -> list[str]:
    """Return all tags and expressions of a template as they are written."""
    from gepa_ci.formats import jinja_sandbox

    return jinja_sandbox.placeholders(text)
