"""Owns where the scores of a history come from: the data branch, or results that were saved."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gepa_ci.cli.measured import is_new, spread
from gepa_ci.cli.report import read_result
from gepa_ci.core.digests import digest
from gepa_ci.core.spend import Usage
from gepa_ci.delivery.data_branch import DATA_BRANCH, HistoryEntry, data_at
from gepa_ci.delivery.git_repository import Git
from gepa_ci.errors import GitError, UsageError
from gepa_ci.reports.reader import Node

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
    found: dict[str, list[HistoryEntry]] = defaultdict(list)
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
            for entry in _entries(root, at or _changed_at(file), str(file)):
                found[entry.task].append(entry)
    return Source(
        name="saved results",
        entries=found,
        hint="name files that --output wrote, in which a task was measured",
        notes=(*_others(others), *_undated(undated)),
    )


def _others(count: int) -> list[str]:
    if count == 0:
        return []
    files, are = ("file", "is no result") if count == 1 else ("files", "are no results")
    return [f"{count:,} other JSON {files} in the folders {are}."]


def _undated(count: int) -> list[str]:
    if count == 0:
        return []
    if count == 1:
        return ["1 result does not say when it was made: its file's time is shown."]
    return [f"{count:,} results do not say when they were made: their files' times are shown."]


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
        return told.text() if told and datetime.fromisoformat(told.text()).tzinfo else None
    except ValueError:
        return None


def _changed_at(path: Path) -> str:
    return datetime.fromtimestamp(int(path.stat().st_mtime), UTC).isoformat()


def _entries(root: Node, at: str, run: str) -> Iterator[HistoryEntry]:
    """Yield what a result tells of each task that it measured: of two prompts, the baseline."""
    for node in root["tasks"].items():
        key = "candidate" if node.maybe("baseline") is None else "baseline"
        side = node.maybe(key)
        rows = [
            (row["id"].text(), [score.number() for score in row[key].items()])
            for row in node["examples"].items()
        ]
        rows = [(name, scores) for name, scores in rows if scores]
        if side is None or not rows:
            continue
        mean = min(1.0, max(0.0, side["mean"].number()))
        sure = spread(mean, [scores for _, scores in rows])
        usd = node["spend"].maybe("usd")
        verdict = node.maybe("verdict")
        yield HistoryEntry(
            task=node["name"].text(),
            at=at,
            commit="",
            digest=digest(
                {
                    "prompt": side["digest"].text(),
                    "model": node["model"].text(),
                    "config": root["config_digest"].text(),
                    "examples": sorted(name for name, _ in rows),
                }
            ),
            prompt_digest=side["digest"].text(),
            model=node["model"].text(),
            mean=mean,
            se=sure.error,
            low=sure.low,
            high=sure.high,
            n=len(rows),
            fresh=is_new(_asked(node), trials=sum(len(scores) for _, scores in rows)),
            verdict=None if verdict is None else verdict.text(),
            usd=None if usd is None else usd.number(),
            calls=node["spend"]["calls"].whole(),
            run=run,
        )


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
