"""Owns renewing a held-out set: which examples retire, what the files say then, and the checks."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from gepa_ci.config.problems import raise_all
from gepa_ci.core.digests import canonical_json
from gepa_ci.core.suite import HeldOutSet, Part, Suite, TuningSet
from gepa_ci.errors import GepaCiError, Problem, SuiteError
from gepa_ci.suites.edits import Edit
from gepa_ci.suites.files import TESTED
from gepa_ci.suites.load import arrange, part_files, read_examples
from gepa_ci.suites.normal import input_digest
from gepa_ci.suites.rewriting import additions, rewritten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gepa_ci.core.config import SuiteSpec
    from gepa_ci.core.suite import Example
    from gepa_ci.suites.rows import Row

T = TypeVar("T")

FEWEST = 20
"""New examples below which there is a warning: no verdict but a regression is possible then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """A renewed held-out set that passed all checks, and the files that hold it."""

    files: Mapping[str, bytes]
    """New content by path."""
    old: Mapping[str, bytes]
    """What it was worked out from."""
    before: Suite
    after: Suite
    """Its examples are placed where they come from."""
    retired: tuple[Example, ...]
    kept: tuple[Example, ...]
    added: tuple[Example, ...]
    retired_to: Part
    warnings: tuple[str, ...]
    """Finished sentences."""


def plan_refresh(
    spec: SuiteSpec,
    read: Callable[[str], bytes],
    new: str,
    *,
    retire_to: Part = Part.TRAIN,
    keep: int = 0,
    fits: Callable[[Suite], Sequence[str]] = lambda _: (),
) -> Refresh:
    """Work out how the examples of a file become the held-out part; nothing is written.

    Args:
        spec: Where the examples are.
        read: Returns the bytes of a file, by its path relative to the root.
        new: Path of the file whose examples become held-out.
        retire_to: The part that the old held-out examples go to.
        keep: How many of them stay, chosen by hash; a group stays whole or not at all.
        fits: Checks what a suite alone does not know, on a suite of the new examples; returns
            warnings, or raises a GepaCiError.

    Raises:
        SuiteError: with all problems that were found.
    """
    _refuse(spec, new, retire_to)
    sources, rows = _read_all(spec, read, new)
    before = _arranged(spec, rows)
    _refuse_again(before.held_out.examples, rows[new], new)
    kept = _kept(before.held_out.examples, rows[new], keep)
    held = {id(example) for example in before.held_out.examples}
    home = _path_of(spec, Part.HELD_OUT)
    retired = {
        number: row
        for number, row in enumerate(rows[home])
        if id(row.example) in held and id(row.example) not in kept
    }
    edits, planned = _moves(spec, sources, rows, retired, new=new, retire_to=retire_to)
    problems: list[Problem] = []
    warnings = _noting(problems, lambda: fits(_only(rows[new])))
    after = _noting(problems, lambda: _arranged(spec, {**rows, **planned}))
    files = {
        path: rewritten(path, sources[path], edit, planned[path], problems)
        for path, edit in edits.items()
    }
    raise_all(problems, SuiteError)
    assert after is not None
    assert warnings is not None
    return Refresh(
        files=files,
        old={path: sources[path] for path in files},
        before=before,
        after=after,
        retired=tuple(row.example for row in retired.values()),
        kept=tuple(each for each in before.held_out.examples if id(each) in kept),
        added=tuple(row.example for row in rows[new]),
        retired_to=retire_to,
        warnings=(*after.warnings, *warnings, *_few(len(rows[new]))),
    )


def _arranged(spec: SuiteSpec, rows: Mapping[str, Sequence[Row]]) -> Suite:
    return arrange([(row, part) for path, part in part_files(spec) for row in rows[path]], spec)


def _only(rows: Sequence[Row]) -> Suite:
    held_out = HeldOutSet(examples=tuple(row.example for row in rows))
    return Suite(tuning=TuningSet(train=(), val=()), held_out=held_out)


def _noting(problems: list[Problem], step: Callable[[], T]) -> T | None:
    try:
        return step()
    except GepaCiError as error:
        problems += error.problems
        return None


def _path_of(spec: SuiteSpec, part: Part) -> str:
    """Return the file that holds the examples of a part."""
    return next(path for path, its in part_files(spec) if its in (None, part))


def _moves(
    spec: SuiteSpec,
    sources: Mapping[str, bytes],
    rows: Mapping[str, Sequence[Row]],
    retired: Mapping[int, Row],
    *,
    new: str,
    retire_to: Part,
) -> tuple[dict[str, Edit], dict[str, list[Row]]]:
    """Return what is changed in each file, and the rows that it must hold then."""
    home, target = _path_of(spec, Part.HELD_OUT), _path_of(spec, retire_to)
    if home == target:
        entering = [replace(row, part=Part.HELD_OUT) for row in rows[new]]
        edits = {
            home: Edit(
                path=home,
                parts=dict.fromkeys(retired, retire_to),
                add=tuple(additions(new, home, sources[new], list(enumerate(entering)))),
            )
        }
        marked = [
            replace(row, part=retire_to) if number in retired else row
            for number, row in enumerate(rows[home])
        ]
        return edits, {home: [*marked, *entering]}
    # A row that names its part must name the new one; the others leave that to their file.
    moved = [
        (number, replace(row, part=None if row.part is None else retire_to))
        for number, row in retired.items()
    ]
    entering = list(rows[new])
    edits = {
        target: Edit(path=target, add=tuple(additions(home, target, sources[home], moved))),
        home: Edit(
            path=home,
            drop=frozenset(retired),
            add=tuple(additions(new, home, sources[new], list(enumerate(entering)))),
        ),
    }
    staying = [row for number, row in enumerate(rows[home]) if number not in retired]
    return edits, {
        target: [*rows[target], *(row for _, row in moved)],
        home: [*staying, *entering],
    }


def _refuse(spec: SuiteSpec, new: str, retire_to: Part) -> None:
    found = []
    if spec.file is not None and spec.file.endswith(TESTED):
        found.append(
            Problem(
                message="the suite is the prompt file's own testData, which has no parts to renew",
                path=spec.file,
                hint="move the examples to a file of their own, and name it as the task's `suite`",
            )
        )
    if new in spec.files:
        found.append(
            Problem(
                message="the file is part of the suite already",
                path=new,
                hint="put the new examples into a file of their own",
            )
        )
    files = {part: path for path, part in part_files(spec)}
    if spec.file is None:
        found += [
            Problem(
                message=f"the suite has no file for the part {part.value}",
                hint=f"name one in the config, as in `suite: {{{part.value}: FILE}}`",
            )
            for part in (retire_to, Part.HELD_OUT)
            if part not in files
        ]
    raise_all(found, SuiteError)


def _read_all(
    spec: SuiteSpec, read: Callable[[str], bytes], new: str
) -> tuple[dict[str, bytes], dict[str, tuple[Row, ...]]]:
    sources: dict[str, bytes] = {}
    rows: dict[str, tuple[Row, ...]] = {}
    problems: list[Problem] = []
    for path in (*spec.files, new):
        sources[path] = read(path)
        try:
            rows[path] = read_examples(path, sources[path])
        except SuiteError as error:
            problems += error.problems
    for row in rows.get(new, ()):
        if row.part not in (None, Part.HELD_OUT):
            problems.append(
                Problem(
                    message=f"the row asks for the part '{row.part}', but it becomes held-out",
                    path=new,
                    line=row.example.line,
                    hint="remove 'part', or the row",
                )
            )
    raise_all(problems, SuiteError)
    return sources, rows


def _refuse_again(old: Sequence[Example], new: Sequence[Row], path: str) -> None:
    known = {example.digest for example in old}
    if all(row.example.digest in known for row in new):
        raise SuiteError(
            "all examples of the file are held-out already",
            path=path,
            hint="the suite was renewed with them before; bring others",
        )


def _kept(old: Sequence[Example], new: Sequence[Row], keep: int) -> set[int]:
    """Return the identities of old examples that stay, by the hash of their group or inputs."""
    if keep <= 0:
        return set()
    if keep >= len(old):
        raise SuiteError(
            f"{keep} held-out examples cannot be kept: there are {len(old)}, and some must retire",
            hint="keep fewer; to add examples and retire none, write them into the suite file",
        )
    # The new examples are part of the hash: the same old ones must not stay every time.
    salt = canonical_json(sorted(row.example.digest for row in new))
    units: defaultdict[str, list[Example]] = defaultdict(list)
    for example in old:
        name = input_digest(example.inputs) if example.group is None else f"group:{example.group}"
        units[hashlib.sha256(f"{salt} {name}".encode()).hexdigest()].append(example)
    kept: set[int] = set()
    for _, examples in sorted(units.items(), key=lambda unit: unit[0]):
        if len(kept) + len(examples) <= keep:
            kept |= {id(example) for example in examples}
    return kept


def _few(added: int) -> tuple[str, ...]:
    if added >= FEWEST:
        return ()
    what = "is only 1 new example" if added == 1 else f"are only {added} new examples"
    return (f"There {what}; bring at least {FEWEST}, and about 100 for a good gate.",)
