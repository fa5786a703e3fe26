"""Owns where a repository is pushed to: address, credentials, and what a refusal means."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from gepa_ci.delivery.hardened import failure
from gepa_ci.errors import GitError

if TYPE_CHECKING:
    from gepa_ci.delivery.hardened import Done

_URL = re.compile(
    r"(https?://[A-Za-z0-9.\-\[\]:]+(/[A-Za-z0-9._~%+-]+)*/?|file:///[^\x00-\x1f\x7f]*)"
)
_TOKEN = re.compile(r"[!-~]{1,4096}")
_BRANCH = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._/@+#,=!%-]|[^\x00-\xa0])*")
_LONGEST_BRANCH = 240

_WRITE_HINT = (
    "give the job `permissions: contents: write`; if it has that, allow 'Read and write "
    "permissions' in Settings > Actions > General > Workflow permissions"
)
_READ_HINT = "give the job `permissions: contents: read`, or a token that may read the repository"
_RULES_HINT = (
    "in Settings > Rules > Rulesets (or Settings > Branches) leave '{branch}' out of the rule, "
    "or let the app that runs the workflow bypass it"
)
_SIGNED_HINT = (
    "a rule asks for signed commits: turn on signing, which commits through GitHub's API, or "
    "leave '{branch}' out of the rule in Settings > Rules > Rulesets"
)
# What a remote says, in lower case, and what to do about it; the first that fits counts.
_REFUSALS = (
    (("verified signature", "must be signed"), _SIGNED_HINT),
    (
        ("without `workflows` permission", "without `workflow` scope", "create or update workflow"),
        "GitHub lets no workflow's token change .github/workflows: keep prompts elsewhere",
    ),
    (
        ("push cannot contain secrets", "secret scanning"),
        "GitHub found a secret in the files; take it out of the prompt",
    ),
    (
        ("protected branch", "gh006", "gh013", "rule violations", "repository rule"),
        _RULES_HINT,
    ),
    (("archived",), "the repository is archived: make it writable in Settings > General"),
    (
        ("exists; cannot create", "directory file conflict", "dir/file conflict"),
        "another branch's name is a folder of '{branch}': rename or delete that branch",
    ),
    (
        ("shallow update not allowed",),
        "the clone is too shallow: set `fetch-depth: 0` for actions/checkout",
    ),
)
_FORBIDDEN = (
    *("returned error: 403", "permission to", "write access to repository not granted"),
    *("permission denied", "resource not accessible"),
)
_UNKNOWN = ("could not read username", "authentication failed", "invalid credentials")
_ABSENT = ("repository not found", "not found", "does not appear to be a git repository")
_MOVED = (
    *("stale info", "fetch first", "non-fast-forward", "cannot lock ref", "failed to update ref"),
    *("incorrect old value", "reference already exists", "failed to lock", "but expected"),
)


class Push(StrEnum):
    """How a push ended."""

    PUSHED = "pushed"
    UP_TO_DATE = "up to date"
    MOVED = "moved"
    """Somebody else changed the branch; nothing was pushed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A repository elsewhere and the token for it."""

    url: str
    """`https://`, `http://` or `file:///`, with no user, query or fragment."""
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        # Addresses with a user in them would put it into the process list and into messages.
        if not _URL.fullmatch(self.url):
            raise GitError(
                "the address of the repository is not one that can be used",
                hint="it is https://HOST/OWNER/NAME, with no user name, query or fragment",
            )
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise GitError("the token has characters that no token has", hint="set it again")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must appear nowhere."""
        return () if self.token is None else (self.token, self._basic)

    @property
    def config(self) -> tuple[tuple[str, str], ...]:
        """Git's settings for one call, which replace the header that actions/checkout left."""
        if not self.url.startswith("http"):
            return ()
        # Only the longest match of an address counts, and the empty value clears the list.
        header = f"http.{self.url}.extraheader"
        # The longest rewriting of an address counts too, and this one leaves it as it is.
        kept = ((f"url.{self.url}.{key}", self.url) for key in ("insteadOf", "pushInsteadOf"))
        cleared = ((header, ""), (f"http.{self.url}.cookieFile", ""), *kept)
        if self.token is None:
            return cleared
        sent = (header, f"Authorization: Basic {self._basic}")
        return (*cleared, sent, (f"http.{self.url}.sslVerify", "true"))

    @property
    def _basic(self) -> str:
        return base64.b64encode(f"x-access-token:{self.token}".encode()).decode()


def valid_branch(name: str) -> bool:
    """Return whether a name is one that git allows for a branch and that is no option."""
    return (
        0 < len(name.encode("utf-8", "replace")) <= _LONGEST_BRANCH
        and _BRANCH.fullmatch(name) is not None
        and name.isprintable()
        and name != "HEAD"
        and not any(bad in name for bad in ("..", "@{", "//"))
        and not name.endswith(("/", "."))
        and not any(p.startswith(".") or p.endswith(".lock") for p in name.split("/"))
    )


def branch_ref(branch: str) -> str:
    """Return the full name of a branch.

    Raises:
        GitError: it is not a name of a branch.
    """
    if not valid_branch(branch):
        raise GitError(f"{branch!r} is not a name of a branch")
    return f"refs/heads/{branch}"


def push_result(done: Done, branch: str) -> Push:
    """Read what `git push --porcelain` of one branch printed.

    Raises:
        GitError: the remote refused, or could not be reached.
    """
    lines = done.out.decode("utf-8", "replace").splitlines()
    flags = [line[0] for line in lines if line[1:2] == "\t"]
    if done.status == 0:
        return Push.UP_TO_DATE if flags == ["="] else Push.PUSHED
    told = "\n".join([*lines, done.said]).lower()
    known = any(word in told for words, _ in _REFUSALS for word in words)
    if not known and any(word in told for word in _MOVED):
        return Push.MOVED
    raise refusal("push", done, branch=branch, told=told)


def refusal(verb: str, done: Done, *, branch: str = "", told: str = "") -> GitError:
    """Return the error for a remote that did not do what was asked, with the setting to change."""
    told = told or done.said.lower()
    hint = "try again; if it stays, look at the remote's state and at the network"
    if any(word in told for word in _UNKNOWN):
        hint = "the remote does not know the token: is it expired, or of another server?"
    elif any(word in told for word in _ABSENT):
        hint = _READ_HINT
    elif any(word in told for word in _FORBIDDEN):
        hint = _WRITE_HINT if verb == "push" else _READ_HINT
    for words, answer in _REFUSALS:
        if any(word in told for word in words):
            hint = answer.format(branch=branch)
            break
    error = failure(verb, done, hint=hint)
    if not branch:
        return error
    return GitError(f"branch '{branch}': {error.problems[0].message}", hint=hint)
