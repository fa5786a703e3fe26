"""Owns the values of a prompt file: components with their spans, messages, model and parameters."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from gepa_ci.core.digests import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON


class Role(StrEnum):
    """Who speaks a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class ComponentKind(StrEnum):
    """What a component's text is."""

    TEXT = "text"
    """Instruction text of one message, a template with placeholders."""
    DEMOS = "demos"
    """Examples as turns: canonical JSON, a list of {"role", "content"}; "[]" for none."""
    RECORDS = "records"
    """Examples of a DSPy predictor: canonical JSON, a list of objects; "[]" for none."""


DEMOS = "demos"
"""The name of the component that holds examples as turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A half-open range of bytes in a file."""

    start: int
    """Offset of the first byte."""
    end: int
    """Offset after the last byte; equal to start for an insertion point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as it goes over the wire."""

    role: Role
    """Who speaks."""
    content: str
    """The text, byte for byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One part of a prompt that can be replaced: its text and where it stands in the file."""

    name: str
    """Unique in the prompt: `system`, `user`, `demos`; `user_2` for the second of a role."""
    kind: ComponentKind
    """Instruction text, or examples."""
    role: Role
    """Role of the message; `assistant` for demos."""
    text: str
    """The text as the model gets it, before placeholders are filled in."""
    span: Span
    """The bytes of the file that hold it, in the file's own notation."""
    line: int
    """1-based line on which the span starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """One string check that a `.prompt.yml` file brings along."""

    name: str
    """As in the file."""
    operator: str
    """`equals`, `contains`, `startsWith` or `endsWith`."""
    value: str
    """What to compare with; may hold placeholders such as `{{expected}}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt file as read: what it says, and where in its bytes it says it."""

    path: str
    """Path relative to the root, with forward slashes."""
    format: str
    """Name of the format: `prompt_yml`, `text` (Markdown and plain text), `jinja`, `dspy_json`."""
    source: bytes
    """The whole file."""
    components: tuple[Component, ...]
    """In the order of the messages; a format that can hold demos always has that component."""
    variables: tuple[str, ...]
    """Names of the placeholders, sorted."""
    model: str | None = None
    """Model string of the file, if it names one."""
    parameters: Mapping[str, JSON] = field(default_factory=dict)
    """Call parameters in our words: temperature, top_p, max_tokens, stop, seed, response_format."""
    test_data: tuple[Mapping[str, JSON], ...] = ()
    """Rows of `testData`."""
    test_data_lines: tuple[int, ...] = ()
    """1-based line of each row of test_data."""
    evaluators: tuple[Evaluator, ...] = ()
    """The string evaluators of the file."""

    def component(self, name: str) -> Component:
        """Return the component of that name; KeyError when there is none."""
        for component in self.components:
            if component.name == name:
                return component
        raise KeyError(name)

    @property
    def texts(self) -> dict[str, str]:
        """Map component name to text: the prompt as a candidate."""
        return {component.name: component.text for component in self.components}

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the file's bytes."""
        return hashlib.sha256(self.source).hexdigest()

    @property
    def files(self) -> tuple[Prompt, ...]:
        """Return itself: what a prompt has in common with a set of them."""
        return (self,)

    def place(self, name: str) -> tuple[Prompt, str]:
        """Return the file that holds a component, and the component's name in that file."""
        return self, name


@dataclass(frozen=True, kw_only=True)
class PromptSet:
    """The prompt files of a task that has several, as one candidate.

    A component is called `file.component`, by the name of its file without folder and endings.
    """

    files: tuple[Prompt, ...]
    """In the order of the config; their names differ."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the name of each file: its path without folder and endings."""
        return tuple(file_name(file.path) for file in self.files)

    @cached_property
    def components(self) -> tuple[Component, ...]:
        """Return the components of all files, under their qualified names."""
        return tuple(
            replace(component, name=f"{name}.{component.name}")
            for name, file in zip(self.names, self.files, strict=True)
            for component in file.components
        )

    def component(self, name: str) -> Component:
        """Return the component of that qualified name; KeyError when there is none."""
        file, own = self.place(name)
        return replace(file.component(own), name=name)

    def place(self, name: str) -> tuple[Prompt, str]:
        """Return the file that holds a component, and the component's name in that file."""
        for known, file in zip(self.names, self.files, strict=True):
            own = name.removeprefix(f"{known}.")
            if own != name and own in file.texts:
                return file, own
        raise KeyError(name)

    @cached_property
    def texts(self) -> dict[str, str]:
        """Map qualified component name to text: the prompts as a candidate."""
        return {component.name: component.text for component in self.components}

    @cached_property
    def digest(self) -> str:
        """Return the digest of all files' bytes."""
        return digest([[file.path, file.digest] for file in self.files])


Prompts: TypeAlias = "Prompt | PromptSet"
"""All prompt files of a task: one, or a set."""


def file_name(path: str) -> str:
    """Return what a prompt file is called among several: its path without folder and endings."""
    return PurePosixPath(path).name.split(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A prompt filled in with one example's inputs."""

    messages: tuple[Message, ...]
    """Exactly what would be sent."""
    unused_inputs: tuple[str, ...] = ()
    """Inputs of the example that the prompt does not mention, sorted."""
