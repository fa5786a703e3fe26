"""Owns the safe way from the bytes of a file to text and to YAML nodes that know their lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from gepa_ci.config.problems import Problems, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gepa_ci.errors import GepaCiError

LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEEPEST = 50
"""Levels of nesting, aliases counted as what they stand for."""
MOST_ALIASED = 100_000
"""Nodes that aliases may add to a file, against documents that double with every line."""


def decode(source: bytes, *, path: str, limit: int, error: type[GepaCiError]) -> str:
    """Return the text of a UTF-8 file, with or without byte order mark."""
    if len(source) > limit:
        size = f"{len(source):,} bytes"
        raise error(f"the file has {size}", path=path, hint=f"keep it within {limit // 2**20} MiB")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = source.count(b"\n", 0, cause.start) + 1
        byte = f"0x{source[cause.start]:02x}"
        raise error(
            f"byte '{byte}' is not UTF-8", path=path, line=line, hint="save the file as UTF-8"
        ) from cause


def compose(text: str, *, path: str, error: type[GepaCiError]) -> yaml.Node | None:
    """Return the node tree of a YAML document; None when the file says nothing."""
    problems = Problems(path)
    try:
        _guard(text, problems)
        problems.raise_any(error)
        return yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        what = cause.problem or cause.context or "unreadable"
        message = f"not valid YAML at column {column}: {what}"
        raise error(message, path=path, line=line, hint=_advice(text, line, what)) from cause
    except yaml.reader.ReaderError as cause:
        raise error(
            f"the file holds the character '{_named(cause.character)}'",
            path=path,
            line=_line_of_control(text),
            hint="remove it: YAML allows no control characters",
        ) from cause


@dataclass(slots=True)
class _Part:
    """An open collection: how many nodes and levels it has so far."""

    anchor: str | None
    size: int = 1
    height: int = 0


def _guard(text: str, problems: Problems) -> None:
    # libyaml's composer recurses in C and would overflow the stack of the process; its parser
    # does not, so nesting and aliases are judged on the parser's events, before composing.
    anchors: dict[str, _Part] = {}
    stack = [_Part(None)]
    added = 0
    for event in yaml.parse(text, Loader=LOADER):
        line = 1 if event.start_mark is None else event.start_mark.line + 1
        if isinstance(event, yaml.CollectionEndEvent):
            done = stack.pop()
        elif isinstance(event, yaml.CollectionStartEvent):
            stack.append(_Part(event.anchor))
            if len(stack) > DEEPEST:
                problems.add(line, f"nested more than {DEEPEST} levels deep", "flatten the file")
                return
            continue
        elif isinstance(event, yaml.AliasEvent):
            name = event.anchor or ""
            target = anchors.get(name)
            if target is None:
                message = f"alias {shown('*' + name)} stands for nothing before it"
                problems.add(line, message, f"define '&{name}' above this line")
                return
            done = _Part(None, target.size, target.height)
            added += target.size
        elif isinstance(event, yaml.ScalarEvent):
            done = _Part(event.anchor)
        else:
            continue
        if done.anchor is not None:
            anchors[done.anchor] = done
        parent = stack[-1]
        parent.size += done.size
        parent.height = max(parent.height, done.height + 1)
        if added > MOST_ALIASED or parent.height + len(stack) > DEEPEST + 1:
            problems.add(line, "aliases make the file too large", "write the values out")
            return


def _advice(text: str, line: int, what: str) -> str:
    lines = text.splitlines()
    here = lines[line - 1] if line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())]:
        return "indent with spaces: YAML allows no tabs there"
    if "mapping values" in what:
        return "put quotes around a value that holds ': ', and check the indentation"
    if "cannot start any token" in what:
        return "put quotes around a value that begins with a special character"
    if "another document" in what:
        return "keep one document: remove the second '---'"
    return "check brackets, quotes and indentation here and on the line before"


def _named(character: int | str) -> str:
    return f"U+{character if isinstance(character, int) else ord(character):04X}"


def _line_of_control(text: str) -> int:
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    return 1 if found is None else text.count("\n", 0, found.start()) + 1


def line_of(node: yaml.Node) -> int:
    """Return the 1-based line on which a node starts."""
    return int(node.start_mark.line) + 1


def entries(
    node: yaml.MappingNode, problems: Problems
) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Yield key, key node and value node of a mapping, with `<<` merged in as YAML has it."""
    first: dict[str, yaml.Node] = {}
    merged: list[yaml.Node] = []
    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
        elif not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:null":
            problems.add(line_of(key), "a key must be a plain word", "give the key a name")
        elif key.value in first:
            where = line_of(first[key.value])
            message = f"{shown(key.value)} is given twice, here and on line {where}"
            problems.add(line_of(key), message, "keep one of the two")
        else:
            first[key.value] = key
            yield key.value, key, value
    for other in merged:
        if not isinstance(other, yaml.MappingNode):
            message = f"'<<' cannot merge {described(other)}"
            problems.add(
                line_of(other), message, "give it an alias of a mapping, as in '<<: *name'"
            )
            continue
        for name, key, value in entries(other, problems):
            if name not in first:
                first[name] = key
                yield name, key, value


def described(node: yaml.Node) -> str:
    """Return what a node holds, for a message: its value in quotes, or its kind."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, yaml.SequenceNode) else shown(node.value)
