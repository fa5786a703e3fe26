"""Owns the data branch: read it, change it on top of whoever else did, push with a lease."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from gepa_ci.delivery.commits import BOT, Identity
from gepa_ci.delivery.data_files import DATA_BRANCH, check_entries, files_of, read_files
from gepa_ci.delivery.data_values import Baseline, Data, HistoryEntry, slug
from gepa_ci.delivery.remotes import Push
from gepa_ci.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gepa_ci.core.ledger import Entry
    from gepa_ci.delivery.git_repository import Git
    from gepa_ci.delivery.remotes import Remote

__all__ = [
    "DATA_BRANCH",
    "Baseline",
    "Data",
    "DataBranch",
    "HistoryEntry",
    "LedgerBranch",
    "data_at",
    "slug",
]

T = TypeVar("T")

_MOST_COMMITS = 200
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_COUNT = re.compile(r"^Gepa-CI-Commits: ([0-9]{1,6})$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """The branch as it was at one moment."""

    head: str | None
    files: Mapping[str, bytes]
    data: Data
    commits: int
    """Commits of the branch, as its last one says."""


@dataclass(frozen=True, slots=True)
class DataBranch:
    """The branch on which runs of the default branch keep what they must remember."""

    git: Git
    remote: Remote
    who: Identity = BOT
    clock: Callable[[], float] = time.time
    pause: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    """A number from 0 to 1, another each time, so that two runs do not wait in step."""
    attempts: int = 40
    """How often a change is made anew because somebody else was faster."""

    def read(self) -> Data:
        """Return what the branch holds; nothing when there is no branch yet.

        Raises:
            GitError: a file on it is not as we write it, or the remote could not be read.
        """
        return self._snapshot().data

    def update(self, change: Callable[[Data], Data], *, message: str) -> Data:
        """Change the data on top of what others wrote, and return what the branch holds now.

        `change` is called again, with newer data, when somebody else was faster; it must give
        the same answer for the same data. Where it changes nothing, nothing is pushed.

        Raises:
            GitError: a file on the branch is not as we write it, the remote refuses, or it moved
                every time that we tried.
        """
        for attempt in range(self.attempts):
            before = self._snapshot()
            after = change(before.data).tidied()
            if after == before.data:
                return before.data
            sha = self._commit(before, files_of(after), message)
            result = self.git.push(self.remote, sha, DATA_BRANCH, expected=before.head)
            if result is not Push.MOVED:
                return after
            longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt)
            self.pause(longest * (0.5 + self.jitter() / 2))
        raise GitError(
            f"branch '{DATA_BRANCH}': others changed it each of the {self.attempts} times we tried",
            hint="give the workflow a `concurrency` group, so that fewer runs write at once",
        )

    def ledger(self, task: str) -> LedgerBranch:
        """Return the record of what a task's held-out set was used for."""
        return LedgerBranch(branch=self, task=task)

    def _snapshot(self) -> _Snapshot:
        head = self.git.remote_head(self.remote, DATA_BRANCH)
        if head is None:
            return _Snapshot(head=None, files={}, data=Data(), commits=0)
        self.git.fetch(self.remote, head, depth=1)
        files = _files_at(self.git, head)
        told = _COUNT.search(self.git.log(head, most=1)[0].message)
        return _Snapshot(
            head=head,
            files=files,
            data=read_files(files),
            commits=int(told[1]) if told else 1,
        )

    def _commit(self, before: _Snapshot, files: dict[str, bytes], message: str) -> str:
        is_squashed = before.commits >= _MOST_COMMITS
        # Nothing of value is in the older commits: a history of every use is in the files.
        parent = None if is_squashed else before.head
        changes: dict[str, bytes | None] = {
            path: content
            for path, content in files.items()
            if is_squashed or before.files.get(path) != content
        }
        if not is_squashed:
            changes.update({path: None for path in before.files if path not in files})
        number = 1 if is_squashed else before.commits + 1
        return self.git.commit(
            parent,
            changes,
            f"{message}\n\nGepa-CI-Commits: {number}",
            who=self.who,
            when=int(self.clock()),
        )


def data_at(git: Git, sha: str) -> Data:
    """Return what a commit of the data branch holds, if the clone has it; nothing is fetched.

    Raises:
        GitError: a file in it is not as we write it, or the clone lacks its content.
    """
    return read_files(_files_at(git, sha))


def _files_at(git: Git, sha: str) -> dict[str, bytes]:
    blobs = check_entries(git.tree(sha))
    contents = git.blobs(blobs.values())
    return {path: contents[sha] for path, sha in blobs.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerBranch:
    """The ledger of one task, on the data branch."""

    branch: DataBranch
    task: str
    notes: tuple[str, ...] = ()
    """Nothing: what of the branch cannot be read is said where the branch is read."""

    def transact(self, decide: Callable[[Sequence[Entry]], tuple[T, Entry | None]]) -> T:
        """Show all entries to `decide`, append the entry that it returns, and return the rest.

        `decide` is called again, with newer entries, when somebody else was faster.

        Raises:
            GitError: see `DataBranch.update`.
            ValueError: the entry is of another task.
        """
        results: list[T] = []

        def change(data: Data) -> Data:
            result, entry = decide(data.uses.get(self.task, ()))
            results.append(result)
            if entry is None:
                return data
            if entry.task != self.task:
                raise ValueError(f"an entry of the task '{entry.task}' is not of this ledger")
            return data.with_use(entry)

        self.branch.update(change, message=f"Record a held-out use of {self.task}")
        return results[-1]
