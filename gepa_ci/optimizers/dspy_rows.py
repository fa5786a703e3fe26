"""Owns train and val as DSPy's examples, and the way back from what DSPy makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gepa_ci.core.digests import canonical_json
from gepa_ci.formats import render
from gepa_ci.optimizers.dspy_parts import OUTPUT, ROW
from gepa_ci.optimizers.proposers import label_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.suite import Example
    from gepa_ci.optimizers.search import Search


class Rows:
    """The examples of a search, in both forms."""

    def __init__(self, search: Search) -> None:
        self._search = search
        tuning = search.tuning
        self._examples = {example.id: example for example in (*tuning.train, *tuning.val)}
        self.names = list(dict.fromkeys(n for e in self._examples.values() for n in e.inputs))
        """Names of the inputs."""
        self._by_inputs = {_key(e.inputs): e for e in reversed(self._examples.values())}
        names = (OUTPUT, "answer", "expected_output")
        self.label = next(name for name in names if name not in self.names)
        """What an example's label is called, and a program's output."""

    def of(self, examples: Sequence[Example]) -> list[Any]:
        """Return examples as DSPy's."""
        import dspy

        rows = []
        for example in examples:
            fields = {**example.inputs, ROW: example.id}
            if example.labelled:
                fields[self.label] = label_text(example.expected)
            rows.append(dspy.Example(**fields).with_inputs(*example.inputs))
        return rows

    def example(self, name: str) -> Example:
        """Return the example of an id."""
        return self._examples[name]

    def asked(self, inputs: Mapping[str, Any]) -> Example:
        """Return the first example with these inputs; there is one."""
        return self._by_inputs[_key(inputs)]

    def turn(self, demo: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return question and answer of a demo that may stand among a file's turns."""
        inputs = {name: demo[name] for name in self.names if name in demo}
        example = self._by_inputs.get(_key(inputs))
        if example is None or self.label not in demo:
            return None
        question = render(self._search.prompt.files[0], example.inputs).messages[-1].content
        pair = question, str(demo[self.label])
        admission = self._search.admission
        return pair if pair in admission.turns or pair in admission.earned else None


def _key(inputs: Mapping[str, Any]) -> str:
    return canonical_json({name: inputs[name] for name in inputs})
