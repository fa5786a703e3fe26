"""Owns putting new texts into a prompt file: their spans change, and nothing else."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING, overload

from gepa_ci.core.prompt import PromptSet
from gepa_ci.errors import Problem, PromptError
from gepa_ci.formats import dspy_json, front_matter, prompt_yml
from gepa_ci.formats.reading import read_prompt
from gepa_ci.formats.source import is_sendable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.prompt import Prompt, Prompts

_ALTERNATIVES = {
    prompt_yml.NAME: prompt_yml.alternatives,
    dspy_json.NAME: dspy_json.alternatives,
}


@overload
def write_texts(prompts: Prompt, texts: Mapping[str, str]) -> Prompt: ...
@overload
def write_texts(prompts: Prompts, texts: Mapping[str, str]) -> Prompts: ...


def write_texts(prompts: Prompts, texts: Mapping[str, str]) -> Prompts:
    """Return prompts as read again after putting texts in the place of components.

    Raises:
        PromptError: a component is not there, or a file cannot hold a text so that it reads back
            exactly and nothing else changes.
    """
    _check_names(prompts, texts)
    if isinstance(prompts, PromptSet):
        return _write_set(prompts, texts)
    written = prompts
    for name, text in texts.items():
        if written.component(name).text != text:
            written = _write(written, name, text)
    return written


def _write_set(prompts: PromptSet, texts: Mapping[str, str]) -> PromptSet:
    by_file: dict[str, dict[str, str]] = {file.path: {} for file in prompts.files}
    for name, text in texts.items():
        file, own = prompts.place(name)
        by_file[file.path][own] = text
    files = tuple(write_texts(file, by_file[file.path]) for file in prompts.files)
    return replace(prompts, files=files)


def _check_names(prompt: Prompts, texts: Mapping[str, str]) -> None:
    problems = []
    for name, text in texts.items():
        if name not in prompt.texts:
            near = difflib.get_close_matches(name, prompt.texts, 1)
            known = f"components: {', '.join(prompt.texts)}"
            hint = f"did you mean '{near[0]}'? {known}" if near else known
            message = f"the file has no component '{name}'"
            problems.append(Problem(message=message, path=prompt.files[0].path, hint=hint))
        elif not is_sendable(text):
            message = f"the text of '{name}' holds half of a surrogate pair, which UTF-8 has not"
            problems.append(Problem(message=message, path=prompt.place(name)[0].path))
    if problems:
        raise PromptError.of(problems)


def _write(prompt: Prompt, name: str, text: str) -> Prompt:
    component = prompt.component(name)
    alternatives = _ALTERNATIVES.get(prompt.format, front_matter.alternatives)
    wanted = {**prompt.texts, name: text}
    reason = ""
    start, end = component.span.start, component.span.end
    for notation in alternatives(prompt, component, text):
        source = prompt.source[:start] + notation.encode() + prompt.source[end:]
        try:
            written = read_prompt(prompt.path, source)
        except PromptError as error:
            reason = error.problems[0].message
            continue
        if written.texts == wanted and _rest(written) == _rest(prompt):
            return written
        reason = _difference(prompt, written)
    raise PromptError(
        f"the file cannot hold the new text of '{name}': {reason}",
        path=prompt.path,
        line=component.line,
    )


def _rest(prompt: Prompt) -> tuple[object, ...]:
    """Return all that a new text may not change."""
    return (
        [(c.name, c.kind, c.role) for c in prompt.components],
        prompt.model,
        prompt.parameters,
        prompt.test_data,
        prompt.evaluators,
    )


def _difference(before: Prompt, after: Prompt) -> str:
    names = list(before.texts), list(after.texts)
    if names[0] != names[1]:
        said = f"the messages would be {', '.join(names[1])} and not {', '.join(names[0])}"
        is_front_matter = before.format != prompt_yml.NAME
        return f"{said}; say `role:` in the front matter" if is_front_matter else said
    return "the file would read back differently"
