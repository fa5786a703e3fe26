"""Owns the chat program: the prompt file's messages, filled in, and one call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.core.call import Call, Purpose
from gepa_ci.core.config import ModelSpec
from gepa_ci.core.digests import digest
from gepa_ci.core.score import Output
from gepa_ci.core.spend import Usage
from gepa_ci.errors import ConfigError, PromptError
from gepa_ci.formats import render
from gepa_ci.lm.prices import LOCAL, model_facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.call import Reply
    from gepa_ci.core.prompt import Prompt, Prompts
    from gepa_ci.core.spend import Price
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON
    from gepa_ci.errors import Problem
    from gepa_ci.lm.client import LMClient


class ChatProgram:
    """Sends what the file says, word for word, to the model that the file or the config names."""

    def __init__(self, *, client: LMClient | None, model: ModelSpec | None = None) -> None:
        """Take the client, None until there is one, and the config's model.

        Without a model, the prompt file names it.
        """
        self._client = client
        self._model = model

    def bound(self, client: LMClient) -> ChatProgram:
        """Return the program with a client that makes its calls."""
        return ChatProgram(client=client, model=self._model)

    @property
    def digest(self) -> str:
        """Return the same for all: what it does is in the prompt file."""
        return digest(["chat", 1])

    def spec(self, prompts: Prompts) -> ModelSpec:
        """Return the model and parameters that a prompt runs with.

        Raises:
            PromptError: neither the file nor the config names a model.
        """
        return task_model(only_file(prompts), self._model)

    def model(self, prompts: Prompts) -> ModelSpec:
        """Return the model and parameters that a prompt runs with."""
        return self.spec(prompts)

    def price(self, prompts: Prompts) -> Price | None:
        """Return the price of the model that a prompt runs with; None when it is not known."""
        spec = self.spec(prompts)
        return (model_facts(spec) if self._client is None else self._client.facts(spec)).price

    def call(self, prompts: Prompts, example: Example, trial: int) -> Call:
        """Return the call that a trial of an example makes."""
        rendered = render(only_file(prompts), example.inputs)
        return Call(
            spec=self.spec(prompts), messages=rendered.messages, trial=trial, purpose=Purpose.TASK
        )

    def calls(self, prompts: Prompts, example: Example, trial: int) -> tuple[Call, ...]:
        """Return the one call that a trial of an example makes."""
        return (self.call(prompts, example, trial),)

    def run(self, prompts: Prompts, example: Example, trial: int) -> Output:
        """Run one trial of one example."""
        call = self.call(prompts, example, trial)
        assert self._client is not None, "the program is not bound to a client"
        reply = self._client.complete(call)
        return Output(
            text=reply.text,
            failure=reply.failure,
            detail=reply.detail,
            usage=usage_of(reply),
            model=reply.model,
            prompt_length=sum(len(message.content) for message in call.messages),
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            seconds=reply.seconds,
        )

    def check(self, prompts: Prompts, examples: Sequence[Example]) -> list[str]:
        """Fill the prompt in for every example, and return a sentence about unused inputs.

        Raises:
            ConfigError: with a problem for each example that the prompt cannot be filled in for.
        """
        prompt = only_file(prompts)
        unused: set[str] = set()
        problems: list[Problem] = []
        for example in examples:
            try:
                unused |= set(render(prompt, example.inputs).unused_inputs)
            except PromptError as error:
                path, line = example.path or prompt.path, example.line or None
                problems += [replace(problem, path=path, line=line) for problem in error.problems]
        if problems:
            raise ConfigError.of(problems)
        if not unused:
            return []
        names = ", ".join(f"'{name}'" for name in sorted(unused))
        return [f"{prompt.path} does not use these inputs: {names}."]

    def close(self) -> None:
        """Do nothing: a chat program has started nothing."""


def only_file(prompts: Prompts) -> Prompt:
    """Return the one prompt file that a chat program has.

    Raises:
        ConfigError: there are several.
    """
    first, *others = prompts.files
    if others:
        raise ConfigError(
            f"a chat task has one prompt file, and this one has {len(others) + 1}",
            path=first.path,
            hint="make a task of each file, or give the task a `program:` that uses them all",
        )
    return first


def usage_of(reply: Reply) -> Usage:
    """Return what a reply has cost in this run."""
    if reply.cached:
        return Usage(cached_calls=1)
    return Usage(
        calls=1,
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        usd=reply.usd,
    )


def task_model(prompt: Prompt, configured: ModelSpec | None) -> ModelSpec:
    """Merge the config's model with the file's: the config wins where it says something.

    Raises:
        PromptError: neither names a model.
    """
    if configured is None and prompt.model is None:
        raise PromptError(
            "no model is named for this prompt",
            path=prompt.path,
            hint="add `model:` to the file, or `models: {task: ...}` to the config",
        )
    return with_parameters(configured or ModelSpec(model=prompt.model or ""), prompt.parameters)


def with_parameters(base: ModelSpec, parameters: Mapping[str, JSON]) -> ModelSpec:
    """Return a model with further parameters, where it does not state its own."""
    merged: dict[str, JSON] = {**parameters, **_stated(base.parameters)}
    if base.model == LOCAL:
        # The local model is there for runs that anybody can repeat.
        merged.setdefault("temperature", 0)
    return replace(base, parameters=merged)


def _stated(parameters: Mapping[str, JSON]) -> dict[str, JSON]:
    return {name: value for name, value in parameters.items() if value is not None}
