"""Owns what is taken out of a result before anybody may post it: the texts of examples."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from gepa_ci.core.score import ModelFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

    from gepa_ci.core.values import JSON

    _Side: TypeAlias = list[tuple[str, int]]

TEXT_FIELDS = ("inputs", "expected", "outputs", "feedback")
"""Fields of an example in a result that hold texts."""
HIDDEN = "[text of an example, not shown]"
"""What stands in a diff for a line that repeats an example."""
TOO_LONG = "\\ The rest of the changes is too long to be shown."
"""What stands in a diff for what was not searched for texts of examples."""
MOST_WORDS = 200_000
"""Words of all changes of a task that are searched; thousands of pages are no prompt."""

_FAILURES = frozenset(ModelFailure)
_QUOTED = ("stop_reason", "edits", "rejections")
_LONGEST_RUN = 8
# Labels of fewer words are often listed in the prompt itself, whose diff has to stay readable.
_SHORTEST_INPUT = 4
_HEADER_LINES = 2
_WORD = re.compile(r"\w+")
_SIDES = (" -", " +")
_SIGNS = frozenset(" -+")
_LONGEST_WORD = 20


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
    return hide_in_diffs([diff], inputs, answers)[0]


def hide_in_diffs(
    diffs: Sequence[str], inputs: Iterable[str], answers: Iterable[str] = ()
) -> list[str]:
    """Replace the lines of unified diffs that repeat a run of words of an example.

    What is beyond the words that are searched is left out, as it may repeat one too.
    """
    return [
        "\n".join([*shown, TOO_LONG] if left_out else shown)
        for shown, left_out in _searched([diff.split("\n") for diff in diffs], inputs, answers)
    ]


def _searched(
    diffs: Sequence[Sequence[str]], inputs: Iterable[str], answers: Iterable[str]
) -> list[tuple[list[str], int]]:
    """Return the searched lines of each diff, hidden where needed, and how many there are more."""
    left = MOST_WORDS
    kept: list[list[str]] = []
    sides: list[list[_Side]] = []
    for lines in diffs:
        numbered = list(_within(lines, left))
        left -= sum(len(words) for _, words in numbered)
        kept.append(list(lines[: len(numbered)]))
        sides.append([_side(numbered, mark) for mark in _SIDES])
    hidden = _hidden(sides, inputs, answers)
    return [
        (
            [f"{line[0]}{HIDDEN}" if n in found else line for n, line in enumerate(lines)],
            len(whole) - len(lines),
        )
        for lines, found, whole in zip(kept, hidden, diffs, strict=True)
    ]


def _within(lines: Sequence[str], most: int) -> Iterator[tuple[str, list[str]]]:
    """Yield the sign and words of each line until there are more words than may be searched."""
    for number, line in enumerate(lines):
        is_text = number >= _HEADER_LINES and line[:1] in _SIGNS
        # Finding the words of a line that is far too long would take long by itself.
        if is_text and len(line) > _LONGEST_WORD * most:
            return
        words = _words(line[1:]) if is_text else []
        most -= len(words)
        if most < 0:
            return
        yield (line[0] if is_text else ""), words


def _side(numbered: Sequence[tuple[str, list[str]]], mark: str) -> _Side:
    """Return the words on one side of a diff, each with the number of its line."""
    return [
        (word, number)
        for number, (sign, words) in enumerate(numbered)
        if sign and sign in mark
        for word in words
    ]


def _hidden(
    sides: Sequence[Sequence[_Side]], inputs: Iterable[str], answers: Iterable[str]
) -> list[set[int]]:
    """Return for each diff the numbers of the lines that repeat a run of words."""
    # A suite is far longer than a diff, so only what the diffs hold is remembered of it.
    known = {word for both in sides for side in both for word, _ in side}
    # By their hashes, as a large suite has millions; one that collides hides a line too many.
    runs: dict[int, set[int]] = {}
    for texts, shortest in ((inputs, _SHORTEST_INPUT), (answers, _LONGEST_RUN)):
        for text in texts:
            for run in _runs(text, shortest, known):
                runs.setdefault(len(run), set()).add(hash(run))
    return [
        {
            number
            for side in both
            for length, wanted in runs.items()
            for start in _places(side, length, wanted)
            for _, number in side[start : start + length]
        }
        for both in sides
    ]


def _task(task: Mapping[str, JSON]) -> JSON:
    examples = task.get("examples")
    inputs = set(_texts_of(examples, "inputs"))
    answers = set(_texts_of(examples, "expected"))
    changes = task.get("changes")
    diffs = list(dict.fromkeys(_diffs(changes))) if inputs | answers else []
    shown = dict(zip(diffs, hide_in_diffs(diffs, inputs, answers), strict=True))

    def change(fields: Mapping[str, JSON]) -> JSON:
        diff = fields.get("diff")
        return {**fields, "diff": shown.get(diff, diff)} if isinstance(diff, str) else fields

    return {
        **task,
        **_search(task.get("optimization"), inputs, answers),
        "examples": _each(examples, _bare),
        "changes": _each(changes, change),
    }


def _search(optimization: JSON, inputs: set[str], answers: set[str]) -> dict[str, JSON]:
    """Return a search without outputs, and without what repeats an example in anything it tells."""
    if not isinstance(optimization, Mapping):
        return {}
    # What reports quote comes first, as the search ends after so many words; then whole prompts.
    shown_first = {key: optimization.get(key) for key in _QUOTED}
    rest = {**shown_first, **optimization, "best_outputs": []}
    told = list(dict.fromkeys(_strings(rest)))
    # One diff of all of them: a suite is long, and is gone through once.
    lines = ["", "", *(f"+{' '.join(text.split())}" for text in told)]
    ((shown, _),) = _searched([lines], inputs, answers)
    hidden = {
        text
        for number, text in enumerate(told, _HEADER_LINES)
        if number >= len(shown) or shown[number] == f"+{HIDDEN}"
    }
    cleaned = {key: _replaced(value, hidden) for key, value in optimization.items()}
    return {"optimization": {**cleaned, "best_outputs": []}}


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


def _runs(text: str, shortest: int, known: Container[str]) -> Iterator[tuple[str, ...]]:
    """Yield the runs of words of a text of which every word is known."""
    words = _words(text)
    length = min(len(words), _LONGEST_RUN)
    if length < shortest:
        return
    stretch = 0
    for end, word in enumerate(words, 1):
        stretch = stretch + 1 if word in known else 0
        if stretch >= length:
            yield tuple(words[end - length : end])


def _places(numbered: _Side, length: int, wanted: Container[int]) -> Iterator[int]:
    """Yield where a run of so many words starts whose hash is wanted."""
    words = [word for word, _ in numbered]
    shifted = (words[start:] for start in range(length))
    for place, run in enumerate(zip(*shifted, strict=False)):
        if hash(run) in wanted:
            yield place


def _diffs(changes: JSON) -> Iterator[str]:
    if isinstance(changes, Sequence) and not isinstance(changes, str):
        for change in changes:
            if isinstance(change, Mapping) and isinstance(diff := change.get("diff"), str):
                yield diff
