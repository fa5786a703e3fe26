"""Owns making a commit out of git's objects, past the working tree, the index and every hook."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gepa_ci.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gepa_ci.delivery.hardened import HardenedGit

PLAIN = ("100644", "100755")
"""Modes of files; a link, a folder or a submodule has another one."""
LOG_FORMAT = "--format=%x00%ae%x00%ce%x00%B%x00%x01"
"""How commits are printed, with marks that no message can hold."""
_FOLDER = "040000"
_LONGEST_PATH = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a commit is by."""

    name: str
    email: str

    def __post_init__(self) -> None:
        for text in (self.name, self.email):
            if not text.isprintable() or not text.strip() or set("<>") & set(text):
                raise GitError(f"{text!r} cannot stand in a commit as a name or an address")


BOT = Identity(
    name="github-actions[bot]",
    # The number is the account's id, by which GitHub shows its picture.
    email="41898282+github-actions[bot]@users.noreply.github.com",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a commit's tree."""

    path: str
    mode: str
    sha: str
    size: int | None
    """Bytes; None for what is not a file."""

    @property
    def is_file(self) -> bool:
        """Return whether it is a plain file."""
        return self.mode in PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Who made a commit, and what it says."""

    sha: str
    author: str
    """E-mail address."""
    committer: str
    """E-mail address."""
    message: str


def check_path(path: str) -> None:
    """Refuse a path that leads out of the repository, into git's own folder, or is no path.

    Raises:
        GitError: it must not be written.
    """
    parts = path.split("/")
    # Some file systems do not see case, dots and spaces at an end, or shorten names.
    if any(part.rstrip(" .").lower() in ("", ".git", "git~1") for part in parts):
        raise GitError("the path leads out of the repository", path=path)
    if "\\" in path or not path.isprintable() or len(path.encode()) > _LONGEST_PATH:
        raise GitError("the path has characters that a file's name must not have", path=repr(path))


def entries(out: bytes) -> tuple[Entry, ...]:
    """Read what `git ls-tree -z -l` printed."""
    found = []
    for line in out.split(b"\0")[:-1]:
        head, _, name = line.partition(b"\t")
        mode, _, sha, size = head.decode("ascii").split()
        found.append(
            Entry(
                path=name.decode("utf-8", "surrogateescape"),
                mode=mode,
                sha=sha,
                size=None if size == "-" else int(size),
            )
        )
    return tuple(found)


def made_commits(out: bytes) -> tuple[Made, ...]:
    """Read what `git rev-list` printed in our format."""
    found = []
    for record in out.decode("utf-8", "replace").split("\0\x01\n")[:-1]:
        head, author, committer, message = record.split("\0", 3)
        sha = head.strip().removeprefix("commit ")
        found.append(Made(sha=sha, author=author, committer=committer, message=message.strip()))
    return tuple(found)


def write_tree(
    git: HardenedGit, parent: str | None, changes: Mapping[str, bytes | None], *, keep: bool
) -> str:
    """Write the tree of the parent (`keep`), or an empty one, with files changed; None removes.

    Raises:
        GitError: a path leads out, through a link, or to something that is not a plain file.
    """
    for path in changes:
        check_path(path)
    modes = _modes(git, parent, changes) if parent is not None else {}
    lines = []
    for path, content in sorted(changes.items()):
        if content is None:
            lines.append(f"0 {'0' * 40}\t{path}")
            continue
        out = git.must("hash_object", "-w", "--no-filters", "--stdin", stdin=content)
        lines.append(f"{modes.get(path, PLAIN[0])} {out.decode().strip()}\t{path}")
    with tempfile.TemporaryDirectory(prefix="gepa-ci-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        if parent is not None and keep:
            git.must("read_tree", f"{parent}^{{tree}}", extra=index)
        if lines:
            told = "".join(f"{line}\0" for line in lines).encode()
            git.must("update_index", "-z", "--index-info", stdin=told, extra=index)
        return git.must("write_tree", extra=index).decode().strip()


def write_commit(
    git: HardenedGit, tree: str, parent: str | None, message: str, *, who: Identity, when: int
) -> str:
    """Write a commit; the same values make the same commit."""
    dates = {
        "GIT_AUTHOR_NAME": who.name,
        "GIT_AUTHOR_EMAIL": who.email,
        "GIT_AUTHOR_DATE": f"@{when} +0000",
        "GIT_COMMITTER_NAME": who.name,
        "GIT_COMMITTER_EMAIL": who.email,
        "GIT_COMMITTER_DATE": f"@{when} +0000",
    }
    text = message.replace("\0", "").strip() + "\n"
    parents = () if parent is None else ("-p", parent)
    out = git.must(
        "commit_tree", tree, *parents, "-F", "-", stdin=text.encode("utf-8", "replace"), extra=dates
    )
    return out.decode().strip()


def _modes(git: HardenedGit, parent: str, paths: Iterable[str]) -> dict[str, str]:
    """Return the modes of the files that the parent has, having looked at every folder above."""
    wanted = set(paths)
    above = {str(folder) for path in wanted for folder in Path(path).parents} - {"."}
    modes: dict[str, str] = {}
    # Asked for as many names at once as fit a command line everywhere.
    names = sorted(wanted | above)
    for start in range(0, len(names), 100):
        out = git.must(
            *("ls_tree", "-z", "-l", "-t", "--full-tree", parent, "--"), *names[start : start + 100]
        )
        for entry in entries(out):
            if entry.path in wanted and not entry.is_file:
                raise GitError("the commit has something else than a plain file", path=entry.path)
            if entry.path in above and entry.mode != _FOLDER:
                raise GitError(
                    "the path leads through something else than a folder", path=entry.path
                )
            modes[entry.path] = entry.mode
    return modes
