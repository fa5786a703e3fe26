"""Owns what the GitHub emulator remembers and the values that its parts pass around."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from github_repository import BareRepository

Row = dict[str, Any]

BOT_LOGIN = "github-actions[bot]"
BOT_ID = 41898282
LONGEST_BODY = 65_536
"""Characters of a comment, and of a pull request's body."""
ALL_WRITE = dict.fromkeys(
    ("contents", "pull-requests", "issues", "checks", "statuses", "actions"), "write"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Who a token speaks for and what it may do."""

    login: str = BOT_LOGIN
    id: int = BOT_ID
    permissions: Mapping[str, str] = field(default_factory=lambda: ALL_WRITE)
    """`read` or `write` a name, in the words of a workflow's `permissions:`."""
    app: str | None = "github-actions"
    """Slug of the app, for a workflow's token; None for a person's."""

    def may(self, need: str) -> bool:
        """Return whether one of the needs, such as `issues:write|pull-requests:write`, is met."""
        for one in need.split("|"):
            name, _, level = one.partition(":")
            if name == "metadata" or self.permissions.get(name) in {level, "write"}:
                return True
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as the log keeps it."""

    method: str
    path: str
    """Without the prefix `/api/v3`, with the query."""
    body: Any
    """Parsed JSON; of a push, the branches that it moved and where to."""
    status: int = 0
    """What was answered; 0 when nothing was."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The names in lower case."""

    @property
    def is_write(self) -> bool:
        """Whether it changed something."""
        if self.path.endswith(("git-upload-pack", "git-receive-pack")):
            return self.path.endswith("git-receive-pack") and bool(self.body)
        return self.method in {"POST", "PATCH", "PUT", "DELETE"} and 200 <= self.status < 300


@dataclass(slots=True, kw_only=True)
class Fault:
    """Something that goes wrong on purpose."""

    method: str
    path: re.Pattern[str]
    status: int
    body: Any
    headers: Mapping[str, str]
    times: int
    every: int
    is_done_first: bool
    """Whether the request takes effect, and only its answer is this one."""
    seen: int = 0

    @property
    def reply(self) -> Reply:
        """What is answered; status 0 drops the connection."""
        if not self.status:
            return Reply(status=0, is_dropped=True)
        return Reply(status=self.status, data=self.body, headers=self.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer."""

    data: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_dropped: bool = False
    """Whether the connection is closed with no answer."""


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """An answer that says no."""

    def __init__(
        self, status: int, message: str, *errors: Mapping[str, str], **headers: str
    ) -> None:
        data: Row = {
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": str(status),
        }
        if errors:
            data["errors"] = list(errors)
        self.reply = Reply(status=status, data=data, headers=headers)
        super().__init__(message)


def invalid(resource: str, field_name: str, code: str = "invalid") -> Refused:
    """Build the refusal of one field."""
    return Refused(
        422, "Validation Failed", {"resource": resource, "code": code, "field": field_name}
    )


def custom(resource: str, message: str, field_name: str = "") -> Refused:
    """Build a refusal that says why in words."""
    error = {"resource": resource, "code": "custom", "message": message}
    return Refused(
        422, "Validation Failed", {**error, "field": field_name} if field_name else error
    )


@dataclass(slots=True, kw_only=True)
class World:
    """Everything that the emulator knows; guarded by its lock."""

    name: str
    """`owner/name`."""
    git: BareRepository
    id: int = 1001
    fork_owner: str = "somebody"
    """Who has the forks; an organization may fork to itself."""
    is_private: bool = True
    may_actions_open_pulls: bool = True
    """Settings > Actions > General > Workflow permissions."""
    protected: set[str] = field(default_factory=set)
    """Branches that nobody may push to, delete or move."""
    tokens: dict[str, Token] = field(default_factory=dict)
    users: dict[str, int] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    """Login to admin, maintain, write, triage, read or a custom role's name."""
    pulls: list[Row] = field(default_factory=list)
    comments: list[Row] = field(default_factory=list)
    review_comments: list[Row] = field(default_factory=list)
    reactions: list[Row] = field(default_factory=list)
    checks: list[Row] = field(default_factory=list)
    statuses: list[Row] = field(default_factory=list)
    runs: list[Row] = field(default_factory=list)
    artifacts: list[Row] = field(default_factory=list)
    blobs: dict[int, bytes] = field(default_factory=dict)
    verified: set[str] = field(default_factory=set)
    """Commits that GitHub itself signed."""
    budget: int = 15_000
    """Requests left before the primary limit."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    last_id: int = 0

    @property
    def owner(self) -> str:
        """The part before the slash."""
        return self.name.partition("/")[0]

    def next_id(self) -> int:
        """Return a number that nothing else has."""
        self.last_id += 1
        return 5_000_000_000 + self.last_id

    def now(self) -> str:
        """Return a time that grows with every id, so that tests see no clock."""
        minutes, seconds = divmod(self.last_id, 60)
        hours, minutes = divmod(minutes, 60)
        return f"2026-03-01T{hours:02}:{minutes:02}:{seconds:02}Z"

    def account(self, login: str) -> Row:
        """Return a user as GitHub shows it; logins that are new get an id."""
        number = self.users.setdefault(login, 9000 + len(self.users))
        return {
            "login": login,
            "id": number,
            "type": "Bot" if login.endswith("[bot]") else "User",
            "html_url": f"https://github.invalid/{login}",
        }

    def pull(self, number: int) -> Row:
        """Return a pull request."""
        for row in self.pulls:
            if row["number"] == number:
                return row
        raise Refused(404, "Not Found")

    def sync(self) -> None:
        """Let the pull requests see what happened to their branches, as a push does."""
        open_pulls = [row for row in self.pulls if row["state"] == "open"]
        branches = self.git.branches() if open_pulls else {}
        for row in open_pulls:
            self._sync(row, branches)

    def _sync(self, row: Row, branches: Mapping[str, str]) -> None:
        is_own = row["head_repository"] == self.id
        tip = branches.get(row["head_ref"]) if is_own else row["head_sha"]
        base = branches.get(row["base_ref"])
        if tip is None or base is None:
            row["state"] = "closed"
            return
        if tip != row["head_sha"]:
            row["head_sha"], row["base_sha"] = tip, base
            self.git.git("update-ref", f"refs/pull/{row['number']}/head", tip)
        if base != row["base_sha"] and self.git.is_ancestor(tip, base):
            row["state"], row["merged_at"], row["merge_commit_sha"] = "closed", self.now(), base


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request of the API on its way to an endpoint."""

    world: World
    token: Token
    method: str
    path: str
    query: Mapping[str, str]
    body: Row
    api_url: str
    server_url: str

    def text(self, name: str, resource: str, *, most: int | None = None) -> str:
        """Return a required text of the body."""
        value = self.body.get(name)
        if value is None or value == "":
            raise invalid(resource, name, "missing_field")
        if not isinstance(value, str):
            raise invalid(resource, name)
        if most is not None and len(value) > most:
            raise custom(resource, f"{name} is too long (maximum is {most} characters)", name)
        return value

    def optional(self, name: str, resource: str, *, most: int | None = None) -> str | None:
        """Return a text of the body, or None."""
        return self.text(name, resource, most=most) if self.body.get(name) else None


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: its method, path, the permission that it needs, and what it does."""

    method: str
    path: re.Pattern[str]
    needs: str
    answer: Callable[..., Reply]


def route(method: str, path: str, needs: str, answer: Callable[..., Reply]) -> Route:
    """Build an endpoint of the repository; groups of the path become arguments."""
    return Route(method, re.compile(path), needs, answer)


def paged(call: Call, rows: Sequence[Row], *, key: str = "", **more: Any) -> Reply:
    """Answer with one page of rows, and links to the others."""
    size = min(_positive(call, "per_page", 30), 100)
    page = _positive(call, "page", 1)
    last = max(1, -(-len(rows) // size))
    links = {"first": 1, "prev": page - 1} if page > 1 else {}
    links |= {"next": page + 1, "last": last} if page < last else {}
    others = "&".join(f"{name}={value}" for name, value in call.query.items() if name != "page")
    header = ", ".join(
        f'<{call.api_url}{call.path}?{others}{"&" if others else ""}page={number}>; rel="{name}"'
        for name, number in links.items()
    )
    shown = list(rows[(page - 1) * size : page * size])
    data: Any = {"total_count": len(rows), key: shown, **more} if key else shown
    return Reply(data=data, headers={"Link": header} if header else {})


def _positive(call: Call, name: str, default: int) -> int:
    value = call.query.get(name, "")
    return int(value) if value.isdigit() and int(value) else default
