"""Owns the GitHub Models format: `.prompt.yml` with messages, test data and evaluators."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from gepa_ci.core.prompt import (
    DEMOS,
    Component,
    ComponentKind,
    Message,
    Prompt,
    Role,
    Span,
)
from gepa_ci.errors import PromptError
from gepa_ci.formats import demos
from gepa_ci.formats.prompt_yml_fields import read_call, read_evaluators, read_rows
from gepa_ci.formats.source import decode
from gepa_ci.formats.yaml_document import Document, is_flow, parse
from gepa_ci.formats.yaml_scalars import Place, double, notations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gepa_ci.formats.source import Source

NAME = "prompt_yml"
_MARK = re.compile(r"\{\{([^{}\s]+)\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """A message and the nodes that it was read from."""

    message: Message
    item: yaml.Node
    content: yaml.ScalarNode


def placeholders(text: str) -> list[str]:
    """Return the placeholders of a text as they are written, in order, each as often as it is."""
    return [found.group() for found in _MARK.finditer(text)]


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values in the place of placeholders, in one pass."""
    return _MARK.sub(lambda found: values[found[1]], text)


def read(source: Source) -> Prompt:
    """Read a file; a PromptError has all that is wrong with it."""
    document = parse(source)
    if not isinstance(document.root, yaml.MappingNode):
        raise PromptError(
            "the file must be a mapping with the key 'messages'",
            path=source.path,
            line=1,
            hint="see https://docs.github.com/en/github-models for the format",
        )
    fields = document.fields(document.root, "the file")
    turns = _turns(document, fields)
    model, parameters = read_call(document, fields)
    rows = read_rows(document, fields)
    evaluators = read_evaluators(document, fields)
    if document.problems:
        raise PromptError.of(document.problems)
    components = _components(document, fields["messages"][1], turns)
    names = {found[1] for turn in turns for found in _MARK.finditer(turn.message.content)}
    return Prompt(
        path=source.path,
        format=NAME,
        source=source.data,
        components=tuple(components),
        variables=tuple(sorted(names)),
        model=model,
        parameters=parameters,
        test_data=tuple(row for row, _ in rows),
        test_data_lines=tuple(line for _, line in rows),
        evaluators=tuple(evaluators),
    )


def _turns(document: Document, fields: Mapping[str, tuple[yaml.Node, yaml.Node]]) -> list[_Turn]:
    if "messages" not in fields:
        near = [key for key in fields if difflib.get_close_matches(key, ["messages"])]
        hint = (
            f"rename '{near[0]}' to 'messages'" if near else "add `messages:` with a user message"
        )
        document.problem("the key 'messages' is missing", document.root, hint)
        return []
    node = fields["messages"][1]
    if line := document.linked(node):
        document.problem(
            f"'messages' has an anchor, an alias or a tag in line {line}",
            node,
            "write the text out",
        )
        return []
    items = document.items(node, "'messages'")
    if not items and isinstance(node, yaml.SequenceNode):
        document.problem("'messages' is empty", node, "add a message")
    turns = [_turn(document, item, f"message {n}") for n, item in enumerate(items, start=1)]
    return [turn for turn in turns if turn is not None]


def _turn(document: Document, item: yaml.Node, what: str) -> _Turn | None:
    fields = document.fields(item, what)
    for key in ("role", "content"):
        if isinstance(item, yaml.MappingNode) and key not in fields:
            document.problem(f"{what} has no '{key}'", item)
    if not {"role", "content"} <= fields.keys():
        return None
    role_node, node = fields["role"][1], fields["content"][1]
    role = document.string(role_node, f"the role of {what}")
    content = document.string(node, f"the content of {what}")
    if role and role not in list(Role):
        near = difflib.get_close_matches(role, list(Role), 1)
        hint = f"did you mean '{near[0]}'?" if near else "use system, user or assistant"
        document.problem(f"unknown role '{role}'", role_node, hint)
    if role not in list(Role) or not isinstance(node, yaml.ScalarNode):
        return None
    return _Turn(message=Message(role=Role(role), content=content), item=item, content=node)


def _demo_range(turns: Sequence[_Turn]) -> tuple[int, int]:
    """Return which turns are examples: the pairs directly ahead of the last user message."""
    roles = [turn.message.role for turn in turns]
    users = [number for number, role in enumerate(roles) if role is Role.USER]
    end = users[-1] if users else len(turns)
    start = end
    while users and roles[max(start - 2, 0) : start] == [Role.USER, Role.ASSISTANT]:
        start -= 2
    return start, end


def _components(
    document: Document, messages: yaml.Node, turns: Sequence[_Turn]
) -> Iterator[Component]:
    start, end = _demo_range(turns)
    source = document.source
    seen: Counter[Role] = Counter()
    for number, turn in enumerate([*turns, None]):
        if number == end:
            first, last = _demos_span(document, messages, turns, (start, end))
            yield Component(
                name=DEMOS,
                kind=ComponentKind.DEMOS,
                role=Role.ASSISTANT,
                text=demos.to_text([turn.message for turn in turns[start:end]]),
                span=Span(start=source.byte(first), end=source.byte(last)),
                line=source.line(first),
            )
        if turn is None or start <= number < end:
            continue
        role = turn.message.role
        seen[role] += 1
        at = document.start(turn.content)
        yield Component(
            name=role.value if seen[role] == 1 else f"{role.value}_{seen[role]}",
            kind=ComponentKind.TEXT,
            role=role,
            text=turn.message.content,
            span=Span(start=source.byte(at), end=source.byte(document.end(turn.content))),
            line=source.line(at),
        )


def _demos_span(
    document: Document, messages: yaml.Node, turns: Sequence[_Turn], place: tuple[int, int]
) -> tuple[int, int]:
    """Return the lines of the examples, or the insertion point after the message before them."""
    start, end = place
    if is_flow(messages):
        stop = document.start(turns[end].item) if end < len(turns) else document.end(messages) - 1
        return (document.start(turns[start].item) if start < end else stop), stop
    if start < end:
        first = document.source.line_start(document.dash(turns[start].item))
        return first, document.source.line_end(document.end(turns[end - 1].item))
    if start:
        at = document.source.line_end(document.end(turns[start - 1].item))
    else:
        at = document.source.line_start(document.dash(turns[0].item))
    return at, at


def alternatives(prompt: Prompt, component: Component, text: str) -> Iterator[str]:
    """Yield what may stand in a component's span for a text, the most fitting first."""
    document = parse(decode(prompt.path, prompt.source))
    assert isinstance(document.root, yaml.MappingNode)
    messages = document.fields(document.root, "the file")["messages"][1]
    turns = _turns(document, {"messages": (messages, messages)})
    if component.kind is ComponentKind.DEMOS:
        yield from _demos_alternatives(document, messages, turns, text)
        return
    turn = next(
        turn
        for turn in turns
        if document.source.byte(document.start(turn.content)) == component.span.start
    )
    yield from notations(_place(document, turn), text)


def _place(document: Document, turn: _Turn) -> Place:
    node = turn.content
    source = document.source
    start = document.start(node)
    # Columns count from the dash's line: a mapping's own column, which is that of its first key.
    parent = turn.item.start_mark.column
    style = node.style or ""
    return Place(
        style=style,
        eol=source.eol,
        parent=parent,
        indent=document.block(node).indent if style in ("|", ">") else parent + 2,
        in_flow=is_flow(turn.item),
        raw=source.text[start : document.end(node)],
    )


def _demos_alternatives(
    document: Document, messages: yaml.Node, turns: Sequence[_Turn], text: str
) -> Iterator[str]:
    start, end = _demo_range(turns)
    old = turns[start:end]
    new = demos.from_text(text, document.source.path)
    _refuse_new_marks(document, old, new)
    if is_flow(messages):
        yield "".join(f"{{role: {m.role}, content: {double(m.content)}}}, " for m in new)
        return
    first, last = _demos_span(document, messages, turns, (start, end))
    same = demos.common_prefix([turn.message for turn in old], new)
    if same < len(old):
        last = document.source.line_start(document.dash(old[same].item))
    kept = document.source.text[first:last]
    style = demos.list_style(document, turns[min(end, len(turns) - 1)].item)
    added = [(("role", m.role.value), ("content", m.content)) for m in new[same:]]
    for all_quoted in (False, True):
        yield kept + style.write(added, all_quoted=all_quoted)


def _refuse_new_marks(document: Document, old: Sequence[_Turn], new: Sequence[Message]) -> None:
    known = {mark for turn in old for mark in placeholders(turn.message.content)}
    for number, message in enumerate(new, start=1):
        for mark in placeholders(message.content):
            if mark not in known:
                raise PromptError(
                    f"turn {number} of the examples holds '{mark}', which would be filled in",
                    path=document.source.path,
                    hint="leave this example out: the format has no way to write it literally",
                )
