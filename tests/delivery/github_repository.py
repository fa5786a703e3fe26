"""Owns the bare git repository behind the GitHub emulator, and what the API answers out of it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

BOT_EMAIL = "41898282+github-actions[bot]@users.noreply.github.com"
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_STATUS = {"A": "added", "M": "modified", "D": "removed", "R": "renamed", "T": "changed"}


def clean_env(**more: str) -> dict[str, str]:
    """Return an environment in which nobody's git settings count."""
    return {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        **more,
    }


class GitFailedError(Exception):
    """A git command failed; the text is git's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An author of commits; the time is fixed so that equal commits have equal shas."""

    name: str = "github-actions[bot]"
    email: str = BOT_EMAIL
    date: str = "1770000000 +0000"


BOT = Person()


@dataclass(frozen=True, slots=True)
class BareRepository:
    """A bare repository, driven by git's plumbing."""

    path: Path

    @classmethod
    def create(
        cls, path: Path, files: Mapping[str, bytes] | None = None, *, branch: str = "main"
    ) -> BareRepository:
        """Make a bare repository; with files, its default branch has one commit of them."""
        subprocess.run(
            ["git", "init", "-q", "--bare", "--template=", f"--initial-branch={branch}", str(path)],
            check=True,
            env=clean_env(),
        )
        repository = cls(path)
        if files is not None:
            repository.commit(branch, files, message="First commit")
        return repository

    def git(
        self, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> bytes:
        """Run git here and return what it printed."""
        done = subprocess.run(
            ["git", "--git-dir", str(self.path), *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            env=clean_env(**(env or {})),
        )
        if done.returncode:
            raise GitFailedError(done.stderr.decode(errors="replace"))
        return done.stdout

    def text(self, *arguments: str) -> str:
        """Run git and return its words."""
        return self.git(*arguments).decode().strip()

    @property
    def default_branch(self) -> str:
        """The branch that HEAD names."""
        return (self.path / "HEAD").read_text("utf-8").strip().removeprefix("ref: refs/heads/")

    def branches(self) -> dict[str, str]:
        """Return all branches with their commits."""
        listed = self.text("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads")
        pairs = (line.split(" ") for line in listed.splitlines())
        return {name.removeprefix("refs/heads/"): sha for name, sha in pairs}

    def sha(self, name: str) -> str | None:
        """Return the commit that a name stands for, or None."""
        try:
            return self.text(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
            )
        except GitFailedError:
            return None

    def kind(self, sha: str) -> str | None:
        """Return the type of an object, or None."""
        try:
            return self.text("cat-file", "-t", sha)
        except GitFailedError:
            return None

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Return whether a commit is reachable from another."""
        try:
            self.git("merge-base", "--is-ancestor", older, newer)
        except GitFailedError:
            return False
        return True

    def commit(
        self,
        branch: str,
        files: Mapping[str, bytes | None],
        *,
        message: str = "Change",
        parent: str | None = None,
        person: Person = BOT,
    ) -> str:
        """Put a commit on a branch that changes the given files (None deletes) and return it.

        The parent is the branch's tip, else the one given.
        """
        tip = parent or self.sha(f"refs/heads/{branch}")
        who = f"{person.name} <{person.email}> {person.date}".encode()
        said = message.encode()
        parts = [
            b"commit refs/heads/%b\nmark :1\nauthor %b\ncommitter %b\ndata %d\n%b\n"
            % (branch.encode(), who, who, len(said), said)
        ]
        if tip is not None:
            parts.append(b"from %b\n" % tip.encode())
        for name, content in files.items():
            if content is None:
                parts.append(b"D %b\n" % name.encode())
            else:
                parts.append(b"M 100644 inline %b\n" % name.encode())
                parts.append(b"data %d\n%b\n" % (len(content), content))
        # One process for it all, as tests make many commits.
        made = self.git(
            "fast-import", "--quiet", "--force", stdin=b"".join([*parts, b"\nget-mark :1\n"])
        )
        return made.decode().strip()

    def put_blob(self, content: bytes) -> str:
        """Store a file's content."""
        return self.git("hash-object", "-w", "--stdin", stdin=content).decode().strip()

    def put_tree(self, base: str | None, entries: Sequence[Mapping[str, Any]]) -> str:
        """Store a tree: the base's with entries put or, where their sha is None, taken out."""
        index = self.path / f"index-{os.urandom(6).hex()}"
        env = {"GIT_INDEX_FILE": str(index)}
        lines = [
            f"{'0' if entry['sha'] is None else entry['mode']} {entry['sha'] or '0' * 40}"
            f"\t{entry['path']}"
            for entry in entries
        ]
        try:
            self.git("read-tree", base or _EMPTY_TREE if base else "--empty", env=env)
            self.git(
                "update-index",
                "--index-info",
                stdin="".join(f"{x}\n" for x in lines).encode(),
                env=env,
            )
            return self.git("write-tree", env=env).decode().strip()
        finally:
            index.unlink(missing_ok=True)

    def put_commit(self, message: str, tree: str, parents: Sequence[str], *, author: Person) -> str:
        """Store a commit."""
        env = {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (
                ("NAME", author.name),
                ("EMAIL", author.email),
                ("DATE", author.date),
            )
        }
        options = [word for parent in parents for word in ("-p", parent)]
        made = self.git("commit-tree", tree, *options, stdin=message.encode(), env=env)
        return made.decode().strip()

    def merge(self, base: str, head: str, *, squash: bool = False, message: str = "Merge") -> str:
        """Merge a commit into a branch and return the new tip; a conflict raises."""
        tip = self.sha(f"refs/heads/{base}")
        assert tip is not None
        tree = self.text("merge-tree", "--write-tree", tip, head).split("\n")[0]
        parents = [tip] if squash else [tip, head]
        sha = self.put_commit(message, tree, parents, author=BOT)
        self.git("update-ref", f"refs/heads/{base}", sha, tip)
        return sha

    def read(self, name: str, path: str) -> bytes:
        """Return a file of a commit."""
        return self.git("cat-file", "blob", f"{name}:{path}")

    def commit_row(self, sha: str) -> dict[str, Any]:
        """Return a commit as the git data API shows it."""
        lines = self.text(
            *("show", "--no-patch", "--format=%T%n%P%n%an%n%ae%n%aI%n%cn%n%ce%n%cI%n%B", sha)
        ).split("\n")
        return {
            "sha": sha,
            "tree": {"sha": lines[0]},
            "parents": [{"sha": parent} for parent in lines[1].split()],
            "author": dict(zip(("name", "email", "date"), lines[2:5], strict=True)),
            "committer": dict(zip(("name", "email", "date"), lines[5:8], strict=True)),
            "message": "\n".join(lines[8:]),
        }

    def tree_rows(self, sha: str, *, recursive: bool) -> list[dict[str, Any]]:
        """Return a tree's entries."""
        options = ["-r", "-t"] if recursive else []
        rows: list[dict[str, Any]] = []
        for line in self.git("ls-tree", "-z", "-l", *options, sha).decode().split("\0")[:-1]:
            fields, _, path = line.partition("\t")
            mode, kind, blob, size = fields.split()
            row = {"path": path, "mode": mode, "type": kind, "sha": blob}
            rows.append(row if size == "-" else {**row, "size": int(size)})
        return rows

    def commits_between(self, base: str, head: str) -> list[str]:
        """Return what the head has and the base has not, oldest first."""
        return self.text("rev-list", "--reverse", f"{base}..{head}").split()

    def changed(self, base: str, head: str) -> list[dict[str, Any]]:
        """Return the files that the head changed since it left the base, with their patches."""
        try:
            start = self.text("merge-base", base, head)
        except GitFailedError:
            start = _EMPTY_TREE
        listed = self.git("diff-tree", "-r", "-z", "-M", "--name-status", start, head).decode()
        words = listed.split("\0")[:-1]
        rows: list[dict[str, Any]] = []
        while words:
            letter = words.pop(0)[0]
            row: dict[str, Any] = {"status": _STATUS[letter]}
            if letter == "R":
                row["previous_filename"] = words.pop(0)
            row["filename"] = words.pop(0)
            row |= self._patch(start, head, row)
            rows.append(row)
        return rows

    def _patch(self, start: str, head: str, row: Mapping[str, Any]) -> dict[str, Any]:
        paths = [
            row["filename"],
            *([row["previous_filename"]] if "previous_filename" in row else []),
        ]
        shown = self.git("diff", "-M", start, head, "--", *paths).decode(errors="replace")
        at = shown.find("\n@@ ")
        if at < 0:
            return {"additions": 0, "deletions": 0, "changes": 0}
        patch = shown[at + 1 :].removesuffix("\n")
        more = sum(line.startswith("+") for line in patch.split("\n"))
        less = sum(line.startswith("-") for line in patch.split("\n"))
        return {"additions": more, "deletions": less, "changes": more + less, "patch": patch}
