"""Owns the marks by which our commits, pull requests and comments are found again."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_LONGEST_BODY = 65_000
_MARK = re.compile(
    r"<!-- gepa-ci:pr:v1 key=(?P<key>[0-9a-f]{16}) digest=(?P<digest>[0-9a-f]{32})"
    r"(?P<withdrawn> withdrawn)? -->"
)
_TRAILER = re.compile(r"Gepa-CI-Proposal: (?P<key>[0-9a-f]{16}) (?P<digest>[0-9a-f]{32})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Which target and which files a commit or a pull request is about."""

    key: str
    digest: str
    is_withdrawn: bool = False
    """Whether we closed it ourselves; the same files may then be proposed again."""

    def withdrawn(self) -> Mark:
        """Return the mark of the same pull request once we have closed it."""
        return replace(self, is_withdrawn=True)


def marked_body(body: str, mark: Mark) -> str:
    """Return a body with this mark and no other."""
    end = " withdrawn" if mark.is_withdrawn else ""
    line = f"<!-- gepa-ci:pr:v1 key={mark.key} digest={mark.digest}{end} -->"
    plain = _MARK.sub("", body).replace("<!-- gepa-ci:", "&lt;!-- gepa-ci:").strip()
    # GitHub refuses more than 65,536 characters.
    return f"{line}\n{plain[:_LONGEST_BODY]}\n"


def read_mark(body: str, key: str) -> Mark | None:
    """Return the mark of a body; None when it has none, or one of another target."""
    found = _MARK.search(body)
    if found is None or found["key"] != key:
        return None
    return Mark(key=key, digest=found["digest"], is_withdrawn=found["withdrawn"] is not None)


def marked_message(message: str, mark: Mark) -> str:
    """Return a commit's message that says which proposal it is."""
    return f"{message.strip()}\n\nGepa-CI-Proposal: {mark.key} {mark.digest}"


def proposed_by(message: str) -> Mark | None:
    """Return the mark of a commit's message, which is its last line."""
    lines = message.strip().splitlines()
    found = _TRAILER.fullmatch(lines[-1].strip()) if lines else None
    return None if found is None else Mark(key=found["key"], digest=found["digest"])


def edited_mark(key: str) -> str:
    """Return the mark of the comment that says that a branch is left to its people."""
    return f"<!-- gepa-ci:edited:v1 key={key} -->"


def closed_mark(mark: Mark) -> str:
    """Return the mark of the comment that says why a pull request is closed."""
    return f"<!-- gepa-ci:closed:v1 key={mark.key} digest={mark.digest} -->"
