"""Owns what a python program is given: its prompts by name, and `lm`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gepa_ci.core.prompt import ComponentKind, file_name
from gepa_ci.formats import read_prompt, render
from gepa_ci.programs.host_hub import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gepa_ci.core.prompt import Prompt
    from gepa_ci.programs.host_hub import Hub


class Messages(list[dict[str, str]]):
    """Messages that were made of a prompt, which they remember."""

    prompt: str = ""
    inputs: Mapping[str, Any] = {}


class PromptView:
    """One prompt file: rendered by calling it with its inputs."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self.name = file_name(prompt.path)
        self.path = prompt.path
        self.format = prompt.format
        self.texts = prompt.texts

    def render(self, inputs: Mapping[str, Any] | None = None, /, **more: Any) -> Messages:
        """Return the messages, filled in strictly; a missing input is an error."""
        given = {**(inputs or {}), **more}
        messages = Messages(
            {"role": message.role.value, "content": message.content}
            for message in render(self._prompt, given).messages
        )
        messages.prompt, messages.inputs = self.name, given
        return messages

    __call__ = render

    @property
    def text(self) -> str:
        """Return the one text of a file that has one."""
        texts = [c.text for c in self._prompt.components if c.kind is ComponentKind.TEXT]
        if len(texts) != 1:
            names = ", ".join(self.texts)
            raise AttributeError(f"prompt '{self.name}' has several texts; take one of: {names}")
        return texts[0]

    def __getitem__(self, name: str) -> str:
        if name not in self.texts:
            known = ", ".join(self.texts)
            raise KeyError(f"prompt '{self.name}' has no text '{name}'; it has: {known}")
        return self.texts[name]

    def __repr__(self) -> str:
        return f"PromptView({self.path!r})"


class PromptViews(Mapping[str, PromptView]):
    """The prompts of a task by name, as items and as attributes."""

    def __init__(self, prompts: tuple[PromptView, ...]) -> None:
        self._prompts = {prompt.name: prompt for prompt in prompts}

    def __getitem__(self, name: str) -> PromptView:
        if name not in self._prompts:
            raise KeyError(self._unknown(name))
        return self._prompts[name]

    def __getattr__(self, name: str) -> PromptView:
        # Copying asks for private names before __init__ has run.
        if name.startswith("_") or name not in self._prompts:
            raise AttributeError(name if name.startswith("_") else self._unknown(name))
        return self._prompts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._prompts)

    def __len__(self) -> int:
        return len(self._prompts)

    def _unknown(self, name: str) -> str:
        return f"the task has no prompt '{name}'; it has: {', '.join(self._prompts)}"


class LM:
    """The models of the config, called with prompts, messages or a text."""

    def __init__(self, hub: Hub, run: str) -> None:
        self._hub = hub
        self._run = run

    def __call__(
        self,
        what: PromptView | list[dict[str, str]] | str,
        inputs: Mapping[str, Any] | None = None,
        *,
        model: str = "task",
        **parameters: Any,
    ) -> str:
        """Return what the model answers."""
        return text_of(self._hub.ask(self._run, _call(what, inputs, model, parameters)).result())

    async def acall(
        self,
        what: PromptView | list[dict[str, str]] | str,
        inputs: Mapping[str, Any] | None = None,
        *,
        model: str = "task",
        **parameters: Any,
    ) -> str:
        """Return what the model answers, while others go on."""
        reply = self._hub.ask(self._run, _call(what, inputs, model, parameters))
        return text_of(await asyncio.wrap_future(reply))


def _call(
    what: PromptView | list[dict[str, str]] | str,
    inputs: Mapping[str, Any] | None,
    model: str,
    parameters: dict[str, Any],
) -> dict[str, Any]:
    call: dict[str, Any] = {**parameters, "model": model}
    if isinstance(what, PromptView):
        return {**call, "prompt": what.name, "inputs": dict(inputs or {})}
    if inputs is not None:
        raise TypeError("inputs go together with a prompt; messages are sent as they are")
    if isinstance(what, str):
        return {**call, "messages": [{"role": "user", "content": what}]}
    if isinstance(what, Messages):
        call |= {"prompt": what.prompt, "inputs": dict(what.inputs)}
    return {**call, "messages": [dict(message) for message in what]}


@lru_cache(maxsize=256)
def prompt_view(path: str, source: str) -> PromptView:
    """Return the view of a prompt file, read once."""
    return PromptView(read_prompt(path, source.encode("latin-1")))
