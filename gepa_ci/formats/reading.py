"""Owns which file name means which prompt format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.errors import PromptError
from gepa_ci.formats import dspy_json, jinja, prompt_yml, text
from gepa_ci.formats.source import decode

if TYPE_CHECKING:
    from gepa_ci.core.prompt import Prompt

_SUFFIXES = {
    prompt_yml.NAME: (".prompt.yml", ".prompt.yaml"),
    jinja.NAME: (".j2", ".jinja", ".jinja2"),
    text.NAME: (".md", ".markdown", ".txt"),
    dspy_json.NAME: (".json",),
}


def read_prompt(path: str, source: bytes) -> Prompt:
    """Read a prompt file in the format that its name says.

    Raises:
        PromptError: with all that is wrong with the file.
    """
    prompt_format = _format_of(path)
    decoded = decode(path, source)
    if prompt_format == prompt_yml.NAME:
        return prompt_yml.read(decoded)
    if prompt_format == dspy_json.NAME:
        return dspy_json.read(decoded)
    return text.read(decoded) if prompt_format == text.NAME else jinja.read(decoded)


def placeholders(prompt_format: str, content: str) -> list[str]:
    """Return the placeholders of a text as they are written, in order, each as often as it is.

    In Jinja these are all tags and expressions; the instructions of a DSPy program have none.

    Raises:
        PromptError: a Jinja text is not a template that is allowed.
    """
    if prompt_format == prompt_yml.NAME:
        return prompt_yml.placeholders(content)
    if prompt_format == dspy_json.NAME:
        return []
    return text.placeholders(content) if prompt_format == text.NAME else jinja.placeholders(content)


def _format_of(path: str) -> str:
    lowered = path.lower()
    for name, suffixes in _SUFFIXES.items():
        if lowered.endswith(suffixes):
            return name
    known = ", ".join(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)
    hint = f"name it with one of {known}"
    if lowered.endswith((".yml", ".yaml")):
        hint = "a GitHub Models prompt is called '*.prompt.yml'"
    raise PromptError("no prompt format has this file name", path=path, hint=hint)
