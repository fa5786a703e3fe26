"""Owns how a task's suite comes about: files are read, rows placed in parts, leaks refused."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gepa_ci.config.problems import Problems, raise_all, shown
from gepa_ci.core.suite import Example, HeldOutSet, Part, Suite, TuningSet
from gepa_ci.errors import Problem, SuiteError
from gepa_ci.suites.files import TESTED, prompt_rows, raw_rows
from gepa_ci.suites.leaks import near_duplicates
from gepa_ci.suites.normal import hashed_part, input_digest
from gepa_ci.suites.rows import Row, read_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gepa_ci.core.config import SuiteSpec
    from gepa_ci.core.prompt import Prompt


_LISTED = 5
"""Pairs that a warning names."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """An example with the part it belongs to and the digest of its normalized inputs."""

    example: Example
    part: Part
    inputs: str


def read_examples(path: str, source: bytes, *, prompt: Prompt | None = None) -> tuple[Row, ...]:
    """Return the rows of a suite file; of a `.prompt.yml`, those of the prompt's testData.

    Raises:
        SuiteError: with all problems of the file, each with line and hint.
    """
    problems = Problems(path)
    if path.endswith(TESTED):
        if prompt is None:
            hint = "use it as the prompt of a task without a suite"
            raise SuiteError("the file is a prompt, not a suite", path=path, hint=hint)
        raw = prompt_rows(prompt)
    else:
        raw = raw_rows(path, source, problems)
    found = [read_row(values, line, problems) for line, values in raw]
    rows = _distinct_ids([row for row in found if row is not None])
    if not found and not problems.found:
        what = "the prompt has no testData" if prompt is not None else "the file has no examples"
        problems.add(1, what, "add at least one example with inputs and expected")
    _repeated_ids(rows, problems.found)
    problems.raise_any(SuiteError)
    return tuple(rows)


def _distinct_ids(rows: list[Row]) -> list[Row]:
    # Rows without an id and with equal inputs get the same id; the later ones are numbered.
    counts: defaultdict[str, int] = defaultdict(int)
    return [row if row.has_id else _numbered(row, counts) for row in rows]


def _numbered(row: Row, counts: defaultdict[str, int]) -> Row:
    name = row.example.id
    counts[name] += 1
    if counts[name] == 1:
        return row
    return replace(row, example=replace(row.example, id=f"{name}-{counts[name]}"))


def _repeated_ids(rows: Iterable[Row], found: list[Problem]) -> None:
    first: dict[str, Example] = {}
    for row in rows:
        example = row.example
        other = first.setdefault(example.id, example)
        if other is not example and (row.has_id or other.path == example.path):
            message = f"id {shown(example.id)} is there twice, the first time {_at(other, example)}"
            found.append(_problem(example, message, "give each example an id of its own"))


def load_suite(
    spec: SuiteSpec, read: Callable[[str], bytes], *, prompt: Prompt | None = None
) -> Suite:
    """Return the suite of a task, in three parts that share nothing.

    Args:
        spec: Where the examples are and how one file is split.
        read: Returns the bytes of a file, by its path relative to the root.
        prompt: The task's prompt, when its own testData is the suite.

    Raises:
        SuiteError: with all problems of all files of the suite.
    """
    found: list[Problem] = []
    files = part_files(spec)
    rows = [(row, part) for path, part in files for row in _rows(path, read, prompt, found)]
    return arrange(rows, spec, found)


def arrange(
    rows: Sequence[tuple[Row, Part | None]], spec: SuiteSpec, problems: Iterable[Problem] = ()
) -> Suite:
    """Return the suite that rows make up, each with the part that its file stands for, if any.

    Raises:
        SuiteError: with the problems given and all that keep the rows from being a suite.
    """
    found = list(problems)
    _repeated_ids((row for row, _ in rows), found)
    placed = [_place(row, part, spec, found) for row, part in rows]
    _split_groups(placed, found)
    warnings = _duplicates(placed, found)
    _near_duplicates(placed, spec.near_duplicates, found)
    raise_all(found, SuiteError)
    parts = {part: tuple(p.example for p in placed if p.part is part) for part in Part}
    return Suite(
        tuning=TuningSet(train=parts[Part.TRAIN], val=parts[Part.VAL]),
        held_out=HeldOutSet(examples=parts[Part.HELD_OUT]),
        warnings=(*warnings, *_empty_parts(parts)),
    )


def part_files(spec: SuiteSpec) -> list[tuple[str, Part | None]]:
    """Return the files of a suite, each with the part that it stands for; None for one of all."""
    files = [
        (spec.file, None),
        (spec.train, Part.TRAIN),
        (spec.val, Part.VAL),
        (spec.held_out, Part.HELD_OUT),
    ]
    return [(path, part) for path, part in files if path is not None]


def _rows(
    path: str, read: Callable[[str], bytes], prompt: Prompt | None, found: list[Problem]
) -> tuple[Row, ...]:
    try:
        return read_examples(path, read(path), prompt=prompt)
    except SuiteError as error:
        found += error.problems
    except OSError as cause:
        reason = (cause.strerror or str(cause)).lower()
        hint = "correct the path, which is relative to the repository's root"
        found.append(Problem(message=f"cannot read the suite: {reason}", path=path, hint=hint))
    return ()


def _place(row: Row, part: Part | None, spec: SuiteSpec, found: list[Problem]) -> _Placed:
    example = row.example
    inputs = input_digest(example.inputs)
    if part is not None and row.part not in (None, part):
        message = f"part '{row.part}' contradicts the file, which is {part}"
        found.append(_problem(example, message, "remove 'part', or move the row"))
    placed = part or row.part or hashed_part(example, inputs, spec.split)
    return _Placed(example, placed, inputs)


def _split_groups(placed: list[_Placed], found: list[Problem]) -> None:
    first: dict[str, _Placed] = {}
    for item in placed:
        group = item.example.group
        if group is None:
            continue
        other = first.setdefault(group, item)
        if other.part is not item.part:
            message = (
                f"group {shown(group)} is in two parts: {item.part} here and "
                f"{other.part} {_at(other.example, item.example)}"
            )
            hint = "give all examples of a group the same part, or none of them a part"
            found.append(_problem(item.example, message, hint))


def _duplicates(placed: list[_Placed], found: list[Problem]) -> list[str]:
    first: dict[tuple[str, Part], Example] = {}
    anywhere: dict[str, _Placed] = {}
    repeated: dict[Part, list[tuple[Example, Example]]] = {part: [] for part in Part}
    for item in placed:
        other = anywhere.setdefault(item.inputs, item)
        twin = first.setdefault((item.inputs, item.part), item.example)
        if twin is not item.example:
            repeated[item.part].append((twin, item.example))
        elif other.part is not item.part:
            message = (
                f"{item.part} example {shown(item.example.id)} has the same inputs as {other.part} "
                f"example {shown(other.example.id)} {_at(other.example, item.example)}"
            )
            found.append(_problem(item.example, message, _LEAK))
    return [sentence for part in Part for sentence in _repetitions(part, repeated[part])]


def _repetitions(part: Part, pairs: list[tuple[Example, Example]]) -> list[str]:
    result = []
    if pairs:
        what = "1 example repeats" if len(pairs) == 1 else f"{len(pairs)} examples repeat"
        result.append(f"In {part}, {what} the inputs of another: {_listed(pairs)}.")
    contrary = [pair for pair in pairs if _answer(pair[0]) != _answer(pair[1])]
    if contrary:
        result.append(
            f"In {part}, examples with the same inputs have different answers: {_listed(contrary)}."
        )
    return result


def _answer(example: Example) -> tuple[bool, object]:
    return example.labelled, example.expected


def _listed(pairs: list[tuple[Example, Example]]) -> str:
    shown_pairs = [f"{b.path}:{b.line} and {_at(a, b)[3:]}" for a, b in pairs[:_LISTED]]
    more = f" and {len(pairs) - _LISTED} more" if len(pairs) > _LISTED else ""
    return "; ".join(shown_pairs) + more


_LEAK = (
    "give both the same 'group', which keeps them in one part, or remove one: "
    "what the optimizer has seen proves nothing on held-out"
)


def _near_duplicates(placed: list[_Placed], threshold: float, found: list[Problem]) -> None:
    if threshold >= 1:
        return
    equal = defaultdict(set)
    for item in placed:
        equal[item.inputs].add(item.part)
    names = {id(item.example): item for item in placed}
    parts = [
        # Equal inputs in two parts have been reported already.
        [p.example for p in placed if p.part is part and len(equal[p.inputs]) == 1]
        for part in Part
    ]
    for pair in near_duplicates(parts, threshold):
        first, second = names[id(pair.first)], names[id(pair.second)]
        message = (
            f"{second.part} example {shown(pair.second.id)} is {pair.similarity:.0%} the same as "
            f"{first.part} example {shown(pair.first.id)} {_at(pair.first, pair.second)}"
        )
        found.append(_problem(pair.second, message, _LEAK))


def _empty_parts(parts: dict[Part, tuple[Example, ...]]) -> list[str]:
    needed = {
        Part.TRAIN: "nothing can be optimized",
        Part.VAL: "nothing can be optimized",
        Part.HELD_OUT: "there can be no verdict",
    }
    return [
        f"The part {part} has no examples, so {needed[part]}." for part in Part if not parts[part]
    ]


def _at(example: Example, near: Example) -> str:
    """Return where an example is, seen from another."""
    if example.path == near.path:
        return f"on line {example.line}"
    return f"at {example.path}:{example.line}"


def _problem(example: Example, message: str, hint: str) -> Problem:
    return Problem(message=message, path=example.path, line=example.line, hint=hint)
