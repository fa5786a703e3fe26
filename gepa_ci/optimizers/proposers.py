"""Owns where new candidates come from: reflection on failures, or example accumulation."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from gepa_ci.core.call import Call, Purpose
from gepa_ci.core.digests import canonical_json
from gepa_ci.core.prompt import DEMOS, ComponentKind, Message, Role
from gepa_ci.formats import placeholders, prompt_yml, render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gepa_ci.core.config import ModelSpec
    from gepa_ci.core.prompt import Component, Prompt, Prompts
    from gepa_ci.core.score import Step, Trial
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([^`\r\n]*?)[ \t]*\r?\n?")
_NEW_TEXT = ("text", "markdown", "md")
_TRACE = 4000
"""Characters of a program's trace that are shown, its end."""
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One train example under the parent of a proposal."""

    example: Example
    trial: Trial
    feedback: Mapping[str, str] = field(default_factory=dict)
    """Feedback for single components, by name, where the metric gives it."""


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

    def components(self, prompt: Prompts) -> tuple[str, ...]:
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

    def components(self, prompt: Prompts) -> tuple[str, ...]:
        """Return the components with instructions; one that only passes inputs on has none."""
        return tuple(c.name for c in prompt.components if has_instructions(prompt, c))

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
                    "examples": "\n\n".join(_observed(o, name) for o in occasion.observations),
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
            found = fenced_text(answer)
            text = None if found is None else like(occasion.texts[name], found)
            if text is not None and text != occasion.texts[name]:
                proposed[name] = text
        return proposed or None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleProposer:
    """Adds failed train examples with their answers, as turns: example accumulation."""

    turns: Mapping[str, tuple[str, str]]
    """Train example id to its question and answer; examples without a right answer are left out."""
    max_demos: int

    def components(self, prompt: Prompts) -> tuple[str, ...]:
        """Return the component that holds examples as turns; several files have none of a task's.

        What a prompt within a program is asked is not what an example asks.
        """
        if len(prompt.files) > 1:
            return ()
        return tuple(c.name for c in prompt.components if c.kind is ComponentKind.DEMOS)

    def propose(self, occasion: Occasion, *, attempt: int, refused: str) -> dict[str, str] | None:
        """Append the failed examples of the minibatch; the oldest make room."""
        del attempt
        if refused:
            return None
        turns = json.loads(occasion.texts[DEMOS])
        kept = [(turns[i]["content"], turns[i + 1]["content"]) for i in range(0, len(turns), 2)]
        failed = sorted(
            (o for o in occasion.observations if o.trial.score.value < 1.0),
            key=lambda o: o.trial.score.value,
        )
        # A minibatch may hold an example twice: GEPA fills up the last one of an epoch.
        new = dict.fromkeys(self.turns[o.example.id] for o in failed if o.example.id in self.turns)
        fresh = [pair for pair in new if pair not in kept][: self.max_demos]
        if not fresh:
            return None
        return {DEMOS: demos_text([*kept, *fresh][-self.max_demos :])}


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
        answer = label_text(example.expected)
        if example.labelled and is_right(example, answer):
            question = render(prompt, example.inputs).messages[-1].content
            if _is_literal(prompt, question) and _is_literal(prompt, answer):
                found[example.id] = (question, answer)
    return found


def _is_literal(prompt: Prompt, content: str) -> bool:
    """Return whether a turn is sent as it is: in a .prompt.yml file all messages are templates."""
    return prompt.format != prompt_yml.NAME or not placeholders(prompt.format, content)


def fenced_text(answer: str) -> str | None:
    """Return the last fenced block of an answer, inner fences included; None when there is none.

    A block that says it is text goes before one that says nothing or something else. It reaches
    from its opening fence to the last closing one, so that a text with fences of its own survives.
    """
    lines = _LINE.findall(answer)
    span = _block(lines, only_text=True) or _block(lines, only_text=False)
    if span is None:
        return None
    return re.sub(r"\r?\n\Z", "", "".join(lines[span[0] + 1 : span[1]]))


def preflight_call(spec: ModelSpec) -> Call:
    """Return a small call that shows whether the reflection LM can be reached."""
    question = Message(role=Role.USER, content="Answer with the one word: ready")
    return Call(spec=spec, messages=(question,), purpose=Purpose.REFLECTION)


def label_text(expected: JSON) -> str:
    """Return a label as the text that an answer would be."""
    if isinstance(expected, str):
        return expected
    if isinstance(expected, list | tuple) and expected and isinstance(expected[0], str):
        return expected[0]
    return json.dumps(expected, ensure_ascii=False)


def _observed(observation: Observation, component: str) -> str:
    trial = observation.trial
    told = [f"## Example\n### Inputs\n{_listed(observation.example.inputs)}"]
    told += [_step(step, component) for step in _steps(trial, component)]
    told.append(f"### Output\n{trial.output}")
    if trial.trace:
        told.append(f"### Trace\n{trial.trace[-_TRACE:]}")
    told.append(f"### Score\n{trial.score.value:.3g}")
    told.append(f"### Feedback\n{observation.feedback.get(component, trial.score.feedback)}")
    return "\n".join(told)


def _steps(trial: Trial, component: str) -> list[Step]:
    """Return the calls that a component's own prompt made, or all where it is not known whose."""
    own = [s for s in trial.steps if s.prompt == component or component.startswith(f"{s.prompt}.")]
    return own or list(trial.steps)


def _step(step: Step, component: str) -> str:
    title = "This prompt" if component.startswith(step.prompt) else f"Prompt '{step.prompt}'"
    inputs = f"was given\n{_listed(step.inputs)}\n" if step.inputs else ""
    return f"### {title} {inputs}and answered\n{step.output}"


def _listed(values: Mapping[str, JSON]) -> str:
    return "\n".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in values.items()
    )


def has_instructions(prompt: Prompts, component: Component) -> bool:
    """Return whether a component says more than to pass inputs on."""
    if component.kind is not ComponentKind.TEXT:
        return False
    rest = component.text
    for mark in placeholders(prompt.place(component.name)[0].format, component.text):
        rest = rest.replace(mark, "")
    return any(char.isalpha() for char in rest)


def _block(lines: Sequence[str], *, only_text: bool) -> tuple[int, int] | None:
    """Return the numbers of the lines that open and close a block; None when none is closed."""
    start, end, depth, mark = -1, -1, 0, ""
    final = max((number for number, line in enumerate(lines) if line.strip()), default=-1)
    for number, line in enumerate(lines):
        found = _FENCE.fullmatch(line)
        if found is None:
            continue
        fence, info = found.groups()
        if depth == 0 and (not only_text or info.lower().startswith(_NEW_TEXT)):
            start, end, depth, mark = number, -1, 1, fence
        elif start >= 0 and fence.startswith(mark):
            # A bare fence closes the innermost block; one that names a language opens another.
            depth = depth + 1 if info else max(depth - 1, 0)
            if not info and (depth == 0 or number == final):
                end, depth = number, 0
    return (start, end) if end > start and depth == 0 else None


def like(old: str, new: str) -> str:
    """Break and end lines as the old text does: a fenced block cannot say how it ends."""
    new = new.replace("\r\n", "\n").rstrip("\n")
    if "\r\n" in old:
        new = new.replace("\n", "\r\n")
    return new + old[len(old.rstrip("\r\n")) :]
