"""Owns the GitHub emulator's endpoints of the repository, its commits and git's data."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from github_model import Call, Refused, Reply, Row, invalid, paged, route
from github_pulls import repository_view
from github_repository import BOT, GitFailedError, Person

if TYPE_CHECKING:
    from github_model import Route


def get_repository(call: Call) -> Reply:
    """Answer `GET repos/OWNER/NAME`."""
    return Reply(data=repository_view(call, call.world))


def commit_of(call: Call, name: str) -> str:
    sha = call.world.git.sha(f"refs/heads/{name}") or call.world.git.sha(name)
    if sha is None:
        raise Refused(422, f"No commit found for SHA: {name}")
    return sha


def _git_commit(call: Call, sha: str) -> Row:
    is_signed = sha in call.world.verified
    verification = {"verified": is_signed, "reason": "valid" if is_signed else "unsigned"}
    return {**call.world.git.commit_row(sha), "verification": verification}


def get_commit(call: Call, name: str) -> Reply:
    """Answer `GET commits/REF`."""
    sha = commit_of(call, name)
    row = _git_commit(call, sha)
    base = row["parents"][0]["sha"] if row["parents"] else sha
    files = call.world.git.changed(base, sha)
    return Reply(data={"sha": sha, "commit": row, "parents": row["parents"], "files": files})


def get_branch(call: Call, name: str) -> Reply:
    """Answer `GET branches/NAME`."""
    sha = call.world.git.sha(f"refs/heads/{name}")
    if sha is None:
        raise Refused(404, "Branch not found")
    is_protected = name in call.world.protected
    return Reply(data={"name": name, "commit": {"sha": sha}, "protected": is_protected})


def compare(call: Call, base: str, head: str) -> Reply:
    """Answer `GET compare/BASE...HEAD`."""
    git = call.world.git
    old, new = commit_of(call, base), commit_of(call, head)
    ahead, behind = git.commits_between(old, new), git.commits_between(new, old)
    status = {
        (True, True): "diverged",
        (True, False): "ahead",
        (False, True): "behind",
        (False, False): "identical",
    }[(bool(ahead), bool(behind))]
    return Reply(
        data={
            "status": status,
            "ahead_by": len(ahead),
            "behind_by": len(behind),
            "total_commits": len(ahead),
            "merge_base_commit": {"sha": git.text("merge-base", old, new)},
            "commits": [{"sha": sha, "commit": git.commit_row(sha)} for sha in ahead],
            "files": git.changed(old, new),
        }
    )


def get_contents(call: Call, path: str) -> Reply:
    """Answer `GET contents/PATH` for a file."""
    sha = commit_of(call, call.query.get("ref", call.world.git.default_branch))
    try:
        content = call.world.git.read(sha, path)
    except GitFailedError as error:
        raise Refused(404, "Not Found") from error
    text = base64.encodebytes(content).decode()
    row = {"type": "file", "path": path, "size": len(content), "encoding": "base64"}
    return Reply(
        data={**row, "content": text, "sha": call.world.git.text("rev-parse", f"{sha}:{path}")}
    )


def _object(call: Call, sha: str, kind: str) -> str:
    if not re.fullmatch("[0-9a-f]{40}", sha) or call.world.git.kind(sha) != kind:
        raise Refused(404, "Not Found")
    return sha


def get_git_commit(call: Call, sha: str) -> Reply:
    """Answer `GET git/commits/SHA`."""
    return Reply(data=_git_commit(call, _object(call, sha, "commit")))


def get_tree(call: Call, sha: str) -> Reply:
    """Answer `GET git/trees/SHA`."""
    git = call.world.git
    if git.kind(sha) == "commit":
        sha = git.commit_row(sha)["tree"]["sha"]
    rows = git.tree_rows(_object(call, sha, "tree"), recursive="recursive" in call.query)
    return Reply(data={"sha": sha, "tree": rows, "truncated": False})


def get_blob(call: Call, sha: str) -> Reply:
    """Answer `GET git/blobs/SHA`."""
    content = call.world.git.git("cat-file", "blob", _object(call, sha, "blob"))
    text = base64.encodebytes(content).decode()
    return Reply(data={"sha": sha, "size": len(content), "encoding": "base64", "content": text})


def put_blob(call: Call) -> Reply:
    """Answer `POST git/blobs`."""
    content = call.body.get("content")
    if not isinstance(content, str):
        raise invalid("Blob", "content", "missing_field")
    match call.body.get("encoding", "utf-8"):
        case "utf-8":
            data = content.encode()
        case "base64":
            try:
                data = base64.b64decode(content, validate=True)
            except binascii.Error as error:
                raise Refused(422, "content is not valid Base64") from error
        case _:
            raise invalid("Blob", "encoding")
    return Reply(status=201, data={"sha": call.world.git.put_blob(data)})


def put_tree(call: Call) -> Reply:
    """Answer `POST git/trees`."""
    git, rows, entries = call.world.git, call.body.get("tree"), []
    if not isinstance(rows, list) or not rows:
        raise Refused(422, "Invalid tree info")
    base = call.body.get("base_tree")
    if base is not None and git.kind(base) == "commit":
        base = git.commit_row(base)["tree"]["sha"]
    if base is not None and git.kind(base) != "tree":
        raise Refused(422, "base_tree is not a valid tree oid")
    for row in rows:
        path, mode = row.get("path"), row.get("mode")
        parts = str(path).split("/")
        if not isinstance(path, str) or {"", ".", "..", ".git"} & set(parts):
            raise Refused(422, "tree.path contains a malformed path component")
        if mode not in {"100644", "100755", "120000"}:
            raise Refused(422, f"tree.mode '{mode}' is not one of the allowed")
        sha = git.put_blob(row["content"].encode()) if "content" in row else row.get("sha")
        if sha is not None and git.kind(sha) != "blob":
            raise Refused(422, f"tree.sha {sha} is not a valid blob")
        entries.append({"path": path, "mode": mode, "sha": sha})
    sha = git.put_tree(base, entries)
    return Reply(status=201, data={"sha": sha, "tree": git.tree_rows(sha, recursive=False)})


def put_commit(call: Call) -> Reply:
    """Answer `POST git/commits`; with no author and no signature, GitHub signs a bot's."""
    git = call.world.git
    message, tree = call.text("message", "Commit"), call.text("tree", "Commit")
    parents = call.body.get("parents", [])
    if git.kind(tree) != "tree":
        raise Refused(422, "Tree SHA does not exist")
    if any(git.kind(parent) != "commit" for parent in parents):
        raise Refused(422, "Parent SHA does not exist or is not a commit object")
    author = call.body.get("author")
    person = Person(name=author["name"], email=author["email"]) if author else BOT
    sha = git.put_commit(message, tree, parents, author=person)
    if author is None and "committer" not in call.body and call.token.app:
        call.world.verified.add(sha)
    return Reply(status=201, data=_git_commit(call, sha))


def _ref_row(call: Call, name: str, sha: str) -> Row:
    url = f"{call.api_url}/repos/{call.world.name}/git/refs/{name}"
    return {"ref": f"refs/{name}", "url": url, "object": {"type": "commit", "sha": sha}}


def get_ref(call: Call, name: str) -> Reply:
    """Answer `GET git/ref/NAME`."""
    sha = call.world.git.sha(f"refs/{name}")
    if sha is None:
        raise Refused(404, "Not Found")
    return Reply(data=_ref_row(call, name, sha))


def matching_refs(call: Call, prefix: str) -> Reply:
    """Answer `GET git/matching-refs/PREFIX`."""
    rows = [
        _ref_row(call, f"heads/{name}", sha)
        for name, sha in call.world.git.branches().items()
        if f"heads/{name}".startswith(prefix)
    ]
    return paged(call, rows)


def _check_target(call: Call) -> str:
    sha = call.text("sha", "Reference")
    if not re.fullmatch("[0-9a-f]{40}", sha) or call.world.git.kind(sha) != "commit":
        raise Refused(422, "Object does not exist")
    return sha


def _check_protection(call: Call, name: str) -> None:
    if name.removeprefix("heads/") in call.world.protected:
        raise Refused(
            422,
            "Repository rule violations found\n\nChanges must be made through a pull request.\n\n",
        )


def put_ref(call: Call) -> Reply:
    """Answer `POST git/refs`."""
    ref = call.text("ref", "Reference")
    name = ref.removeprefix("refs/")
    try:
        call.world.git.git("check-ref-format", ref)
    except GitFailedError as error:
        raise Refused(422, "Reference name is not valid") from error
    if not ref.startswith(("refs/heads/", "refs/tags/")):
        raise Refused(422, "Reference name must start with 'refs/' and have at least two slashes")
    sha = _check_target(call)
    if call.world.git.sha(ref) is not None:
        raise Refused(422, "Reference already exists")
    _check_protection(call, name)
    call.world.git.git("update-ref", ref, sha, "0" * 40)
    return Reply(status=201, data=_ref_row(call, name, sha))


def move_ref(call: Call, name: str) -> Reply:
    """Answer `PATCH git/refs/NAME`."""
    sha, tip = _check_target(call), call.world.git.sha(f"refs/{name}")
    if tip is None:
        raise Refused(422, "Reference does not exist")
    _check_protection(call, name)
    if call.body.get("force") is not True and not call.world.git.is_ancestor(tip, sha):
        raise Refused(422, "Update is not a fast forward")
    call.world.git.git("update-ref", f"refs/{name}", sha, tip)
    return Reply(data=_ref_row(call, name, sha))


def delete_ref(call: Call, name: str) -> Reply:
    """Answer `DELETE git/refs/NAME`."""
    if call.world.git.sha(f"refs/{name}") is None:
        raise Refused(422, "Reference does not exist")
    _check_protection(call, name)
    call.world.git.git("update-ref", "-d", f"refs/{name}")
    return Reply(status=204)


ROUTES: tuple[Route, ...] = (
    route("GET", "", "metadata:read", get_repository),
    route("GET", r"/branches/(.+)", "contents:read", get_branch),
    route("GET", r"/compare/(.+?)\.\.\.(.+)", "contents:read", compare),
    route("GET", r"/contents/(.+)", "contents:read", get_contents),
    route("GET", r"/commits/(.+)", "contents:read", get_commit),
    route("GET", r"/git/commits/(\w+)", "contents:read", get_git_commit),
    route("GET", r"/git/trees/(\w+)", "contents:read", get_tree),
    route("GET", r"/git/blobs/(\w+)", "contents:read", get_blob),
    route("GET", r"/git/ref/(.+)", "contents:read", get_ref),
    route("GET", r"/git/matching-refs/(.*)", "contents:read", matching_refs),
    route("POST", "/git/blobs", "contents:write", put_blob),
    route("POST", "/git/trees", "contents:write", put_tree),
    route("POST", "/git/commits", "contents:write", put_commit),
    route("POST", "/git/refs", "contents:write", put_ref),
    route("PATCH", r"/git/refs/(.+)", "contents:write", move_ref),
    route("DELETE", r"/git/refs/(.+)", "contents:write", delete_ref),
)
