"""Owns where the scores of a history come from: the data branch, or results that were saved."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import fmean
from typing import TYPE_CHECKING

from gepa_ci.cli.measured import is_new, spread
from gepa_ci.cli.report import read_result
from gepa_ci.core.digests import digest
from gepa_ci.core.spend import Usage
from gepa_ci.core.suite import Part
from gepa_ci.delivery.data_branch import DATA_BRANCH, HistoryEntry, data_at
from gepa_ci.delivery.git_repository import Git
from gepa_ci.errors import GitError, UsageError
from gepa_ci.reports.reader import Node
from gepa_ci.reports.view.examples import part_in_words
from gepa_ci.reports.words import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from gepa_ci.delivery.data_branch import Data

_REFS = (f"refs/heads/{DATA_BRANCH}", f"refs/remotes/origin/{DATA_BRANCH}")
_FETCH = f"git fetch origin {DATA_BRANCH}:refs/remotes/origin/{DATA_BRANCH}"
_MOST_FILES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Scores by task, and where they are from."""

    name: str
    """In words, such as `the branch gepa-ci-data`."""
    entries: Mapping[str, Sequence[HistoryEntry]]
    """By task, in any order."""
    hint: str
    """What to do where it holds nothing."""
    notes: tuple[str, ...] = ()
    """Finished sentences about what could not be read."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """By task, the part of the suite that its scores are of, in words; held-out if not given."""
    task_notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By task, finished sentences about which of its scores are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    """What a saved result tells of one task."""

    entry: HistoryEntry
    part: str
    """Of the suite, in words."""
    of_two: bool
    """Whether it is the score of a baseline, beside which there is that of a candidate."""


def from_branch(folder: Path) -> Source:
    """Read the data branch of the clone that a folder is in; nothing is fetched.

    Raises:
        GitError: there is no clone, or a file of the branch is not as we write it.
        UsageError: the clone has no such branch.
    """
    with Git(folder, environ=dict(os.environ)) as git:
        for ref in _REFS:
            try:
                sha = git.resolve(ref)
            except GitError:
                continue
            return recorded(data_at(git, sha), at=sha[:7])
    raise UsageError(
        f"this clone has no branch '{DATA_BRANCH}'",
        hint=f"`{_FETCH}` brings it, once a run on the default branch has made it; or name results "
        "that --output wrote",
    )


def recorded(data: Data, *, at: str = "") -> Source:
    """Return what the data branch holds, as it is read at a commit."""
    return Source(
        name=f"the branch {DATA_BRANCH}{' at ' if at else ''}{at}",
        entries={task: entries for task, entries in data.history.items() if entries},
        hint="runs on the default branch record scores; see docs/history.md",
        notes=data.notes,
    )


def from_results(paths: Sequence[Path]) -> Source:
    """Read results that were saved, and those in folders.

    Raises:
        UsageError: a file cannot be read, or is not a result.
    """
    found: dict[str, list[_Scored]] = defaultdict(list)
    others = undated = 0
    for path in paths:
        inside = path.is_dir()
        for file in _files(path):
            try:
                document = read_result(file)
            except UsageError:
                if not inside:
                    raise
                others += 1
                continue
            root = Node(value=document, where="result")
            at = _made_at(root)
            undated += at is None
            for one in _scored(root, at or _changed_at(file), str(file)):
                found[one.entry.task].append(one)
    parts = {task: _part(scored) for task, scored in found.items()}
    return Source(
        name="saved results",
        entries={
            task: [one.entry for one in scored if one.part == parts[task]]
            for task, scored in found.items()
        },
        parts=parts,
        task_notes={task: tuple(_told(scored, parts[task])) for task, scored in found.items()},
        hint="name files that --output wrote, in which a task was measured",
        notes=(*_others(others), *_undated(undated)),
    )


def _part(scored: Sequence[_Scored]) -> str:
    """Return the part that a history is of: held-out where there is a score of it."""
    found = {one.part for one in scored}
    order = [part_in_words(part) for part in (Part.HELD_OUT, Part.VAL, Part.TRAIN)]
    return next((part for part in order if part in found), min(found))


def _told(scored: Sequence[_Scored], part: str) -> Iterator[str]:
    """Yield which scores are left out, and whose are shown of results with two prompts."""
    others = Counter(one.part for one in scored if one.part != part)
    for other, number in sorted(others.items()):
        are = "is" if number == 1 else "are"
        yield f"{count(number, f'{other} score')} {are} left out: a history is of one part."
    pairs = sum(one.of_two for one in scored if one.part == part)
    if pairs == 1:
        yield "1 result compares two prompts: the score of its baseline is shown."
    elif pairs:
        yield f"{pairs:,} results compare two prompts: the scores of their baselines are shown."


def _others(number: int) -> list[str]:
    if number == 0:
        return []
    files, are = ("file", "is no result") if number == 1 else ("files", "are no results")
    return [f"{number:,} other JSON {files} in the folders {are}."]


def _undated(number: int) -> list[str]:
    if number == 0:
        return []
    if number == 1:
        return ["1 result does not say when it was made: its file's time is shown."]
    return [f"{number:,} results do not say when they were made: their files' times are shown."]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(path.rglob("*.json"))
    if len(found) > _MOST_FILES:
        raise UsageError(
            f"there are {len(found):,} JSON files; {_MOST_FILES:,} is the most",
            path=str(path),
            hint="name a folder with fewer of them",
        )
    return found


def _made_at(root: Node) -> str | None:
    told = root.entries().get("made_at")
    try:
        at = None if told is None else datetime.fromisoformat(told.text())
        # The first and the last day there are have no other time zone.
        return None if at is None or at.tzinfo is None else at.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return None


def _changed_at(path: Path) -> str:
    return datetime.fromtimestamp(int(path.stat().st_mtime), UTC).isoformat()


def _scored(root: Node, at: str, run: str) -> Iterator[_Scored]:
    """Yield what a result tells of each task that it measured: of two prompts, the baseline."""
    for node in root["tasks"].items():
        key = "candidate" if node.maybe("baseline") is None else "baseline"
        side = node.maybe(key)
        rows = [
            (row["id"].text(), row["part"].text(), [score.number() for score in row[key].items()])
            for row in node["examples"].items()
        ]
        rows = [row for row in rows if row[-1]]
        if side is None or not rows:
            continue
        mean = min(1.0, max(0.0, side["mean"].number()))
        sure = spread(mean, [fmean(scores) for *_, scores in rows])
        usd = node["spend"].maybe("usd")
        verdict = node.maybe("verdict")
        entry = HistoryEntry(
            task=node["name"].text(),
            at=at,
            commit="",
            digest=digest(
                {
                    "prompt": side["digest"].text(),
                    "model": node["model"].text(),
                    "config": root["config_digest"].text(),
                    "examples": sorted(name for name, *_ in rows),
                }
            ),
            prompt_digest=side["digest"].text(),
            model=node["model"].text(),
            mean=mean,
            se=sure.error,
            low=sure.low,
            high=sure.high,
            n=len(rows),
            units=sure.units,
            fresh=is_new(_asked(node), trials=sum(len(scores) for *_, scores in rows)),
            verdict=None if verdict is None else verdict.text(),
            usd=None if usd is None else usd.number(),
            calls=node["spend"]["calls"].whole(),
            run=run,
        )
        parts = sorted({part_in_words(part) for _, part, _ in rows})
        yield _Scored(entry=entry, part=" and ".join(parts), of_two=key == "baseline")


def _asked(node: Node) -> Usage:
    """Return what was asked of the task LM, both prompts together."""
    parts = [
        Usage(
            calls=part["calls"].whole(),
            failed_calls=part["failed_calls"].whole(),
            cached_calls=part["cached_calls"].whole(),
        )
        for part in node["spend_by_model"].items()
        if part["purpose"].text() == "task"
    ]
    return sum(parts, Usage())
