"""Payloads of GitHub's events, with the fields that decide and some that do not."""

from __future__ import annotations

from typing import Any

from gepa_ci.delivery.events import Event

REPOSITORY_ID = 100
FORK_ID = 200
BASE, HEAD, DEFAULT = "b" * 40, "a" * 40, "d" * 40
REPOSITORY: dict[str, Any] = {
    "id": REPOSITORY_ID,
    "full_name": "acme/mail",
    "default_branch": "main",
    "private": False,
}


def pull(**changes: Any) -> dict[str, Any]:
    """Return a pull request of a branch of the same repository."""
    return {
        "number": 7,
        "title": "Shorten the prompt",
        "html_url": "https://github.example/acme/mail/pull/7",
        "user": {"id": 5, "login": "octo", "type": "User"},
        "head": {"sha": HEAD, "ref": "shorter", "repo": {"id": REPOSITORY_ID}},
        "base": {"sha": BASE, "ref": "main", "repo": {"id": REPOSITORY_ID}},
        "state": "open",
        "merged": False,
        "draft": False,
        "labels": [{"name": "prompts"}],
        "body": None,
        **changes,
    }


def forked(**changes: Any) -> dict[str, Any]:
    """Return a pull request from a fork."""
    return pull(head={"sha": HEAD, "ref": "shorter", "repo": {"id": FORK_ID}}, **changes)


def event(name: str, payload: dict[str, Any], **changes: Any) -> Event:
    """Return an event on the default branch."""
    fields = {"repository": "acme/mail", "ref": "refs/heads/main", "sha": DEFAULT, **changes}
    return Event(name=name, payload={"repository": REPOSITORY, **payload}, **fields)


def on_pull(action: str, found: dict[str, Any] | None = None, **payload: Any) -> Event:
    """Return an event of a pull request; its GITHUB_SHA is the merge that nobody trusts."""
    return event(
        "pull_request",
        {"action": action, "pull_request": found or pull(), **payload},
        ref="refs/pull/7/merge",
        sha="c" * 40,
    )


def on_comment(body: str, *, kind: str = "User", login: str = "octo", **issue: Any) -> Event:
    """Return the event of a new comment on a pull request."""
    return event(
        "issue_comment",
        {
            "action": "created",
            "issue": {"number": 7, "state": "open", "pull_request": {"url": "x"}, **issue},
            "comment": {
                "id": 31,
                "body": body,
                "user": {"id": 5, "login": login, "type": kind},
            },
        },
    )


def on_run(*, checked_out: str | None = None, action: str = "completed", **changes: Any) -> Event:
    """Return the event of a fork's run that is over."""
    run = {
        "id": 77,
        "event": "pull_request",
        "head_sha": HEAD,
        "head_branch": "shorter",
        "head_repository": {"id": FORK_ID},
        "conclusion": "success",
        "path": ".github/workflows/gepa-ci.yml",
        **changes,
    }
    return event("workflow_run", {"action": action, "workflow_run": run}, checked_out=checked_out)


def on_group(**changes: Any) -> Event:
    """Return the event of a merge group."""
    group = {
        "head_sha": HEAD,
        "head_ref": f"refs/heads/gh-readonly-queue/main/pr-7-{BASE}",
        "base_sha": BASE,
        "base_ref": "refs/heads/main",
        **changes,
    }
    return event("merge_group", {"action": "checks_requested", "merge_group": group})
