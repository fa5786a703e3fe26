"""Owns the calls that a program asks for: made by our client, and recorded as its steps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gepa_ci.core.call import Call, Purpose
from gepa_ci.core.config import ModelSpec
from gepa_ci.core.prompt import Message, Role, file_name
from gepa_ci.core.score import Step
from gepa_ci.errors import PromptError
from gepa_ci.formats import render
from gepa_ci.lm.prices import model_facts
from gepa_ci.programs.chat import task_model, with_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.call import Reply
    from gepa_ci.core.prompt import Prompt, Prompts
    from gepa_ci.core.spend import Price
    from gepa_ci.core.values import JSON
    from gepa_ci.lm.client import LMClient

PARAMETERS = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed"),
    *("response_format", "frequency_penalty", "presence_penalty", "reasoning_effort"),
)
"""What a call may set besides its messages."""

_KNOWN = ("prompt", "inputs", "messages", "model")


class CallProblemError(Exception):
    """A program asked for a call that cannot be made; its own fault, and told to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One call that a program asks for."""

    call: Call
    prompt: str
    """Name of the prompt that it is made with; empty if unknown."""
    inputs: Mapping[str, JSON]
    """What the prompt was filled in with."""

    def step(self, reply: Reply) -> Step:
        """Return it as a step, with what came back."""
        return Step(prompt=self.prompt, inputs=self.inputs, output=reply.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Makes the calls of one task's program."""

    client: LMClient | None
    """None until a session gives it one; nothing can be called before."""
    model: ModelSpec | None
    """The config's model for the task; None leaves the choice to the prompt files."""
    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    """The config's models by name."""

    def wanted(self, prompts: Prompts, trial: int, asked: Any) -> Wanted:
        """Return the call that a program asks for, as plain JSON.

        Raises:
            CallProblemError: it cannot be made.
        """
        if not isinstance(asked, dict):
            raise CallProblemError("a call is an object with 'messages', or 'prompt' and 'inputs'")
        inputs = asked.get("inputs")
        file = _named_file(prompts, asked.get("prompt"))
        try:
            if "messages" in asked:
                messages = _messages(asked["messages"])
            elif file is not None and isinstance(inputs, dict):
                messages = render(file, inputs).messages
            else:
                raise CallProblemError("a call needs 'messages', or 'prompt' and 'inputs'")
            spec = self._spec(prompts, file, asked.get("model"))
        except PromptError as error:
            raise CallProblemError(str(error)) from error
        given = {name: value for name, value in asked.items() if name not in _KNOWN}
        for name in given:
            if name not in PARAMETERS:
                known = ", ".join((*_KNOWN, *PARAMETERS))
                raise CallProblemError(f"a call has no parameter '{name}'; known: {known}")
        parameters = {**spec.parameters, **given}
        spec = replace(spec, parameters={k: v for k, v in parameters.items() if v is not None})
        name = asked.get("prompt")
        return Wanted(
            call=Call(spec=spec, messages=messages, trial=trial, purpose=Purpose.TASK),
            prompt=name if isinstance(name, str) else "",
            inputs=inputs if isinstance(inputs, dict) else {},
        )

    def complete(self, call: Call) -> Reply:
        """Have a call made."""
        assert self.client is not None, "the program is not bound to a client"
        return self.client.complete(call)

    def price(self, prompts: Prompts) -> Price | None:
        """Return the price of the one model that all prompts run with; None when not known."""
        spec = self.spec(prompts)
        if spec is None:
            return None
        return (model_facts(spec) if self.client is None else self.client.facts(spec)).price

    def spec(self, prompts: Prompts) -> ModelSpec | None:
        """Return the one model that all prompts run with; None when they differ or name none."""
        try:
            specs = [task_model(file, self.model) for file in prompts.files]
        except PromptError:
            return None
        is_one = len({spec.model for spec in specs}) == 1
        return specs[0] if is_one else None

    def _spec(self, prompts: Prompts, file: Prompt | None, name: Any) -> ModelSpec:
        base = self.model if name in (None, "task") else self._named(name)
        if file is not None:
            return task_model(file, base)
        if base is None:
            named = next((file for file in prompts.files if file.model is not None), None)
            base = task_model(named or prompts.files[0], None)
            base = ModelSpec(model=base.model)
        return with_parameters(base, {})

    def _named(self, name: Any) -> ModelSpec | None:
        if name in self.models:
            return self.models[name]
        for spec in (*([] if self.model is None else [self.model]), *self.models.values()):
            if spec.model == name:
                return spec
        known = ", ".join(["task", *(known for known in self.models if known != "task")])
        raise CallProblemError(f"the config names no model '{name}'; models: {known}")


def _named_file(prompts: Prompts, name: Any) -> Prompt | None:
    return next((file for file in prompts.files if file_name(file.path) == name), None)


def _messages(given: Any) -> tuple[Message, ...]:
    if not isinstance(given, list) or not given:
        raise CallProblemError("'messages' is a list of {'role', 'content'}, and not empty")
    found = []
    for item in given:
        role = item.get("role") if isinstance(item, dict) else None
        content = item.get("content") if isinstance(item, dict) else None
        if role not in tuple(Role) or not isinstance(content, str):
            roles = ", ".join(role.value for role in Role)
            raise CallProblemError(f"a message has a role ({roles}) and its content as one text")
        try:
            content.encode()
        except UnicodeEncodeError:
            raise CallProblemError("a message holds half of a surrogate pair") from None
        found.append(Message(role=Role(role), content=content))
    return tuple(found)
