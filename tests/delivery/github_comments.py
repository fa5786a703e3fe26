"""Owns the GitHub emulator's endpoints of comments, remarks on lines, labels and people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from github_model import (
    LONGEST_BODY,
    Call,
    Refused,
    Reply,
    Row,
    World,
    custom,
    invalid,
    paged,
    route,
)

if TYPE_CHECKING:
    from github_model import Route

_PR = "pull-requests"
_TALK = "issues:{0}|pull-requests:{0}"


def list_comments(call: Call, number: str) -> Reply:
    """Answer `GET issues/N/comments`."""
    call.world.pull(int(number))
    return paged(call, [row for row in call.world.comments if row["number"] == int(number)])


def add_comment(call: Call, number: str) -> Reply:
    """Answer `POST issues/N/comments`."""
    call.world.pull(int(number))
    body = call.text("body", "IssueComment", most=LONGEST_BODY)
    return Reply(status=201, data=new_comment(call.world, int(number), call.token.login, body))


def new_comment(world: World, number: int, login: str, body: str) -> Row:
    """Remember a new comment."""
    made = world.next_id()
    row: Row = {
        "id": made,
        "number": number,
        "user": world.account(login),
        "body": body,
        "html_url": f"https://github.invalid/{world.name}/pull/{number}#issuecomment-{made}",
        "created_at": world.now(),
        "updated_at": world.now(),
    }
    world.comments.append(row)
    return row


def _comment(call: Call, made: str) -> Row:
    for row in call.world.comments:
        if row["id"] == int(made):
            return row
    raise Refused(404, "Not Found")


def get_comment(call: Call, made: str) -> Reply:
    """Answer `GET issues/comments/ID`."""
    return Reply(data=_comment(call, made))


def edit_comment(call: Call, made: str) -> Reply:
    """Answer `PATCH issues/comments/ID`."""
    row = _comment(call, made)
    row["body"] = call.text("body", "IssueComment", most=LONGEST_BODY)
    call.world.next_id()
    row["updated_at"] = call.world.now()
    return Reply(data=row)


def delete_comment(call: Call, made: str) -> Reply:
    """Answer `DELETE issues/comments/ID`."""
    call.world.comments.remove(_comment(call, made))
    return Reply(status=204)


def react(call: Call, made: str) -> Reply:
    """Answer `POST issues/comments/ID/reactions`."""
    _comment(call, made)
    content = call.text("content", "Reaction")
    if content not in {"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"}:
        raise invalid("Reaction", "content")
    row = {
        "id": call.world.next_id(),
        "content": content,
        "comment": int(made),
        "user": call.world.account(call.token.login),
    }
    call.world.reactions.append(row)
    return Reply(status=201, data=row)


def list_review_comments(call: Call, number: str) -> Reply:
    """Answer `GET pulls/N/comments`."""
    call.world.pull(int(number))
    return paged(call, [row for row in call.world.review_comments if row["number"] == int(number)])


def add_review_comment(call: Call, number: str) -> Reply:
    """Answer `POST pulls/N/comments`; lines must be in the diff."""
    world, row, kind = call.world, call.world.pull(int(number)), "PullRequestReviewComment"
    body = call.text("body", kind, most=LONGEST_BODY)
    path = call.text("path", kind)
    sha = call.text("commit_id", kind)
    line = call.body.get("line")
    start = call.body.get("start_line", line)
    if not isinstance(line, int) or not isinstance(start, int) or not 0 < start <= line:
        raise invalid(kind, "line")
    if "start_line" in call.body and start == line:
        raise custom(kind, "start_line must precede the end line.", "start_line")
    if sha not in world.git.commits_between(row["base_sha"], row["head_sha"]):
        raise custom(kind, "commit_id is not part of the pull request", "commit_id")
    shown = {
        file["filename"]: lines_of(file.get("patch", ""))
        for file in world.git.changed(row["base_sha"], sha)
    }
    if path not in shown:
        raise custom(kind, "path could not be resolved", "path")
    if not {start, line} <= shown[path]:
        raise custom(kind, "line must be part of the diff", "line")
    comment: Row = {
        "id": world.next_id(),
        "number": int(number),
        "user": world.account(call.token.login),
        "body": body,
        "path": path,
        "commit_id": sha,
        "line": line,
        "start_line": None if start == line else start,
        "side": call.body.get("side", "RIGHT"),
        "html_url": f"https://github.invalid/{world.name}/pull/{number}#discussion",
        "created_at": world.now(),
    }
    world.review_comments.append(comment)
    return Reply(status=201, data=comment)


def lines_of(patch: str) -> set[int]:
    """Return the lines of the new file that a patch shows."""
    shown: set[int] = set()
    at = 0
    for line in patch.split("\n"):
        if line.startswith("@@"):
            at = int(line.split("+", 1)[1].split(" ")[0].split(",")[0])
        elif not line.startswith(("-", "\\")):
            shown.add(at)
            at += 1
    return shown


def add_labels(call: Call, number: str) -> Reply:
    """Answer `POST issues/N/labels`; labels that are new are made."""
    row = call.world.pull(int(number))
    names = call.body.get("labels")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise invalid("Issue", "labels")
    if any(not 0 < len(name) <= 50 for name in names):
        raise custom("Label", "name is too long (maximum is 50 characters)", "name")
    row["labels"] += [name for name in names if name not in row["labels"]]
    return list_labels(call, number)


def remove_label(call: Call, number: str, name: str) -> Reply:
    """Answer `DELETE issues/N/labels/NAME`."""
    row = call.world.pull(int(number))
    if name not in row["labels"]:
        raise Refused(404, "Label does not exist")
    row["labels"].remove(name)
    return list_labels(call, number)


def list_labels(call: Call, number: str) -> Reply:
    """Answer `GET issues/N/labels`."""
    return paged(call, [{"name": name} for name in call.world.pull(int(number))["labels"]])


def permission(call: Call, login: str) -> Reply:
    """Answer `GET collaborators/LOGIN/permission`."""
    world = call.world
    if login not in world.users and login not in world.roles:
        raise Refused(404, f"{login} is not a user")
    role = world.roles.get(login, "none" if world.is_private else "read")
    old = {"maintain": "write", "triage": "read"}.get(role, role)
    known = old if old in {"admin", "write", "read", "none"} else "read"
    return Reply(data={"permission": known, "role_name": role, "user": world.account(login)})


ROUTES: tuple[Route, ...] = (
    route("GET", r"/pulls/(\d+)/comments", f"{_PR}:read", list_review_comments),
    route("POST", r"/pulls/(\d+)/comments", f"{_PR}:write", add_review_comment),
    route("GET", r"/issues/(\d+)/comments", _TALK.format("read"), list_comments),
    route("POST", r"/issues/(\d+)/comments", _TALK.format("write"), add_comment),
    route("GET", r"/issues/comments/(\d+)", _TALK.format("read"), get_comment),
    route("PATCH", r"/issues/comments/(\d+)", _TALK.format("write"), edit_comment),
    route("DELETE", r"/issues/comments/(\d+)", _TALK.format("write"), delete_comment),
    route("POST", r"/issues/comments/(\d+)/reactions", _TALK.format("write"), react),
    route("GET", r"/issues/(\d+)/labels", _TALK.format("read"), list_labels),
    route("POST", r"/issues/(\d+)/labels", _TALK.format("write"), add_labels),
    route("DELETE", r"/issues/(\d+)/labels/(.+)", _TALK.format("write"), remove_label),
    route("GET", r"/collaborators/([^/]+)/permission", "metadata:read", permission),
)
