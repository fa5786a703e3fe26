"""Owns Markdown and plain text prompts: `{{ name }}` is a placeholder, all else is literal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gepa_ci.formats import front_matter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.prompt import Prompt
    from gepa_ci.formats.source import Source

NAME = "text"
_MARK = re.compile(r"\{\{[ \t]*([^\W\d][\w.-]*)[ \t]*\}\}")


def placeholders(text: str) -> list[str]:
    """Return the placeholders of a text as they are written, in order, each as often as it is."""
    return [found.group() for found in _MARK.finditer(text)]


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values in the place of placeholders, in one pass."""
    return _MARK.sub(lambda found: values[found[1]], text)


def read(source: Source) -> Prompt:
    """Read a file; a PromptError has all that is wrong with it."""
    return front_matter.read(source, name=NAME, variables=_variables)


def _variables(source: Source, start: int) -> tuple[str, ...]:
    return tuple(sorted({found[1] for found in _MARK.finditer(source.text, start)}))
