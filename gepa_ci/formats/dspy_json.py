"""Owns DSPy programs saved as JSON state: the instructions and demos of each predictor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.core.digests import canonical_json
from gepa_ci.core.prompt import Component, ComponentKind, Prompt, Role, Span
from gepa_ci.errors import Problem, PromptError
from gepa_ci.formats.json_notation import notation_of
from gepa_ci.formats.json_spans import parse
from gepa_ci.formats.source import decode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gepa_ci.core.values import JSON
    from gepa_ci.formats.json_spans import Node
    from gepa_ci.formats.source import Source

NAME = "dspy_json"
BARE = "self"
"""What DSPy calls the predictor of a program that is itself one; its file has no level for it."""
_METADATA = "metadata"
_PREDICTOR = {"signature", "demos", "traces", "train"}
_SAVE = "save it with `program.save('program.json', save_program=False)`"


def read(source: Source) -> Prompt:
    """Read a file; a PromptError has all that is wrong with it.

    The `lm` of a predictor is not the file's model: a predictor without one uses what the program
    configures in code, and others may each have their own, so that the file as a whole names none.
    """
    reading = _Reading(source)
    components = tuple(reading.components())
    if reading.problems:
        raise PromptError.of(reading.problems)
    return Prompt(
        path=source.path,
        format=NAME,
        source=source.data,
        components=components,
        # Instructions are no templates: a brace is a brace.
        variables=(),
    )


class _Reading:
    """One file on its way to components, with the problems on that way."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.root = parse(source)
        self.problems: list[Problem] = []
        self.states = self._predictors()

    def components(self) -> Iterator[Component]:
        """Yield instructions and demos of each predictor, in the order of the file."""
        taken: set[str] = set()
        for name, state in self.states.items():
            found = self._instructions(name, state), self._demos(name, state)
            for component in found:
                if component is None:
                    continue
                if component.name in taken:
                    message = f"two components would be called '{component.name}'"
                    hint = f"rename '{name}' in the program and in the file"
                    self._problem(message, state, hint)
                taken.add(component.name)
                yield component
            self._check_rest(name, state)

    def _predictors(self) -> dict[str, Node]:
        """Return the state of each predictor; of all else that a program saves, nothing is read."""
        root = self.root
        signature = root.fields.get("signature")
        # A predictor that is called 'signature' has a 'signature' itself.
        if signature and signature.fields and "signature" not in signature.fields:
            return {BARE: root}
        entries = {name: node for name, node in root.fields.items() if name != _METADATA}
        found = {name: node for name, node in entries.items() if _PREDICTOR & node.fields.keys()}
        if not found:
            raise self._not_a_program(entries)
        for name, node in entries.items():
            if not name.isprintable() or not name:
                self._problem(f"{name!r} cannot be the name of a module", node)
                found.pop(name, None)
            elif not isinstance(node.value, dict):
                self._problem(f"'{name}' is not the state of a module: {_kind(node)}", node)
        return found

    def _not_a_program(self, entries: Mapping[str, Node]) -> PromptError:
        message, hint = "not the saved state of a DSPy program: it has no predictor", _SAVE
        if not isinstance(self.root.value, dict):
            message = f"not the saved state of a DSPy program: {_kind(self.root)}, not an object"
        elif "dependency_versions" in entries:
            message = "not the state of a DSPy program: it only says which versions saved one"
        elif any("module_src" in node.fields for node in entries.values()):
            message = "the program has only the code of dspy.Flex, which is not a prompt"
            hint = "give the task the file of a program with predictors"
        return PromptError(message, path=self.source.path, line=1, hint=hint)

    def _instructions(self, name: str, state: Node) -> Component | None:
        if "extended_signature" in state.fields:
            message = f"'{name}' was saved by DSPy 2.5 or earlier, which later versions cannot load"
            self._problem(message, state, f"{_SAVE}, with DSPy 2.6 or later")
            return None
        signature = self._field(name, state, "signature", dict)
        if signature is None:
            return None
        self._field(f"{name}.signature", signature, "fields", list)
        node = self._field(f"{name}.signature", signature, "instructions", str)
        return None if node is None else self._component(name, ComponentKind.TEXT, node)

    def _demos(self, name: str, state: Node) -> Component | None:
        node = self._field(name, state, "demos", list)
        if node is None:
            return None
        for number, item in enumerate(node.items, start=1):
            if not isinstance(item.value, dict):
                self._problem(f"demo {number} of '{name}' is {_kind(item)}, not an object", item)
        return self._component(f"{name}.demos", ComponentKind.RECORDS, node)

    def _check_rest(self, name: str, state: Node) -> None:
        node = state.fields.get("lm")
        if node is None:
            self._problem(f"'{name}' has no 'lm'", state, "write `null` for the configured one")
        elif not isinstance(node.value, dict | None):
            self._problem(f"'lm' of '{name}' is {_kind(node)}, not an object or null", node)

    def _field(self, name: str, node: Node, key: str, kind: type) -> Node | None:
        found = node.fields.get(key)
        if found is None:
            self._problem(f"'{name}' has no '{key}'", node, _SAVE)
        elif not isinstance(found.value, kind):
            self._problem(f"'{key}' of '{name}' is {_kind(found)}, not {_KINDS[kind]}", found)
        else:
            return found
        return None

    def _component(self, name: str, kind: ComponentKind, node: Node) -> Component:
        source = self.source
        return Component(
            name=name,
            kind=kind,
            role=Role.SYSTEM if kind is ComponentKind.TEXT else Role.ASSISTANT,
            text=canonical_json(node.value) if kind is ComponentKind.RECORDS else str(node.value),
            span=Span(start=source.byte(node.start), end=source.byte(node.end)),
            line=source.line(node.start),
        )

    def _problem(self, message: str, node: Node, hint: str | None = None) -> None:
        line = self.source.line(node.start)
        self.problems.append(Problem(message=message, path=self.source.path, line=line, hint=hint))


_KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "text"}


def _kind(node: Node) -> str:
    value = node.value
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return _KINDS.get(type(value), "a number")


def alternatives(prompt: Prompt, component: Component, text: str) -> Iterator[str]:
    """Yield what may stand in a component's span for a text: there is one way."""
    source = decode(prompt.path, prompt.source)
    reading = _Reading(source)
    notation = notation_of(source, reading.root)
    if component.kind is ComponentKind.TEXT:
        yield notation.string(text)
    else:
        demos = reading.states[component.name.removesuffix(".demos")].fields["demos"]
        yield notation.list(demos, _records(prompt.path, component.name, text))


def _records(path: str, name: str, text: str) -> list[Mapping[str, JSON]]:
    """Return the demos of a component; a PromptError when its text is not canonical."""
    try:
        node = parse(decode(path, text.encode()))
    except PromptError:
        node = None
    if node is not None and isinstance(node.value, list) and canonical_json(node.value) == text:
        records: list[Mapping[str, JSON]] = [
            item.value for item in node.items if isinstance(item.value, dict)
        ]
        if len(records) == len(node.items):
            return records
    raise PromptError(
        f"the text of '{name}' is not the canonical JSON of a list of objects",
        path=path,
        hint='write [{"answer":"...","question":"..."}], keys sorted and without spaces; [] for '
        "none",
    )
