"""Makes the events that GitHub would send about what the emulator knows."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from github_server import GitHubServer

Payload = dict[str, Any]


def pull_request(server: GitHubServer, number: int, action: str = "synchronize") -> Payload:
    """Return the event of a pull request."""
    return {
        "action": action,
        "number": number,
        "pull_request": _get(server, f"/pulls/{number}"),
        **_common(server),
    }


def labeled(server: GitHubServer, number: int, label: str = "gepa-ci:optimize") -> Payload:
    """Return the event of a label that was given to a pull request."""
    return {**pull_request(server, number, "labeled"), "label": {"name": label}}


def merge_group(server: GitHubServer, *, base: str, head: str, number: int) -> Payload:
    """Return the event of a merge queue."""
    return {
        "action": "checks_requested",
        "merge_group": {
            "base_ref": "refs/heads/main",
            "base_sha": base,
            "head_ref": f"refs/heads/gh-readonly-queue/main/pr-{number}-{base}",
            "head_sha": head,
        },
        **_common(server),
    }


def push(server: GitHubServer, *, before: str, after: str, branch: str = "main") -> Payload:
    """Return the event of a push."""
    return {
        "ref": f"refs/heads/{branch}",
        "before": before,
        "after": after,
        "deleted": False,
        **_common(server),
    }


def schedule(server: GitHubServer) -> Payload:
    """Return the event of the nightly hour."""
    return {"schedule": "17 3 * * *", **_common(server)}


def workflow_dispatch(server: GitHubServer, **inputs: str) -> Payload:
    """Return the event of a run that a person started."""
    return {"inputs": inputs, "ref": "refs/heads/main", **_common(server)}


def issue_comment(server: GitHubServer, number: int, body: str, login: str = "ann") -> Payload:
    """Let somebody comment on a pull request, and return the event of that."""
    made = server.comment(number, body=body, login=login)
    comment = _get(server, f"/issues/comments/{made['id']}")
    return {
        "action": "created",
        "issue": {
            "number": number,
            "state": server.world.pull(number)["state"],
            "pull_request": {"url": f"{server.api_url}/repos/{server.name}/pulls/{number}"},
        },
        "comment": comment,
        **_common(server),
    }


def workflow_run(server: GitHubServer, run: int) -> Payload:
    """Return the event of a workflow's run that is over."""
    found = next(row for row in server.world.runs if row["id"] == run)
    head = found["head_repository"]
    full = {**found, "head_repository": {"id": head} if isinstance(head, int) else head}
    return {"action": "completed", "workflow_run": full, **_common(server)}


def _common(server: GitHubServer) -> Payload:
    return {"repository": _get(server, ""), "sender": {"id": 1, "login": "ann", "type": "User"}}


def _get(server: GitHubServer, path: str) -> Payload:
    """Ask the emulator, whose JSON has the form of the real one's."""
    request = urllib.request.Request(
        f"{server.api_url}/repos/{server.name}{path}",
        headers={"Authorization": "Bearer ghs_workflow"},
    )
    with urllib.request.urlopen(request) as response:
        found: Payload = json.load(response)
    return found
