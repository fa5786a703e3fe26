"""Owns one clone and its remotes: commits read and written as objects, fetched and pushed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gepa_ci.delivery.commit_files import check_ref, missing_commit
from gepa_ci.delivery.commits import (
    BOT,
    LOG_FORMAT,
    Identity,
    Made,
    check_path,
    entries,
    made_commits,
    write_commit,
    write_tree,
)
from gepa_ci.delivery.hardened import HardenedGit, failure, why
from gepa_ci.delivery.remotes import Push, Remote, branch_ref, push_result, refusal, valid_branch
from gepa_ci.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from gepa_ci.delivery.commits import Entry
    from gepa_ci.delivery.hardened import Done

__all__ = ["BOT", "Git", "Identity", "Made", "Push", "Remote", "valid_branch"]

_SHA = re.compile(r"[0-9a-f]{40}")
_HUNK = re.compile(rb"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
_LARGEST = 64 * 1024 * 1024
_MOST_COMMITS = 1000
_WHOLE = "the clone was made with a filter: check it out without one"


class Git:
    """One clone, into whose working tree, index and branches nothing here ever writes.

    `environ` is the environment of this process; of it, git gets what it needs and no more.
    """

    def __init__(self, folder: Path, *, environ: Mapping[str, str]) -> None:
        self._git = HardenedGit(folder, environ=environ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the repository."""
        self._git.close()

    @property
    def top(self) -> Path:
        """Return the folder of the working tree."""
        return Path(self._git.top)

    @property
    def is_shallow(self) -> bool:
        """Return whether the clone lacks a part of its history."""
        return Path(self._git.shallow_file).exists()

    def resolve(self, ref: str) -> str:
        """Return the 40 hexadecimal digits of the commit that a ref names."""
        check_ref(ref)
        done = self._git.run(
            "rev_parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
        )
        found = done.out.decode().strip()
        if done.status:
            if done.said.strip():
                raise GitError(f"git cannot read the repository: {why(done)}")
            raise missing_commit(ref)
        return _hex(found)

    def has(self, sha: str) -> bool:
        """Return whether the clone has a commit."""
        return self._git.run("cat_file", "-e", f"{_hex(sha)}^{{commit}}").status == 0

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the newest commit that both come from; None when the clone knows of none."""
        done = self._git.run("merge_base", _hex(one), _hex(other))
        if done.status > 1:
            raise failure("merge_base", done, hint="fetch both commits first")
        return done.out.decode().split("\n")[0] or None

    def tree(self, sha: str, folder: str = "") -> tuple[Entry, ...]:
        """Return everything below a folder of a commit, links and submodules too, but no folder."""
        inside: tuple[str, ...] = ()
        if folder:
            check_path(folder.rstrip("/"))
            inside = ("--", f"{folder.rstrip('/')}/")
        return entries(
            self._git.must("ls_tree", "-r", "-z", "-l", "--full-tree", _hex(sha), *inside)
        )

    def paths(self, sha: str, folder: str = "") -> dict[str, str]:
        """Return the plain files below a folder of a commit, each with its blob's name."""
        return {entry.path: entry.sha for entry in self.tree(sha, folder) if entry.is_file}

    def blobs(self, shas: Iterable[str]) -> dict[str, bytes]:
        """Return the content of blobs by their names."""
        wanted = list(dict.fromkeys(_hex(sha) for sha in shas))
        out = self._git.must(
            "cat_file", "--batch", stdin="".join(f"{s}\n" for s in wanted).encode()
        )
        found: dict[str, bytes] = {}
        at = 0
        for sha in wanted:
            end = out.index(b"\n", at)
            told = out[at:end].split()
            if told[1:2] != [b"blob"]:
                raise GitError(f"the clone lacks the content of object '{sha}'", hint=_WHOLE)
            size = int(told[2])
            found[sha] = out[end + 1 : end + 1 + size]
            at = end + size + 2
        return found

    def read(self, sha: str, path: str) -> bytes | None:
        """Return a plain file of a commit; None when it has no such file.

        Raises:
            GitError: it is a link, a folder or a submodule, or it is over 64 MiB.
        """
        entry = self._entry(sha, path)
        if entry is None:
            return None
        if not entry.is_file or entry.size is None:
            raise GitError(f"in commit '{sha}' this is not a plain file", path=path)
        if entry.size > _LARGEST:
            raise GitError(f"the file has {entry.size} bytes; 64 MiB is the most", path=path)
        return self.blobs([entry.sha])[entry.sha]

    def commit(
        self,
        parent: str | None,
        changes: Mapping[str, bytes | None],
        message: str,
        *,
        who: Identity,
        when: int,
        keep: bool = True,
    ) -> str:
        """Make a commit on a parent, with files changed, and return its name; None removes a file.

        Nothing else changes: no branch, no index, no working tree; no hook and no filter runs.
        Files keep their modes. The same values make the same commit. Without `keep`, the commit
        has only the files that are given. When the tree stays as it was, the parent is returned.

        Raises:
            GitError: a path leads out of the repository, or through something that is no folder.
        """
        base = None if parent is None else _hex(parent)
        tree = write_tree(self._git, base, changes, keep=keep)
        if base is not None and tree == self._tree_name(base):
            return base
        return write_commit(self._git, tree, base, message, who=who, when=when)

    def log(
        self, sha: str, since: str | None = None, *, most: int = _MOST_COMMITS
    ) -> tuple[Made, ...]:
        """Return the commits that lead to one, newest first, without those that lead to `since`."""
        without = () if since is None else (f"^{_hex(since)}",)
        out = self._git.must(
            *("rev_list", f"--max-count={int(most)}", "--topo-order", LOG_FORMAT),
            *("--end-of-options", _hex(sha), *without),
        )
        return made_commits(out)

    def parents(self, sha: str) -> tuple[str, ...]:
        """Return the parents of a commit as it states them, also where a shallow clone ends."""
        return tuple(_hex(line[7:]) for line in self._head(sha) if line.startswith("parent "))

    def made_at(self, sha: str) -> int:
        """Return when a commit was made, in seconds since 1970."""
        told = [line for line in self._head(sha) if line.startswith("committer ")]
        return max(0, int(told[0].split()[-2]))

    def diff_lines(self, base: str, head: str, path: str) -> tuple[tuple[int, int], ...]:
        """Return the first and last lines, from 1, of every part of a file that the head changed.

        Where lines were only taken out, it is the line before them.
        """
        before, after = self._entry(base, path), self._entry(head, path)
        if after is None or not after.is_file:
            return ()
        if before is None or not before.is_file:
            # Against nothing, all of it is new; git wants an object to compare with.
            old = self._git.must("hash_object", "-w", "--stdin").decode().strip()
        else:
            old = before.sha
        out = self._git.must(
            *("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--text", "--unified=0"),
            *("--inter-hunk-context=0", "--end-of-options", _hex(old), _hex(after.sha)),
        )
        ranges = []
        for match in _HUNK.finditer(out):
            start, count = int(match[1]), int(match[2] or 1)
            first = max(start, 1)
            ranges.append((first, max(first, start + count - 1)))
        return tuple(ranges)

    def remote_head(self, remote: Remote, branch: str) -> str | None:
        """Return the commit at the head of a remote's branch; None when there is no such branch."""
        ref = branch_ref(branch)
        done = self._away("ls_remote", remote, "--end-of-options", remote.url, ref)
        if done.status:
            raise refusal("ls_remote", done)
        for line in done.out.decode("utf-8", "replace").splitlines():
            sha, _, name = line.partition("\t")
            if name == ref:
                return _hex(sha)
        return None

    def fetch(self, remote: Remote, what: str, *, depth: int | None = 1) -> str:
        """Bring a commit, or the head of a branch, into the clone, and return its name.

        The depth counts in a shallow clone only: it would cut off the history of a whole one.
        """
        sha = what if _SHA.fullmatch(what) else self.remote_head(remote, what)
        if sha is None:
            raise GitError(f"the remote has no branch '{what}'", hint="was it deleted or renamed?")
        if self.has(sha) and (depth == 1 or not self.is_shallow):
            return sha
        limit = (f"--depth={int(depth)}",) if depth is not None and self.is_shallow else ()
        done = self._away(
            *("fetch", remote, "--quiet", "--no-tags", "--no-write-fetch-head", *limit),
            *("--no-recurse-submodules", "--end-of-options", remote.url, sha),
        )
        if done.status:
            raise refusal("fetch", done)
        return sha

    def push(self, remote: Remote, sha: str, branch: str, *, expected: str | None) -> Push:
        """Put a remote's branch on a commit, if its head still is the expected one.

        `expected` None: only if there is no such branch.

        Raises:
            GitError: the remote refuses (the hint names the setting), or cannot be reached.
        """
        return self._push(remote, f"{_hex(sha)}:{branch_ref(branch)}", branch, expected)

    def delete(self, remote: Remote, branch: str, expected: str) -> Push:
        """Delete a remote's branch, if its head still is the expected one."""
        if self.remote_head(remote, branch) is None:
            return Push.UP_TO_DATE
        return self._push(remote, f":{branch_ref(branch)}", branch, expected)

    def _push(self, remote: Remote, refspec: str, branch: str, expected: str | None) -> Push:
        lease = f"--force-with-lease={branch_ref(branch)}:{_hex(expected) if expected else ''}"
        done = self._away(
            *("push", remote, "--porcelain", "--no-verify", "--no-signed", "--no-follow-tags"),
            *("--recurse-submodules=no", lease, "--end-of-options", remote.url, refspec),
        )
        return push_result(done, branch)

    def _away(self, verb: str, remote: Remote, *arguments: str) -> Done:
        return self._git.run(verb, *arguments, config=remote.config, secrets=remote.secrets)

    def _entry(self, sha: str, path: str) -> Entry | None:
        check_path(path)
        out = self._git.must("ls_tree", "-z", "-l", "--full-tree", _hex(sha), "--", path)
        found = [entry for entry in entries(out) if entry.path == path]
        return found[0] if found else None

    def _head(self, sha: str) -> list[str]:
        told = self._git.must("cat_file", "commit", _hex(sha)).split(b"\n\n")[0]
        return told.decode("utf-8", "replace").split("\n")

    def _tree_name(self, sha: str) -> str:
        return self._git.must("rev_parse", "--verify", f"{sha}^{{tree}}").decode().strip()


def _hex(sha: str) -> str:
    if not _SHA.fullmatch(sha):
        raise GitError(f"{sha!r} is not the name of a commit")
    return sha
