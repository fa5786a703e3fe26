"""Owns filling a prompt in with an example's inputs: strictly, and in one pass."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gepa_ci.core.prompt import ComponentKind, Message, Rendered, Role
from gepa_ci.errors import Problem, PromptError
from gepa_ci.formats import demos, dspy_json, jinja, prompt_yml, text
from gepa_ci.formats.source import is_sendable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gepa_ci.core.prompt import Prompt
    from gepa_ci.core.values import JSON


def render(prompt: Prompt, inputs: Mapping[str, JSON]) -> Rendered:
    """Return the messages for one example's inputs.

    Text is put in as it is, every other value as compact JSON; what an input says is never taken
    for a placeholder.

    Raises:
        PromptError: a placeholder has no input, or a message cannot be made or sent.
    """
    if prompt.format == dspy_json.NAME:
        raise PromptError(
            "a DSPy program is run by `program: path.py:factory`",
            path=prompt.path,
            hint="give the task that key; the function returns the dspy.Module that was saved",
        )
    missing = [name for name in prompt.variables if name not in inputs]
    if missing:
        named = ", ".join(f"'{name}'" for name in missing)
        raise PromptError(
            f"the prompt asks for {named}, which the example's inputs do not have",
            path=prompt.path,
            hint=f"inputs of this example: {_listed(inputs)}",
        )
    mentioned = set(prompt.variables)
    messages = list(_messages(prompt, inputs))
    if prompt.format != prompt_yml.NAME and "user" not in prompt.texts:
        name = _question(prompt, inputs)
        mentioned.add(name)
        messages.append(Message(role=Role.USER, content=as_text(prompt, name, inputs[name])))
    for message in messages:
        if not is_sendable(message.content):
            raise PromptError(
                f"a message of role '{message.role}' holds half of a surrogate pair",
                path=prompt.path,
                hint="it comes from an input or an escape such as '\\ud800', and cannot be sent",
            )
    unused = sorted(set(inputs) - mentioned)
    return Rendered(messages=tuple(messages), unused_inputs=tuple(unused))


def _messages(prompt: Prompt, inputs: Mapping[str, JSON]) -> Iterator[Message]:
    values = {name: as_text(prompt, name, inputs[name]) for name in prompt.variables}
    for component in prompt.components:
        if component.kind is ComponentKind.TEXT:
            content = _filled(prompt, component.text, inputs, values)
            yield Message(role=component.role, content=content)
            continue
        for turn in demos.from_text(component.text, prompt.path):
            # Messages of a .prompt.yml file are all templates; front matter is data.
            is_template = prompt.format == prompt_yml.NAME
            content = prompt_yml.fill(turn.content, values) if is_template else turn.content
            yield Message(role=turn.role, content=content)


def _filled(
    prompt: Prompt, template: str, inputs: Mapping[str, JSON], values: Mapping[str, str]
) -> str:
    if prompt.format == prompt_yml.NAME:
        return prompt_yml.fill(template, values)
    if prompt.format == text.NAME:
        return text.fill(template, values)
    try:
        return jinja.fill(template, inputs)
    except PromptError as error:
        raise PromptError.of(
            Problem(message=problem.message, path=prompt.path, hint=problem.hint)
            for problem in error.problems
        ) from error


def _question(prompt: Prompt, inputs: Mapping[str, JSON]) -> str:
    """Return the input that is the user's message where the file has only a system message."""
    free = [name for name in inputs if name not in prompt.variables]
    if "input" in free:
        return "input"
    if len(free) == 1:
        return free[0]
    what = "nothing is left" if not free else "several inputs could be"
    raise PromptError(
        f"the prompt has only a system message, and {what} for the user message",
        path=prompt.path,
        hint="put placeholders such as '{{ name }}' where inputs belong, and `role: user` in the "
        f"front matter, or call one input 'input'; inputs of this example: {_listed(inputs)}",
    )


def as_text(prompt: Prompt, name: str, value: JSON) -> str:
    """Return an input as it is put in: text as it is, every other value as compact JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as cause:
        message = f"the input '{name}' has no JSON: {cause}"
        raise PromptError(message, path=prompt.path) from cause


def _listed(inputs: Mapping[str, JSON]) -> str:
    return ", ".join(sorted(inputs)) or "none"
