"""Owns prompt files that are one body of text with optional YAML front matter."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from gepa_ci.core.prompt import DEMOS, Component, ComponentKind, Message, Prompt, Role, Span
from gepa_ci.errors import Problem, PromptError
from gepa_ci.formats import demos
from gepa_ci.formats.parameters import read_parameters, read_response_format
from gepa_ci.formats.source import BOM, decode
from gepa_ci.formats.yaml_document import Document, is_flow, kind, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gepa_ci.core.values import JSON
    from gepa_ci.formats.source import Source

_OPENING = re.compile(r"---[ \t]*(?:\r?\n|\Z)")
_CLOSING = re.compile(r"^---[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_ROLES = (Role.SYSTEM.value, Role.USER.value)
Fields = dict[str, tuple[yaml.Node, yaml.Node]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matter:
    """A file cut into front matter and body."""

    document: Document | None
    """The front matter; None when there is none."""
    fields: Fields
    """Its keys."""
    closing: int
    """Offset of the line that closes it, where more keys can be put."""
    body: int
    """Offset of the body."""


def read(
    source: Source, *, name: str, variables: Callable[[Source, int], tuple[str, ...]]
) -> Prompt:
    """Read a file; `variables` names the placeholders of the body from an offset on.

    Raises:
        PromptError: with all problems of front matter and body.
    """
    matter = _cut(source)
    document = matter.document
    problems: list[Problem] = [] if document is None else document.problems
    found: tuple[str, ...] = ()
    try:
        found = variables(source, matter.body)
    except PromptError as error:
        problems = [*problems, *error.problems]
    role = _role(matter) or (Role.USER if found else Role.SYSTEM)
    model, parameters = _call(matter)
    turns = _turns(matter)
    if document is not None:
        problems = [*document.problems, *(p for p in problems if p not in document.problems)]
    if problems:
        raise PromptError.of(problems)
    return Prompt(
        path=source.path,
        format=name,
        source=source.data,
        components=_components(source, matter, role, turns),
        variables=found,
        model=model,
        parameters=parameters,
    )


def _cut(source: Source) -> _Matter:
    start = len(BOM) if source.text.startswith(BOM) else 0
    opening = _OPENING.match(source.text, start)
    if opening is None:
        return _Matter(document=None, fields={}, closing=start, body=start)
    closing = _CLOSING.search(source.text, opening.end())
    if closing is None:
        raise PromptError(
            "the front matter is not closed",
            path=source.path,
            line=1,
            hint="end it with a line '---'; a text that begins with '---' needs '---' twice before",
        )
    document = parse(source, opening.end(), closing.start())
    root = document.root
    fields = {} if root is None else document.fields(root, "the front matter")
    return _Matter(document=document, fields=fields, closing=closing.start(), body=closing.end())


def _role(matter: _Matter) -> Role | None:
    document = matter.document
    if document is None or "role" not in matter.fields:
        return None
    node = matter.fields["role"][1]
    role = document.string(node, "'role'")
    if role in _ROLES:
        return Role(role)
    if role:
        near = difflib.get_close_matches(role, _ROLES, 1)
        hint = f"did you mean '{near[0]}'?" if near else "use system or user"
        document.problem(f"unknown role '{role}'", node, hint)
    return None


def _call(matter: _Matter) -> tuple[str | None, dict[str, JSON]]:
    document, fields = matter.document, matter.fields
    if document is None:
        return None, {}
    model = document.string(fields["model"][1], "'model'") if "model" in fields else None
    parameters = read_parameters(document, fields)
    if "response_format" in fields:
        node = fields["response_format"][1]
        if isinstance(node, yaml.MappingNode):
            parameters["response_format"] = document.json(node, "'response_format'")
        elif (found := read_response_format(document, node, None)) is not None:
            parameters["response_format"] = found
    return model or None, parameters


def _demos_node(matter: _Matter) -> yaml.Node | None:
    found = matter.fields.get(DEMOS)
    return None if found is None or kind(found[1]) == "empty" else found[1]


def _turns(matter: _Matter) -> tuple[Message, ...]:
    document, node = matter.document, _demos_node(matter)
    if document is None or node is None:
        return ()
    if line := document.linked(node):
        message = f"'demos' has an anchor, an alias or a tag in line {line}"
        document.problem(message, node, "write the text out")
        return ()
    turns: list[Message] = []
    for number, item in enumerate(document.items(node, "'demos'"), start=1):
        fields = document.fields(item, f"demo {number}")
        if set(fields) != {"user", "assistant"}:
            hint = "give it the keys user and assistant, and no others"
            document.problem(f"demo {number} is not a pair", item, hint)
            continue
        for role in (Role.USER, Role.ASSISTANT):
            content = document.string(fields[role][1], f"'{role}' of demo {number}")
            turns.append(Message(role=role, content=content))
    return tuple(turns)


def _components(
    source: Source, matter: _Matter, role: Role, turns: tuple[Message, ...]
) -> tuple[Component, ...]:
    first, last = _demos_span(source, matter)
    examples = Component(
        name=DEMOS,
        kind=ComponentKind.DEMOS,
        role=Role.ASSISTANT,
        text=demos.to_text(turns),
        span=Span(start=source.byte(first), end=source.byte(last)),
        line=source.line(first),
    )
    body = Component(
        name=role.value,
        kind=ComponentKind.TEXT,
        role=role,
        text=source.text[matter.body :],
        span=Span(start=source.byte(matter.body), end=len(source.data)),
        line=source.line(matter.body),
    )
    return (body, examples) if role is Role.SYSTEM else (examples, body)


def _demos_span(source: Source, matter: _Matter) -> tuple[int, int]:
    """Return the lines of the key `demos`, or the insertion point for it."""
    document = matter.document
    if document is None or DEMOS not in matter.fields:
        return matter.closing, matter.closing
    key, value = matter.fields[DEMOS]
    end = max(document.end(key), document.end(value))
    return document.start(key), source.line_end(end)


def alternatives(prompt: Prompt, component: Component, text: str) -> Iterator[str]:
    """Yield what may stand in a component's span for a text, the most fitting first."""
    source = decode(prompt.path, prompt.source)
    matter = _cut(source)
    if component.kind is ComponentKind.TEXT:
        yield text
        if matter.document is None:
            # The text itself begins like front matter, or with a byte order mark.
            yield f"---{source.eol}---{source.eol}{text}"
        return
    new = demos.from_text(text, prompt.path)
    for all_quoted in (False, True):
        block = _demos_block(source, matter, new, all_quoted=all_quoted)
        yield f"---{source.eol}{block}---{source.eol}" if matter.document is None else block


def _demos_block(
    source: Source, matter: _Matter, new: tuple[Message, ...], *, all_quoted: bool
) -> str:
    old, node = _turns(matter), _demos_node(matter)
    column = matter.fields[DEMOS][0].start_mark.column if DEMOS in matter.fields else 0
    style = demos.ListStyle(dash=column + 2, key=column + 4, eol=source.eol)
    kept, same = f"{DEMOS}:{source.eol}", 0
    if matter.document is not None and old and node is not None and not is_flow(node):
        style = demos.list_style(matter.document, node.value[0])
        same = demos.common_prefix(old, new) // 2
        first, last = _demos_span(source, matter)
        if same < len(node.value):
            last = source.line_start(matter.document.dash(node.value[same]))
        kept = source.text[first:last]
    if not new:
        return f"{DEMOS}: []{source.eol}"
    pairs = [
        (("user", new[at].content), ("assistant", new[at + 1].content))
        for at in range(2 * same, len(new), 2)
    ]
    return kept + style.write(pairs, all_quoted=all_quoted)
