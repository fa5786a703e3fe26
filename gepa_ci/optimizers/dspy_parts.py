"""Owns which predictor stands for which components, and how demos stand in their texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gepa_ci.core.digests import canonical_json
from gepa_ci.core.prompt import ComponentKind
from gepa_ci.optimizers.proposers import demos_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gepa_ci.core.prompt import Component, Prompts
    from gepa_ci.core.score import Step, Trial
    from gepa_ci.core.values import JSON

OUTPUT = "output"
"""What the output of a prompt is called where the program has no name for it."""
ROW = "dspy_row"
"""Where an example of DSPy's keeps our id; names that begin so are hidden from LMs."""
_TURN = "dspy_turn"
_SUFFIX = ".demos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A predictor: the instructions that it stands for, and the demos that go with them."""

    name: str
    """What DSPy calls it."""
    text: str
    """Name of the component with its instructions."""
    demos: str | None
    """Name of the component with its demos, if they may change."""
    kind: ComponentKind | None
    """How the demos stand in the file."""

    def steps(self, trial: Trial) -> list[Step]:
        """Return the calls of a run that were made with this prompt.

        The longest name wins: one predictor's may begin like another's.
        """
        names = {step.prompt for step in trial.steps if step.prompt}
        own = [n for n in names if n == self.text or self.text.startswith(f"{n}.")]
        return [step for step in trial.steps if own and step.prompt == max(own, key=len)]


def parts_of(prompt: Prompts, components: Sequence[str]) -> tuple[Part, ...]:
    """Return a predictor for each text and each list of demos that may change."""
    found = {c.name: c for c in prompt.components}
    demos = {
        _owner(prompt, found[name]): found[name]
        for name in components
        if found[name].kind is not ComponentKind.TEXT
    }
    wanted = {name for name in components if found[name].kind is ComponentKind.TEXT} | demos.keys()
    return tuple(
        Part(
            name=_attribute(c.name),
            text=c.name,
            demos=demos[c.name].name if c.name in demos else None,
            kind=demos[c.name].kind if c.name in demos else None,
        )
        for c in prompt.components
        if c.name in wanted
    )


def _owner(prompt: Prompts, demos: Component) -> str:
    """Return the component whose instructions some demos go with."""
    if demos.kind is ComponentKind.RECORDS:
        return demos.name.removesuffix(_SUFFIX)
    file, _ = prompt.place(demos.name)
    return next(
        c.name
        for c in prompt.components
        if c.kind is ComponentKind.TEXT and prompt.place(c.name)[0].path == file.path
    )


def _attribute(name: str) -> str:
    import dspy

    taken = {*dir(dspy.Module), "callbacks", "history", "run"}
    return f"{name}_" if name in taken else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Demos:
    """Turns demos of DSPy's into the text of a component, and back."""

    part: Part
    turn: Callable[[Mapping[str, Any]], tuple[str, str] | None]
    """Question and answer of an example that may stand among the turns; None for another."""

    def read(self, text: str) -> list[dict[str, Any]]:
        """Return what a component holds, as fields of DSPy examples."""
        found = json.loads(text)
        if self.part.kind is ComponentKind.RECORDS:
            return [dict(record) for record in found]
        return [
            {"input": question["content"], OUTPUT: answer["content"], _TURN: index}
            for index, (question, answer) in enumerate(zip(found[::2], found[1::2], strict=True))
        ]

    def write(self, demos: Sequence[Any], *, start: str) -> str:
        """Return the text of a component with some demos, none of them twice."""
        if self.part.kind is ComponentKind.RECORDS:
            return canonical_json([_record(demo) for demo in demos])
        turns = json.loads(start)
        pairs: dict[tuple[str, str], None] = {}
        for demo in demos:
            index = demo.get(_TURN)
            if index is not None:
                pair = turns[2 * index]["content"], turns[2 * index + 1]["content"]
                pairs[pair] = None
            elif (made := self.turn(demo)) is not None:
                pairs[made] = None
        return demos_text(list(pairs))


def _record(demo: Any) -> dict[str, JSON]:
    return {name: _plain(demo[name]) for name in demo.keys()}  # noqa: SIM118 - hides our own


def _plain(value: Any) -> JSON:
    try:
        plain: JSON = json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return str(value)
    return plain


def fields_of(
    part: Part, trials: Sequence[Trial], inputs: Sequence[str], output: str
) -> tuple[list[str], list[str]]:
    """Return the names of a predictor's inputs and outputs, as the baseline's runs show them."""
    steps = [step for trial in trials for step in part.steps(trial)]
    if not steps:
        return list(inputs), [output]
    given = list(dict.fromkeys(name for step in steps for name in step.inputs))
    told = list(dict.fromkeys(name for step in steps for name in step.fields))
    return given, [name for name in told if name not in given] or [output]


def field(name: str) -> str:
    """Return what a signature calls a field; some names are taken there."""
    import dspy

    is_taken = name.startswith("_") or name == "model_config" or hasattr(type(dspy.Signature), name)
    return f"field_{name.strip('_')}" if is_taken else name
