"""Owns the chat program: the prompt file's messages, filled in, and one call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gepa_ci.core.call import Call, Purpose
from gepa_ci.core.config import ModelSpec
from gepa_ci.core.score import Output
from gepa_ci.core.spend import Usage
from gepa_ci.errors import PromptError
from gepa_ci.formats import render
from gepa_ci.lm.prices import LOCAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.prompt import Prompt
    from gepa_ci.core.spend import Price
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON
    from gepa_ci.lm.client import LMClient


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatProgram:
    """Sends what the file says, word for word, to the model that the file or the config names."""

    client: LMClient
    model: ModelSpec | None = None
    """The config's model for the task; None leaves the choice to the prompt file."""

    def spec(self, prompt: Prompt) -> ModelSpec:
        """Return the model and parameters that a prompt runs with.

        Raises:
            PromptError: neither the file nor the config names a model.
        """
        return task_model(prompt, self.model)

    def price(self, prompt: Prompt) -> Price | None:
        """Return the price of the model that a prompt runs with; None when it is not known."""
        return self.client.facts(self.spec(prompt)).price

    def call(self, prompt: Prompt, example: Example, trial: int) -> Call:
        """Return the call that a trial of an example makes."""
        rendered = render(prompt, example.inputs)
        return Call(
            spec=self.spec(prompt), messages=rendered.messages, trial=trial, purpose=Purpose.TASK
        )

    def run(self, prompt: Prompt, example: Example, trial: int) -> Output:
        """Run one trial of one example."""
        call = self.call(prompt, example, trial)
        reply = self.client.complete(call)
        usage = (
            Usage(cached_calls=1)
            if reply.cached
            else Usage(
                calls=1,
                input_tokens=reply.input_tokens,
                output_tokens=reply.output_tokens,
                usd=reply.usd,
            )
        )
        return Output(
            text=reply.text,
            failure=reply.failure,
            detail=reply.detail,
            usage=usage,
            model=reply.model,
            prompt_length=sum(len(message.content) for message in call.messages),
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            seconds=reply.seconds,
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
    base = configured or ModelSpec(model=prompt.model or "")
    parameters: dict[str, JSON] = {**prompt.parameters, **_stated(base.parameters)}
    if base.model == LOCAL:
        # The local model is there for runs that anybody can repeat.
        parameters.setdefault("temperature", 0)
    return replace(base, parameters=parameters)


def _stated(parameters: Mapping[str, JSON]) -> dict[str, JSON]:
    return {name: value for name, value in parameters.items() if value is not None}
