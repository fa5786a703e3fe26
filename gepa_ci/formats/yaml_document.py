"""Owns reading YAML as nodes that know their place, with bounds on what a hostile file can cost."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from gepa_ci.errors import Problem, PromptError
from gepa_ci.formats.source import BREAK, Source, is_sendable
from gepa_ci.formats.yaml_loader import FLOAT, INT, MAX_DEPTH, TAG, Loader

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON

_MAX_NODES = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Where the parts of a block scalar stand."""

    header_end: int
    """Offset of the line break after `|` or `>`, its indicators and its comment."""
    end: int
    """Offset after the last line that belongs to the text."""
    indent: int
    """Columns that are not part of the text."""
    parent: int
    """Column of the collection around it, which an indentation indicator counts from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A YAML document in a file, or in a part of one, and the problems found in it so far."""

    source: Source
    root: yaml.Node | None
    base: int
    """Offset in the file of the part that was parsed."""
    aliases: tuple[int, ...]
    """Where aliases stand."""
    properties: tuple[int, ...]
    """Where nodes with an anchor or a tag start."""
    dashes: tuple[int, ...]
    """Where items of block lists start."""
    block_parents: dict[int, int]
    problems: list[Problem] = field(default_factory=list)

    def start(self, node: yaml.Node) -> int:
        """Return the offset of a node's first character."""
        return int(node.start_mark.index) + self.base

    def line(self, node: yaml.Node) -> int:
        """Return the 1-based line on which a node starts."""
        return self.source.line(self.start(node))

    def problem(self, message: str, node: yaml.Node | None = None, hint: str | None = None) -> None:
        """Note a problem at a node, or of the file."""
        line = None if node is None else self.line(node)
        self.problems.append(Problem(message=message, path=self.source.path, line=line, hint=hint))

    def end(self, node: yaml.Node) -> int:
        """Return the offset after a node's last character, without the comments that follow."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last: Any = node.value[-1]
            return self.end(last[1] if isinstance(last, tuple) else last)
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            return self.block(node).end
        return int(node.end_mark.index) + self.base

    def block(self, node: yaml.ScalarNode) -> Block:
        """Return the parts of a block scalar."""
        text, start = self.source.text, self.start(node)
        stop = int(node.end_mark.index) + self.base
        parent = self.block_parents[start]
        header_end, header_stop = _next_line(text, start, stop)
        found = re.match(r"[|>][-+]?([1-9])?([-+])?", text[start:header_end])
        indicator, keeps = (found[1], "+" in found[0]) if found else (None, False)
        lines, at = [], header_stop
        while at < stop:
            line_stop, following = _next_line(text, at, stop)
            lines.append((text[at:line_stop], following))
            at = following
        indent = _indent([line for line, _ in lines], parent, indicator)
        ends = [following for line, following in lines if line[indent:]]
        end = stop if keeps else ends[-1] if ends else header_stop
        return Block(header_end=header_end, end=end, indent=indent, parent=max(parent, 0))

    def dash(self, node: yaml.Node) -> int:
        """Return the offset of the dash of an item of a block list."""
        return self.dashes[bisect_right(self.dashes, self.start(node)) - 1]

    def linked(self, node: yaml.Node) -> int | None:
        """Return the line of the first alias, anchor or tag on a node or in it, if there is any."""
        start, end = self.start(node), int(node.end_mark.index) + self.base
        found = [at for at in (*self.aliases, *self.properties) if start <= at < end]
        return self.source.line(min(found)) if found else None

    def fields(self, node: yaml.Node, what: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return key and value nodes by key; a problem when the node is not a mapping."""
        if not isinstance(node, yaml.MappingNode):
            self.problem(f"{what} must be a mapping, and is {kind(node)}", node)
            return {}
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.problem(f"a key of {what} is {kind(key)}", key, "write keys as text")
            elif key.value == "<<" and not key.style:
                self.problem(f"{what} has a merge key '<<'", key, "write the values out")
            elif key.value in found:
                self.problem(f"{what} has the key '{key.value}' twice", key, "remove one of them")
            else:
                found[key.value] = (key, value)
        return found

    def items(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        """Return the nodes of a list; a problem when the node is not a list."""
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        self.problem(f"{what} must be a list, and is {kind(node)}", node)
        return []

    def string(self, node: yaml.Node, what: str) -> str:
        """Return a scalar as it is written; a problem when there is none."""
        if not isinstance(node, yaml.ScalarNode) or node.tag == f"{TAG}null":
            self.problem(f"{what} must be text, and is {kind(node)}", node, 'write "" for no text')
        elif not is_sendable(node.value):
            hint = "write the character itself"
            self.problem(f"{what} holds half of a surrogate pair", node, hint)
        else:
            return str(node.value)
        return ""

    def json(self, node: yaml.Node, what: str) -> JSON:
        """Return a node's value; a problem when JSON has none like it, or it is endless."""
        budget = [_MAX_NODES]
        return self._json(node, what, budget, 0)

    def _json(self, node: yaml.Node, what: str, budget: list[int], level: int) -> JSON:
        budget[0] -= 1
        if budget[0] < 0 or level > MAX_DEPTH:
            # Once is enough, whatever the number of aliases that lead here.
            if budget[0] > -_MAX_NODES:
                self.problem(f"aliases make {what} too large", node, "write the values out")
            budget[0] = -_MAX_NODES
            return None
        if isinstance(node, yaml.MappingNode):
            fields = self.fields(node, what)
            return {k: self._json(v, what, budget, level + 1) for k, (_, v) in fields.items()}
        if isinstance(node, yaml.SequenceNode):
            return [self._json(item, what, budget, level + 1) for item in node.value]
        return self._scalar(node, what)

    def _scalar(self, node: yaml.Node, what: str) -> JSON:
        text = str(node.value)
        match node.tag.removeprefix(TAG):
            case "null":
                return None
            case "bool" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "int" if INT.fullmatch(text):
                return self._number(node, what)
            case "float" if FLOAT.fullmatch(text):
                return self._number(node, what)
            case "str":
                return self.string(node, what)
        self.problem(f"{what} has the tag '{node.tag}', which is not supported here", node)
        return None

    def _number(self, node: yaml.Node, what: str) -> JSON:
        text = str(node.value)
        try:
            value = int(text, 0) if INT.fullmatch(text) else float(text.replace(".inf", "inf"))
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value
        self.problem(f"{what} has the number '{text[:40]}', which JSON cannot hold", node)
        return None


def parse(source: Source, start: int = 0, end: int | None = None) -> Document:
    """Read the YAML between two offsets; a PromptError says where it is broken."""
    loader: Loader | None = None
    try:
        loader = Loader(source.text[start:end])
        root = loader.get_single_node()
    except yaml.reader.ReaderError as cause:
        raise PromptError(
            f"the character 'U+{ord_of(cause.character):04X}' is not allowed in YAML",
            path=source.path,
            line=source.line(start + cause.position),
            hint='write it as an escape in double quotes, such as "\\x00"',
        ) from cause
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        at = start + (mark.index if mark else 0)
        said = cause.problem or cause.context or "broken"
        raise PromptError(
            f"not valid YAML: {said}", path=source.path, line=source.line(at)
        ) from cause
    except (ValueError, OverflowError, IndexError) as cause:
        # PyYAML lets these out for escapes such as "\UFFFFFFFF", and for directives cut short.
        at = start + (loader.index if loader else 0)
        raise PromptError("not valid YAML", path=source.path, line=source.line(at)) from cause
    return Document(
        source=source,
        root=root,
        base=start,
        aliases=tuple(at + start for at in loader.aliases),
        properties=tuple(at + start for at in loader.properties),
        dashes=tuple(at + start for at in loader.dashes),
        block_parents={at + start: indent for at, indent in loader.block_parents.items()},
    )


def kind(node: yaml.Node) -> str:
    """Return what a node is, in words."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "empty" if node.tag == f"{TAG}null" else f"'{str(node.value)[:40]}'"


def is_flow(node: yaml.Node) -> bool:
    """Return whether a list or mapping is written in brackets or braces."""
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def ord_of(character: int | str | bytes) -> int:
    """Return the code point that PyYAML reports in one of several types."""
    return character if isinstance(character, int) else ord(character)


def _next_line(text: str, start: int, stop: int) -> tuple[int, int]:
    """Return where the line ends without and with its line break."""
    found = BREAK.search(text, start, stop)
    return found.span() if found else (stop, stop)


def _indent(lines: list[str], parent: int, indicator: str | None) -> int:
    least = max(parent + 1, 1)
    if indicator is not None:
        return least + int(indicator) - 1
    widest = 0
    for line in lines:
        spaces = len(line) - len(line.lstrip(" "))
        widest = max(widest, spaces)
        if line.strip(" "):
            break
    return max(least, widest)
