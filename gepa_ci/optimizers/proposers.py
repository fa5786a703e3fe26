"""Owns where new candidates come from: reflection on failures, or example accumulation."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gepa_ci.core.call import Call, Purpose
from gepa_ci.core.digests import canonical_json
from gepa_ci.core.prompt import DEMOS, ComponentKind, Message, Role
from gepa_ci.formats import placeholders, render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gepa_ci.core.config import ModelSpec
    from gepa_ci.core.prompt import Component, Prompt
    from gepa_ci.core.score import Trial
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON

_FENCE = re.compile(
    r"^(`{3,}|~{3,})[ \t]*(?:text|markdown|md)?[ \t]*\n(.*?)\n?^\1[ \t]*$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One train example under the parent of a proposal."""

    example: Example
    trial: Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Everything that a proposal may be made from."""

    texts: Mapping[str, str]
    """The parent's components that may change."""
    components: tuple[str, ...]
    """Those that this proposal should change."""
    observations: tuple[Observation, ...]
    """The minibatch."""


class Ask(Protocol):
    """Answers a call to the reflection LM, from the journal where it was asked before."""

    def __call__(self, call: Call) -> str:
        """Return the answer's text."""
        ...


class Proposer(Protocol):
    """Makes one proposal; None where there is nothing to propose."""

    def components(self, prompt: Prompt) -> tuple[str, ...]:
        """Return the components that this proposer can change."""
        ...

    def propose(self, occasion: Occasion, *, attempt: int, refused: str) -> dict[str, str] | None:
        """Return new texts; `refused` is why the first attempt was not admitted, or empty."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectionProposer:
    """Shows the reflection LM a component, what came of it, and asks for a better one."""

    template: Prompt
    """Our reflection prompt, a text prompt file."""
    spec: ModelSpec
    ask: Ask
    rules: Callable[[str], list[str]]
    """The rules of admission for a component, in words."""

    def components(self, prompt: Prompt) -> tuple[str, ...]:
        """Return the components with instructions; one that only passes inputs on has none."""
        return tuple(c.name for c in prompt.components if _has_instructions(prompt, c))

    def propose(self, occasion: Occasion, *, attempt: int, refused: str) -> dict[str, str] | None:
        """Ask for each component in turn."""
        proposed: dict[str, str] = {}
        for name in occasion.components:
            rules = self.rules(name)
            if refused:
                rules = [*rules, f"Your last text was refused. {refused}"]
            rendered = render(
                self.template,
                {
                    "component": name,
                    "current_text": occasion.texts[name],
                    "examples": "\n\n".join(_observed(o) for o in occasion.observations),
                    "constraints": "\n".join(f"- {rule}" for rule in rules),
                },
            )
            answer = self.ask(
                Call(
                    spec=self.spec,
                    messages=rendered.messages,
                    trial=attempt,
                    purpose=Purpose.REFLECTION,
                )
            )
            text = fenced_text(answer)
            if text is not None and text != occasion.texts[name]:
                proposed[name] = _like(occasion.texts[name], text)
        return proposed or None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleProposer:
    """Adds failed train examples with their answers, as turns: example accumulation."""

    turns: Mapping[str, tuple[str, str]]
    """Train example id to its question and answer; examples without a right answer are left out."""
    max_demos: int

    def components(self, prompt: Prompt) -> tuple[str, ...]:
        """Return the component that holds examples as turns."""
        return tuple(c.name for c in prompt.components if c.kind is ComponentKind.DEMOS)

    def propose(self, occasion: Occasion, *, attempt: int, refused: str) -> dict[str, str] | None:
        """Append the failed examples of the minibatch; the oldest make room."""
        del attempt, refused
        turns = json.loads(occasion.texts[DEMOS])
        kept = [(turns[i]["content"], turns[i + 1]["content"]) for i in range(0, len(turns), 2)]
        failed = sorted(
            (o for o in occasion.observations if o.trial.score.value < 1.0),
            key=lambda o: o.trial.score.value,
        )
        new = [self.turns[o.example.id] for o in failed if o.example.id in self.turns]
        fresh = [pair for pair in new if pair not in kept]
        if not fresh:
            return None
        pairs = [*kept, *fresh][-self.max_demos :]
        return {DEMOS: demos_text(pairs)}


def demos_text(pairs: Sequence[tuple[str, str]]) -> str:
    """Return the text of a demos component for pairs of question and answer."""
    turns: list[JSON] = []
    for question, answer in pairs:
        turns.append({"role": Role.USER.value, "content": question})
        turns.append({"role": Role.ASSISTANT.value, "content": answer})
    return canonical_json(turns)


def example_turns(
    prompt: Prompt, examples: Sequence[Example], is_right: Callable[[Example, str], bool]
) -> dict[str, tuple[str, str]]:
    """Return question and answer of each example whose answer the metric gives full marks."""
    found = {}
    for example in examples:
        answer = _answer(example.expected)
        if example.labelled and is_right(example, answer):
            found[example.id] = (render(prompt, example.inputs).messages[-1].content, answer)
    return found


def fenced_text(answer: str) -> str | None:
    """Return the last fenced block of an answer; None when there is none."""
    blocks = _FENCE.findall(answer)
    return blocks[-1][1] if blocks else None


def preflight_call(spec: ModelSpec) -> Call:
    """Return a small call that shows whether the reflection LM can be reached."""
    question = Message(role=Role.USER, content="Answer with the one word: ready")
    return Call(spec=spec, messages=(question,), purpose=Purpose.REFLECTION)


def _answer(expected: JSON) -> str:
    if isinstance(expected, str):
        return expected
    if isinstance(expected, list | tuple) and expected and isinstance(expected[0], str):
        return expected[0]
    return json.dumps(expected, ensure_ascii=False)


def _observed(observation: Observation) -> str:
    inputs = "\n".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in observation.example.inputs.items()
    )
    trial = observation.trial
    return (
        f"## Example\n### Inputs\n{inputs}\n### Output\n{trial.output}\n"
        f"### Score\n{trial.score.value:.3g}\n### Feedback\n{trial.score.feedback}"
    )


def _has_instructions(prompt: Prompt, component: Component) -> bool:
    if component.kind is ComponentKind.DEMOS:
        return False
    rest = component.text
    for mark in placeholders(prompt.format, component.text):
        rest = rest.replace(mark, "")
    return any(char.isalpha() for char in rest)


def _like(old: str, new: str) -> str:
    """End a text as the old one ended: a fenced block cannot say how many newlines follow."""
    stripped = old.rstrip("\n")
    return new.rstrip("\n") + old[len(stripped) :]
