"""Owns what one row of a suite may hold, whatever format it comes from."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.config.documents import DEEPEST
from gepa_ci.config.problems import Problems, known_names, nearest, shown
from gepa_ci.core.digests import canonical_json
from gepa_ci.core.suite import Example, Part
from gepa_ci.suites.normal import input_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON

KEYS = ("id", "inputs", "expected", "group", "weight", "tags", "part")
"""Keys of a row."""
MAX_BYTES = 2**20
"""Largest example, as JSON."""
_LONGEST_NAME = 200
_HEAVIEST = 1e12
_MISNOMERS = {
    "output": "expected",
    "answer": "expected",
    "label": "expected",
    "target": "expected",
    "split": "part",
    "cluster": "group",
}
_PART_NAMES = {
    "test": Part.HELD_OUT,
    "held-out": Part.HELD_OUT,
    "heldout": Part.HELD_OUT,
    "holdout": Part.HELD_OUT,
    "dev": Part.VAL,
    "validation": Part.VAL,
    "training": Part.TRAIN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An example as its file has it, before the suite is split."""

    example: Example
    part: Part | None = None
    """The part that the row itself asks for."""
    has_id: bool = True
    """Whether the id was given; if not, it comes from the inputs."""


def read_row(values: Mapping[str, JSON], line: int, problems: Problems) -> Row | None:
    """Return the row; None after reporting all that is wrong with it."""
    before = len(problems.found)
    if _is_too_deep(values):
        problems.add(line, f"nested more than {DEEPEST} levels deep", "flatten the example")
        return None
    for name in values:
        if name not in KEYS:
            problems.add(line, f"unknown key {shown(name)} in an example", _hint(name, values))
    inputs = _inputs(values, line, problems)
    given_id = _name("id", values, line, problems)
    group = _name("group", values, line, problems)
    weight = _weight(values.get("weight", 1.0), line, problems)
    tags = _tags(values.get("tags", ()), line, problems)
    part = _part(values.get("part"), line, problems)
    _check_text(values, line, problems)
    if len(problems.found) > before:
        return None
    example = Example(
        id=given_id or f"ex-{input_digest(inputs)[:10]}",
        inputs=inputs,
        expected=values.get("expected"),
        labelled="expected" in values,
        group=group,
        weight=weight,
        tags=tags,
        path=problems.path,
        line=line,
    )
    return Row(example=example, part=part, has_id=given_id is not None)


def _is_too_deep(value: JSON) -> bool:
    level: list[JSON] = [value]
    for _ in range(DEEPEST):
        inner: list[JSON] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list | tuple):
                inner += item
        if not inner:
            return False
        level = inner
    return True


def _hint(name: str, values: Mapping[str, JSON]) -> str:
    if "inputs" not in values and nearest(name, ("inputs",)) is None and name not in _MISNOMERS:
        return f"put what the prompt is filled with under 'inputs': {{\"{name}\": ...}}"
    if name in _MISNOMERS:
        return f"did you mean '{_MISNOMERS[name]}'? known keys: {', '.join(KEYS)}"
    return known_names(name, KEYS, "keys")


def _inputs(values: Mapping[str, JSON], line: int, problems: Problems) -> dict[str, JSON]:
    inputs = values.get("inputs")
    if isinstance(inputs, str):
        return {"input": inputs}
    if isinstance(inputs, dict) and inputs:
        return inputs
    hint = 'give a mapping from placeholder to value, as in "inputs": {"input": "..."}'
    if "inputs" not in values:
        problems.add(line, "the example has no 'inputs'", hint)
    elif inputs == {}:
        problems.add(line, "'inputs' is empty", hint)
    else:
        problems.add(line, f"{shown(canonical_json(inputs))} is not a value for 'inputs'", hint)
    return {}


def _name(key: str, values: Mapping[str, JSON], line: int, problems: Problems) -> str | None:
    value = values.get(key)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if (
        isinstance(value, str)
        and value.strip()
        and len(value) <= _LONGEST_NAME
        and not any(unicodedata.category(char).startswith("C") for char in value)
    ):
        return value
    hint = f"give a text of 1 to {_LONGEST_NAME} characters, with no control characters"
    problems.add(line, f"{shown(value)} is not a value for '{key}'", hint)
    return None


def _weight(value: JSON, line: int, problems: Problems) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 < value <= _HEAVIEST:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    message = f"{shown(value)} is not a value for 'weight'"
    problems.add(line, message, "give a number above 0, without quotes")
    return 1.0


def _tags(value: JSON, line: int, problems: Problems) -> tuple[str, ...]:
    tags = (value,) if isinstance(value, str) else value
    if isinstance(tags, list | tuple):
        texts = tuple(tag for tag in tags if isinstance(tag, str) and tag.strip())
        if len(texts) == len(tags):
            return tuple(dict.fromkeys(texts))
    message = f"{shown(canonical_json(value))} is not a value for 'tags'"
    problems.add(line, message, 'give a list of texts, as in ["long", "german"]')
    return ()


def _part(value: JSON, line: int, problems: Problems) -> Part | None:
    if value is None:
        return None
    names = tuple(part.value for part in Part)
    if value in names:
        return Part(value)
    text = value.lower().strip() if isinstance(value, str) else ""
    near = _PART_NAMES.get(text) or nearest(text, names)
    question = f"did you mean '{near}'? " if near else ""
    hint = f"{question}parts: {', '.join(names)}"
    problems.add(line, f"{shown(value)} is not a value for 'part'", hint)
    return None


def _check_text(values: Mapping[str, JSON], line: int, problems: Problems) -> None:
    try:
        size = len(canonical_json(values).encode())
    except UnicodeEncodeError as cause:
        code = f"U+{ord(cause.object[cause.start]):04X}"
        message = f"the example holds half of a character, '{code}'"
        problems.add(line, message, "write the character itself, or both of its \\u escapes")
        return
    if size > MAX_BYTES:
        message = f"the example has {size:,} bytes"
        problems.add(line, message, f"keep an example within {MAX_BYTES // 2**20} MiB")


def text_tags(cell: str) -> list[str]:
    """Return the tags of a table's cell, which are separated by commas or semicolons."""
    return [tag.strip() for tag in re.split(r"[;,]", cell) if tag.strip()]
