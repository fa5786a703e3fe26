"""Owns commits, branches and artifacts through GitHub's API, with no git at hand."""

from __future__ import annotations

import base64
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

from gepa_ci.delivery.github_errors import RefusedError, nonsense, unreachable
from gepa_ci.delivery.payloads import Fields
from gepa_ci.errors import GitHubError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.delivery.github_transport import Transport

LARGEST_ARTIFACT = 20 * 1024 * 1024
_WRITE = "contents: write"
_PLAIN_FILE = "100644"
_NOT_FOUND = 404
_INVALID = 422
_TIMEOUT = 30


def signed_commit(
    transport: Transport,
    repository: str,
    *,
    parent: str,
    files: Mapping[str, bytes],
    message: str,
) -> str:
    """Make a commit on a parent that changes some files, on no branch yet, and return its id.

    It names no author, so that GitHub writes the token's account and signs for it.
    """
    base = f"/repos/{repository}/git"
    found = transport.send(
        "GET", f"{base}/commits/{parent}", action="read the parent", needs="contents: read"
    )
    entries = []
    for path, content in files.items():
        blob = {"content": base64.b64encode(content).decode(), "encoding": "base64"}
        sha = _create(transport, f"{base}/blobs", blob, action="store a file")
        entries.append({"path": path, "mode": _PLAIN_FILE, "type": "blob", "sha": sha})
    tree = {"base_tree": Fields(found.data, "commit").sha("tree.sha"), "tree": entries}
    commit = {
        "message": message,
        "tree": _create(transport, f"{base}/trees", tree, action="store the files"),
        "parents": [parent],
    }
    return _create(transport, f"{base}/commits", commit, action="make a commit")


def _create(transport: Transport, path: str, body: Mapping[str, object], *, action: str) -> str:
    # Objects are named by their content: made twice, they are made once.
    answer = transport.send(
        "POST", path, action=action, needs=_WRITE, body=body, is_repeatable=True
    )
    return Fields(answer.data, "git object").sha("sha")


def branch_tip(transport: Transport, repository: str, branch: str) -> str | None:
    """Return the commit of a branch, or None when there is no such branch."""
    try:
        answer = transport.send(
            "GET",
            f"/repos/{repository}/git/ref/heads/{quote(branch)}",
            action=f"read the branch '{branch}'",
            needs="contents: read",
        )
    except RefusedError as error:
        if error.status != _NOT_FOUND:
            raise
        return None
    return Fields(answer.data, "branch").sha("object.sha")


def set_branch(
    transport: Transport, repository: str, branch: str, sha: str, *, expected: str | None
) -> None:
    """Move a branch to a commit if it still is where it is expected; None expects no branch.

    Raises:
        GitHubError: the branch is elsewhere, or may not be moved.
    """
    refs = f"/repos/{repository}/git/refs"
    action = f"set the branch '{branch}'"
    if (tip := branch_tip(transport, repository, branch)) != expected:
        if tip == sha:
            return
        raise _moved(branch, tip)
    try:
        if expected is None:
            body: Mapping[str, object] = {"ref": f"refs/heads/{branch}", "sha": sha}
            transport.send("POST", refs, action=action, needs=_WRITE, body=body)
        else:
            path, body = f"{refs}/heads/{quote(branch)}", {"sha": sha, "force": True}
            transport.send("PATCH", path, action=action, needs=_WRITE, body=body)
    except RefusedError as error:
        # Somebody was between the look and the write.
        if error.status == _INVALID and error.said.startswith("Reference"):
            raise _moved(branch, branch_tip(transport, repository, branch)) from error
        raise


def _moved(branch: str, tip: str | None) -> GitHubError:
    where = "is gone" if tip is None else f"is at {tip}"
    return GitHubError(
        f"the branch '{branch}' {where}, so something else changed it",
        hint="run again: the next run starts from what is there now",
    )


def artifact(transport: Transport, repository: str, run: int, name: str) -> bytes | None:
    """Return the zip file of a run's newest artifact of a name; None when there is none.

    Raises:
        GitHubError: it is too large, or cannot be had.
    """
    rows = transport.pages(
        f"/repos/{repository}/actions/runs/{run}/artifacts",
        action="list artifacts",
        needs="actions: read",
        query={"name": name},
        key="artifacts",
    )
    found = [fields for row in rows if (fields := Fields(row, "artifact")).text("name") == name]
    alive = [fields for fields in found if not fields.flag("expired")]
    if not alive:
        return None
    newest = max(alive, key=lambda fields: fields.number("id"))
    if newest.number("size_in_bytes") > LARGEST_ARTIFACT:
        raise _too_large(name)
    answer = transport.send(
        "GET",
        f"/repos/{repository}/actions/artifacts/{newest.number('id')}/zip",
        action="find the artifact",
        needs="actions: read",
    )
    return _download(answer.headers.get("location", ""), name, transport.token)


def _download(url: str, name: str, token: str) -> bytes:
    # The store is another host, to which the token must not go.
    action = "download the artifact"
    if urlsplit(url).scheme not in {"http", "https"}:
        raise nonsense(action)
    try:
        with urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 - the scheme is checked
            data: bytes = answer.read(LARGEST_ARTIFACT + 1)
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()
        raise unreachable(action, error, token=token) from error
    if len(data) > LARGEST_ARTIFACT:
        raise _too_large(name)
    return data


def _too_large(name: str) -> GitHubError:
    return GitHubError(
        f"the artifact '{name}' is larger than {LARGEST_ARTIFACT // 1024**2} MiB",
        hint="it is not one that gepa-ci made",
    )
