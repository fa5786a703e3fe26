"""Owns the GitHub emulator's endpoints of pull requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


def repository_view(call: Call, world: World, repository: int | None = None) -> Row:
    """Show the repository, or a fork of it."""
    is_own = repository in {None, world.id}
    name = world.name if is_own else f"{world.fork_owner}/{world.name.partition('/')[2]}"
    owner = name.partition("/")[0]
    return {
        "id": world.id if is_own else repository,
        "name": name.partition("/")[2],
        "full_name": name,
        "private": world.is_private,
        "fork": not is_own,
        "owner": world.account(owner),
        "default_branch": world.git.default_branch,
        "url": f"{call.api_url}/repos/{name}",
        "html_url": f"{call.server_url}/{name}",
        "clone_url": f"{call.server_url}/{name}.git",
    }


def pull_view(call: Call, row: Row, *, is_whole: bool = True) -> Row:
    """Show a pull request; lists show less of it."""
    world = call.world
    fork = row["head_repository"]
    head_repository = None if fork is None else repository_view(call, world, fork)
    head_owner = None if head_repository is None else head_repository["owner"]
    head_label = "unknown" if head_owner is None else head_owner["login"]
    number = row["number"]
    view: Row = {
        "id": row["id"],
        "number": number,
        "state": row["state"],
        "locked": False,
        "title": row["title"],
        "body": row["body"],
        "user": row["user"],
        "draft": row["draft"],
        "labels": [{"id": index, "name": name} for index, name in enumerate(row["labels"])],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "closed_at": None if row["state"] == "open" else row["updated_at"],
        "merged_at": row["merged_at"],
        "merge_commit_sha": row["merge_commit_sha"],
        "url": f"{call.api_url}/repos/{world.name}/pulls/{number}",
        "html_url": f"{call.server_url}/{world.name}/pull/{number}",
        "head": {
            "label": f"{head_label}:{row['head_ref']}",
            "ref": row["head_ref"],
            "sha": row["head_sha"],
            "user": head_owner,
            "repo": head_repository,
        },
        "base": {
            "label": f"{world.owner}:{row['base_ref']}",
            "ref": row["base_ref"],
            "sha": row["base_sha"],
            "user": world.account(world.owner),
            "repo": repository_view(call, world),
        },
    }
    return {**view, "merged": row["merged_at"] is not None} if is_whole else view


def list_pulls(call: Call) -> Reply:
    """Answer `GET pulls`."""
    state = call.query.get("state", "open")
    owner, colon, branch = call.query.get("head", "").partition(":")
    base = call.query.get("base")
    rows = [
        view
        for row in call.world.pulls
        for view in [pull_view(call, row, is_whole=False)]
        if state in {"all", row["state"]}
        # GitHub looks away from a head without its owner.
        and (not colon or view["head"]["label"] == f"{owner}:{branch}")
        and (base is None or row["base_ref"] == base)
    ]
    is_rising = call.query.get("direction", "desc") == "asc"
    rows.sort(key=lambda row: row["number"], reverse=not is_rising)
    return paged(call, rows)


def get_pull(call: Call, number: str) -> Reply:
    """Answer `GET pulls/N`."""
    return Reply(data=pull_view(call, call.world.pull(int(number))))


def open_pull(call: Call) -> Reply:
    """Answer `POST pulls`."""
    world, kind = call.world, "PullRequest"
    if call.token.app == "github-actions" and not world.may_actions_open_pulls:
        raise Refused(403, "GitHub Actions is not permitted to create or approve pull requests.")
    title = call.text("title", kind, most=256)
    head = call.text("head", kind).removeprefix(f"{world.owner}:")
    base = call.text("base", kind)
    body = call.optional("body", kind, most=LONGEST_BODY)
    head_sha = world.git.sha(f"refs/heads/{head}")
    base_sha = world.git.sha(f"refs/heads/{base}")
    if head_sha is None:
        raise invalid(kind, "head")
    if base_sha is None:
        raise invalid(kind, "base")
    if any(
        row["state"] == "open"
        and (row["head_ref"], row["base_ref"]) == (head, base)
        and row["head_repository"] == world.id
        for row in world.pulls
    ):
        raise custom(kind, f"A pull request already exists for {world.owner}:{head}.")
    if not world.git.commits_between(base_sha, head_sha):
        raise custom(kind, f"No commits between {base} and {head}")
    row = new_pull(
        world,
        title=title,
        body=body,
        login=call.token.login,
        head_ref=head,
        head_sha=head_sha,
        base_ref=base,
        base_sha=base_sha,
        draft=call.body.get("draft", False) is True,
    )
    return Reply(status=201, data=pull_view(call, row))


def new_pull(world: World, *, login: str, **fields: Any) -> Row:
    """Remember a new pull request."""
    row: Row = {
        "id": world.next_id(),
        "number": len(world.pulls) + 1,
        "state": "open",
        "user": world.account(login),
        "labels": [],
        "head_repository": world.id,
        "created_at": world.now(),
        "updated_at": world.now(),
        "merged_at": None,
        "merge_commit_sha": None,
        "draft": False,
        "body": None,
        **fields,
    }
    world.git.git("update-ref", f"refs/pull/{row['number']}/head", row["head_sha"])
    world.pulls.append(row)
    return row


def edit_pull(call: Call, number: str) -> Reply:
    """Answer `PATCH pulls/N`."""
    world, row, kind = call.world, call.world.pull(int(number)), "PullRequest"
    state = call.body.get("state")
    if state not in {None, "open", "closed"}:
        raise invalid(kind, "state")
    if "title" in call.body:
        row["title"] = call.text("title", kind, most=256)
    if "body" in call.body:
        row["body"] = call.optional("body", kind, most=LONGEST_BODY)
    if "base" in call.body:
        row["base_ref"] = call.text("base", kind)
    if state == "open" and row["state"] == "closed":
        if row["merged_at"] or world.git.sha(f"refs/heads/{row['head_ref']}") is None:
            raise custom(
                kind, "state cannot be changed. The branch was merged or deleted.", "state"
            )
        if any(
            other["state"] == "open"
            and (other["head_ref"], other["base_ref"]) == (row["head_ref"], row["base_ref"])
            for other in world.pulls
        ):
            raise custom(kind, "state cannot be changed. There is already an open one.", "state")
    row["state"] = state or row["state"]
    world.next_id()
    row["updated_at"] = world.now()
    world.sync()
    return Reply(data=pull_view(call, row))


def merge_pull(call: Call, number: str) -> Reply:
    """Answer `PUT pulls/N/merge`."""
    row = call.world.pull(int(number))
    if row["state"] != "open" or row["draft"]:
        raise Refused(405, "Pull Request is not mergeable")
    sha = merge(call.world, row, squash=call.body.get("merge_method") == "squash")
    return Reply(data={"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def merge(world: World, row: Row, *, squash: bool) -> str:
    """Merge a pull request as its button does."""
    sha = world.git.merge(
        row["base_ref"],
        row["head_sha"],
        squash=squash,
        message=f"{row['title']} (#{row['number']})",
    )
    world.next_id()
    row |= {"state": "closed", "merged_at": world.now(), "merge_commit_sha": sha}
    row["updated_at"] = world.now()
    return sha


def pull_files(call: Call, number: str) -> Reply:
    """Answer `GET pulls/N/files`."""
    row = call.world.pull(int(number))
    return paged(call, call.world.git.changed(row["base_sha"], row["head_sha"]))


def pull_commits(call: Call, number: str) -> Reply:
    """Answer `GET pulls/N/commits`."""
    row = call.world.pull(int(number))
    shas = call.world.git.commits_between(row["base_sha"], row["head_sha"])
    return paged(call, [{"sha": sha, "commit": call.world.git.commit_row(sha)} for sha in shas])


def pulls_of_commit(call: Call, sha: str) -> Reply:
    """Answer `GET commits/SHA/pulls`."""
    world = call.world
    if (full := world.git.sha(sha)) is None:
        raise Refused(422, f"No commit found for SHA: {sha}")
    found = [
        pull_view(call, row, is_whole=False)
        for row in reversed(world.pulls)
        if row["merge_commit_sha"] == full
        or full in world.git.commits_between(row["base_sha"], row["head_sha"])
    ]
    return paged(call, found)


ROUTES: tuple[Route, ...] = (
    route("GET", "/pulls", f"{_PR}:read", list_pulls),
    route("POST", "/pulls", f"{_PR}:write", open_pull),
    route("GET", r"/pulls/(\d+)", f"{_PR}:read", get_pull),
    route("PATCH", r"/pulls/(\d+)", f"{_PR}:write", edit_pull),
    route("PUT", r"/pulls/(\d+)/merge", "contents:write", merge_pull),
    route("GET", r"/pulls/(\d+)/files", f"{_PR}:read", pull_files),
    route("GET", r"/pulls/(\d+)/commits", f"{_PR}:read", pull_commits),
    route("GET", r"/commits/([^/]+)/pulls", f"{_PR}:read", pulls_of_commit),
)
