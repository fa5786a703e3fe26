"""Owns the keys of a task's program in the config."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from gepa_ci.config.documents import described, line_of
from gepa_ci.config.leaves import PATH_PATTERN, Leaf, integer, number, raw_text, safe_path, text
from gepa_ci.config.records import Fields, Key, Record
from gepa_ci.config.shapes import Listing, Mapped, OneOf
from gepa_ci.config.values import BAD
from gepa_ci.core.config import ProgramKind, ProgramSpec

if TYPE_CHECKING:
    from gepa_ci.config.problems import Problems

_TARGET = re.compile(r"^([^:]+\.py):[A-Za-z_][A-Za-z0-9_]*$")
_COMMAND_THREADS = 1
"""A process of a command answers one question at a time, unless the config says otherwise."""


@dataclass(frozen=True, slots=True)
class Words:
    """A command as a list of its words, of which some may be the same."""

    def fits(self, node: yaml.Node) -> bool:
        """Tell whether the node is of the kind that this shape reads."""
        return isinstance(node, yaml.SequenceNode)

    def read(self, node: yaml.Node, at: str, problems: Problems) -> object:
        """Return the words as a tuple."""
        if not isinstance(node, yaml.SequenceNode):
            message = f"{described(node)} is not a value for {at}"
            problems.add(line_of(node), message, "give a list, as in [node, programs/answer.js]")
            return BAD
        if not node.value:
            problems.add(line_of(node), f"{at} is empty", "name the command and its arguments")
            return BAD
        words = [_WORD.read(item, at, problems) for item in node.value]
        return BAD if BAD in words else tuple(words)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the list."""
        return {"type": "array", "items": _WORD.schema(), "minItems": 1}


_WORD = raw_text("a text")


def _target(value: object) -> object:
    found = _TARGET.search(value) if isinstance(value, str) else None
    if found is None or safe_path(found[1]) is BAD:
        return BAD
    return value


_PYTHON = Leaf(
    expects="path.py:object of this repository; a command is a list, as in [node, answer.js]",
    json={"type": "string", "allOf": [{"pattern": _TARGET.pattern}, {"pattern": PATH_PATTERN}]},
    accept=_target,
)

_SHORT = Leaf(
    expects="chat, path.py:object of this repository, or a command as a list",
    json={"anyOf": [{"const": ProgramKind.CHAT.value}, _PYTHON.schema()]},
    accept=lambda value: value if value == ProgramKind.CHAT.value else _target(value),
    names=(ProgramKind.CHAT.value,),
)


def _short(value: str, _: int) -> ProgramSpec:
    if value == ProgramKind.CHAT.value:
        return ProgramSpec()
    return ProgramSpec(kind=ProgramKind.PYTHON, target=value)


def _command(words: tuple[str, ...], _: int) -> ProgramSpec:
    return ProgramSpec(kind=ProgramKind.COMMAND, command=words, threads=_COMMAND_THREADS)


def _long(found: Fields) -> ProgramSpec:
    given = {name: value for name, value in found.values.items() if name != "python"}
    if "python" in found.values:
        return ProgramSpec(kind=ProgramKind.PYTHON, target=found.values["python"], **given)
    return ProgramSpec(kind=ProgramKind.COMMAND, **{"threads": _COMMAND_THREADS, **given})


_VARIABLE = text(
    "the name of an environment variable, never a value",
    r"^[A-Za-z_][A-Za-z0-9_]*$",
    is_secret=True,
)

_SETTINGS = Record(
    about="a program",
    build=_long,
    of=ProgramSpec,
    exclusive=(("python", "command"),),
    any_of=("python", "command"),
    misnomers={
        "env": "did you mean 'environment'? It takes names of variables",
        "args": "write them into 'command', as in [node, answer.js, --fast]",
        "cmd": "did you mean 'command'?",
        "workers": "did you mean 'processes'?",
    },
    keys=(
        Key("python", _PYTHON, "`path.py:object`: a function, or what makes a dspy.Module."),
        Key("command", Words(), "A command and its arguments; it speaks lines of JSON."),
        Key(
            "environment",
            Listing(_VARIABLE),
            "Names of the environment variables that it is given.",
        ),
        Key("timeout", number(0, 86_400, above=True), "Seconds for one run of one example."),
        Key("processes", integer(1, 256), "Most processes side by side."),
        Key(
            "threads",
            integer(1, 256),
            "Runs at once in one process; 1 for a command unless this says otherwise.",
        ),
    ),
)

PROGRAM = OneOf(
    (Mapped(_SHORT, _short), Mapped(Words(), _command), _SETTINGS),
    "path.py:object, a command as a list, or a mapping with the key python or command",
)
"""What turns prompts and inputs into an output."""
