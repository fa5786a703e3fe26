"""Owns what is taken out of a result before anybody may post it: the texts of examples."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

from gepa_ci.core.score import ModelFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gepa_ci.core.values import JSON

TEXT_FIELDS = ("inputs", "expected", "outputs", "feedback")
"""Fields of an example in a result that hold texts."""
HIDDEN = "[text of an example, not shown]"
"""What stands in a diff for a line that repeats an example."""

_FAILURES = frozenset(ModelFailure)
_LONGEST_RUN = 8
# Labels of fewer words are often listed in the prompt itself, whose diff has to stay readable.
_SHORTEST_INPUT = 4
_HEADER_LINES = 2
_WORD = re.compile(r"\w+")
_SIDES = (" -", " +")


def without_texts(document: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the result with example ids and scores, but without any text of an example.

    A prompt file may hold its own examples, so lines of a diff that repeat one are hidden too.
    """
    return {**document, "tasks": _each(document.get("tasks"), _task)}


def has_texts(document: Mapping[str, JSON]) -> bool:
    """Return whether every example of a result has its texts; a posted result has none."""
    tasks = document.get("tasks")
    nodes = tasks if isinstance(tasks, Sequence) and not isinstance(tasks, str) else ()
    examples = [
        example
        for task in nodes
        if isinstance(task, Mapping) and isinstance(found := task.get("examples"), Sequence)
        for example in found
    ]
    return all(isinstance(e, Mapping) and all(f in e for f in TEXT_FIELDS) for e in examples)


def hide_runs(diff: str, inputs: Iterable[str], answers: Iterable[str] = ()) -> str:
    """Replace the lines of a unified diff that repeat a run of words of an example."""
    lines = diff.split("\n")
    sides = [_numbered_words(lines, side) for side in _SIDES]
    # A suite is far longer than a diff, so only what the diff holds is remembered of it.
    present = {run for side in sides for run, _ in _windows(side)}
    runs = {run for text in inputs for run in _runs(text, _SHORTEST_INPUT) if run in present}
    runs |= {run for text in answers for run in _runs(text, _LONGEST_RUN) if run in present}
    hidden = {
        number
        for side in sides
        for run, start in _windows(side)
        if run in runs
        for _, number in side[start : start + len(run)]
    }
    return "\n".join(
        f"{line[0]}{HIDDEN}" if number in hidden else line for number, line in enumerate(lines)
    )


def _task(task: Mapping[str, JSON]) -> JSON:
    examples = task.get("examples")
    inputs = set(_texts_of(examples, "inputs"))
    answers = set(_texts_of(examples, "expected"))

    def change(fields: Mapping[str, JSON]) -> JSON:
        diff = fields.get("diff")
        if not isinstance(diff, str) or not inputs | answers:
            return fields
        return {**fields, "diff": hide_runs(diff, inputs, answers)}

    return {
        **task,
        **_search(task.get("optimization"), inputs, answers),
        "examples": _each(examples, _bare),
        "changes": _each(task.get("changes"), change),
    }


def _search(optimization: JSON, inputs: set[str], answers: set[str]) -> dict[str, JSON]:
    """Return a search without outputs, and without what in its edits repeats an example."""
    if not isinstance(optimization, Mapping):
        return {}
    told = list(dict.fromkeys(_strings(optimization.get("edits"))))
    # One diff of all of them: a suite is long, and is gone through once.
    lines = [f"+{' '.join(text.split())}" for text in told]
    shown = hide_runs("\n".join(["", "", *lines]), inputs, answers).split("\n")[_HEADER_LINES:]
    hidden = {text for text, line in zip(told, shown, strict=True) if line == f"+{HIDDEN}"}
    edits = _replaced(optimization.get("edits"), hidden)
    return {"optimization": {**optimization, "edits": edits, "best_outputs": []}}


def _replaced(value: JSON, hidden: set[str]) -> JSON:
    if isinstance(value, str):
        return HIDDEN if value in hidden else value
    if isinstance(value, Mapping):
        return {key: _replaced(item, hidden) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_replaced(item, hidden) for item in value]
    return value


def _bare(example: Mapping[str, JSON]) -> JSON:
    bare = {key: value for key, value in example.items() if key not in TEXT_FIELDS}
    return bare | {"failures": _known(bare["failures"])} if "failures" in bare else bare


def _known(value: JSON) -> JSON:
    """Return how models failed in words of ours: a result may have been written by anybody."""
    if isinstance(value, Mapping):
        return {key: _known(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_known(item) for item in value]
    return value if value in _FAILURES else None


def _each(value: JSON, change: Callable[[Mapping[str, JSON]], JSON]) -> JSON:
    """Change the objects of a list; whatever has another shape is the reader's to complain of."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    return [change(item) if isinstance(item, Mapping) else item for item in value]


def _texts_of(examples: JSON, field: str) -> Iterator[str]:
    if isinstance(examples, Sequence):
        for example in examples:
            if isinstance(example, Mapping):
                yield from _strings(example.get(field))


def _strings(value: JSON) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _strings(item)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _runs(text: str, shortest: int) -> Iterator[tuple[str, ...]]:
    words = _words(text)
    length = min(len(words), _LONGEST_RUN)
    if length >= shortest:
        for start in range(len(words) - length + 1):
            yield tuple(words[start : start + length])


def _numbered_words(lines: list[str], side: str) -> list[tuple[str, int]]:
    """Return the words on one side of the diff, each with the number of its line."""
    return [
        (word, number)
        for number, line in enumerate(lines)
        if number >= _HEADER_LINES and line and line[0] in side
        for word in _words(line[1:])
    ]


def _windows(numbered: list[tuple[str, int]]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield every run of words with the place where it starts."""
    words = [word for word, _ in numbered]
    for length in range(_SHORTEST_INPUT, _LONGEST_RUN + 1):
        shifted = (words[start:] for start in range(length))
        yield from zip(zip(*shifted, strict=False), count(), strict=False)
