"""Owns the GitHub emulator's endpoints of checks, statuses, workflow runs and artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from github_model import Call, Refused, Reply, Row, custom, invalid, paged, route
from github_objects import commit_of
from github_pulls import repository_view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from github_model import Route

_CONCLUSIONS = {
    *("success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"),
    "stale",
}
_LONGEST_SUMMARY = 65_535
_MOST_ANNOTATIONS = 50


def _output(call: Call, row: Row) -> None:
    output = call.body.get("output")
    if output is None:
        return
    title, summary = output.get("title"), output.get("summary")
    if not isinstance(summary, str) or (title is None and not row["output"]["title"]):
        raise invalid("CheckRun", "output.summary", "missing_field")
    for name in ("summary", "text"):
        if len(output.get(name) or "") > _LONGEST_SUMMARY:
            raise custom("CheckRun", f"{name} exceeds a maximum length of {_LONGEST_SUMMARY}")
    if len(title or "") > 255:
        raise custom("CheckRun", "title exceeds a maximum length of 255")
    annotations = output.get("annotations", [])
    if len(annotations) > _MOST_ANNOTATIONS:
        raise Refused(
            422, f"Invalid request.\n\nNo more than {_MOST_ANNOTATIONS} items are allowed"
        )
    for annotation in annotations:
        _check_annotation(annotation)
    row["output"] |= {"title": title or row["output"]["title"], "summary": summary}
    row["annotations"] += annotations
    row["output"]["annotations_count"] = len(row["annotations"])


def _check_annotation(annotation: Mapping[str, Any]) -> None:
    for name, kind in (("path", str), ("start_line", int), ("end_line", int), ("message", str)):
        if not isinstance(annotation.get(name), kind) or not annotation[name]:
            raise invalid("CheckAnnotation", name)
    if annotation.get("annotation_level") not in {"notice", "warning", "failure"}:
        raise invalid("CheckAnnotation", "annotation_level")
    if annotation["start_line"] > annotation["end_line"]:
        raise invalid("CheckAnnotation", "end_line")
    if len(annotation["message"].encode()) > 64 * 1024 or len(annotation.get("title") or "") > 255:
        raise custom("CheckAnnotation", "is too long")


def _fill_check(call: Call, row: Row) -> Row:
    body = call.body
    conclusion, status = body.get("conclusion"), body.get("status", row["status"])
    if conclusion is not None and conclusion not in _CONCLUSIONS:
        raise invalid("CheckRun", "conclusion")
    if status not in {"queued", "in_progress", "completed"}:
        raise invalid("CheckRun", "status")
    if status == "completed" and conclusion is None and row["conclusion"] is None:
        raise invalid("CheckRun", "conclusion", "missing_field")
    _output(call, row)
    if conclusion is not None:
        row |= {"conclusion": conclusion, "status": "completed"}
    else:
        row["status"] = status
    row |= {name: body[name] for name in ("name", "external_id", "details_url") if name in body}
    return row


def put_check(call: Call) -> Reply:
    """Answer `POST check-runs`."""
    if call.token.app is None:
        raise Refused(403, "You must authenticate via a GitHub App.")
    name, sha = call.text("name", "CheckRun"), call.text("head_sha", "CheckRun")
    if call.world.git.kind(sha) != "commit":
        raise Refused(422, f"No commit found for SHA: {sha}")
    row: Row = {
        "id": call.world.next_id(),
        "name": name,
        "head_sha": sha,
        "status": "queued",
        "conclusion": None,
        "external_id": "",
        "app": {"id": 15368, "slug": call.token.app},
        "output": {"title": None, "summary": None, "annotations_count": 0},
        "annotations": [],
    }
    call.world.checks.append(_fill_check(call, row))
    return Reply(status=201, data=row)


def _check(call: Call, made: str) -> Row:
    for row in call.world.checks:
        if row["id"] == int(made):
            return row
    raise Refused(404, "Not Found")


def get_check(call: Call, made: str) -> Reply:
    """Answer `GET check-runs/ID`."""
    return Reply(data=_check(call, made))


def get_annotations(call: Call, made: str) -> Reply:
    """Answer `GET check-runs/ID/annotations`."""
    return paged(call, _check(call, made)["annotations"])


def edit_check(call: Call, made: str) -> Reply:
    """Answer `PATCH check-runs/ID`."""
    row = _check(call, made)
    if call.token.app != row["app"]["slug"]:
        raise Refused(
            403,
            "Invalid app_id - check run can only be modified by the GitHub App that created it.",
        )
    return Reply(data=_fill_check(call, row))


def list_checks(call: Call, name: str) -> Reply:
    """Answer `GET commits/REF/check-runs`."""
    sha, wanted = commit_of(call, name), call.query.get("check_name")
    rows = [
        row
        for row in reversed(call.world.checks)
        if row["head_sha"] == sha and wanted in {None, row["name"]}
    ]
    if call.query.get("filter", "latest") == "latest":
        latest = {(row["app"]["slug"], row["name"]): row for row in reversed(rows)}
        rows = [row for row in rows if row in latest.values()]
    return paged(call, rows, key="check_runs")


def put_status(call: Call, sha: str) -> Reply:
    """Answer `POST statuses/SHA`."""
    if call.world.git.kind(sha) != "commit":
        raise Refused(422, f"No commit found for SHA: {sha}")
    if call.body.get("state") not in {"error", "failure", "pending", "success"}:
        raise invalid("Status", "state")
    row = {
        "id": call.world.next_id(),
        "sha": sha,
        "state": call.body["state"],
        "description": call.optional("description", "Status", most=140),
        "context": call.optional("context", "Status") or "default",
        "creator": call.world.account(call.token.login),
    }
    call.world.statuses.append(row)
    return Reply(status=201, data=row)


def list_statuses(call: Call, name: str) -> Reply:
    """Answer `GET commits/REF/statuses`."""
    sha = commit_of(call, name)
    return paged(call, [row for row in reversed(call.world.statuses) if row["sha"] == sha])


def get_run(call: Call, number: str) -> Reply:
    """Answer `GET actions/runs/ID`."""
    for row in call.world.runs:
        if row["id"] == int(number):
            head = repository_view(call, call.world, row["head_repository"])
            repository = repository_view(call, call.world)
            return Reply(data={**row, "head_repository": head, "repository": repository})
    raise Refused(404, "Not Found")


def list_artifacts(call: Call, number: str) -> Reply:
    """Answer `GET actions/runs/ID/artifacts`."""
    get_run(call, number)
    wanted = call.query.get("name")
    rows = [
        row
        for row in reversed(call.world.artifacts)
        if row["workflow_run"]["id"] == int(number) and wanted in {None, row["name"]}
    ]
    return paged(call, rows, key="artifacts")


def get_artifact(call: Call, number: str, form: str) -> Reply:
    """Answer `GET actions/artifacts/ID/zip` with the way to the file."""
    for row in call.world.artifacts:
        if row["id"] == int(number) and form == "zip":
            if row["expired"]:
                raise Refused(410, "Artifact has expired")
            where = f"{call.server_url}/_blob/{number}?sig=a%2Bb%3D&se=2026"
            return Reply(status=302, headers={"Location": where})
    raise Refused(404, "Not Found")


ROUTES: tuple[Route, ...] = (
    route("GET", r"/commits/([^/]+)/check-runs", "checks:read", list_checks),
    route("GET", r"/commits/([^/]+)/statuses", "statuses:read", list_statuses),
    route("POST", "/check-runs", "checks:write", put_check),
    route("GET", r"/check-runs/(\d+)", "checks:read", get_check),
    route("PATCH", r"/check-runs/(\d+)", "checks:write", edit_check),
    route("GET", r"/check-runs/(\d+)/annotations", "checks:read", get_annotations),
    route("POST", r"/statuses/(\w+)", "statuses:write", put_status),
    route("GET", r"/actions/runs/(\d+)", "actions:read", get_run),
    route("GET", r"/actions/runs/(\d+)/artifacts", "actions:read", list_artifacts),
    route("GET", r"/actions/artifacts/(\d+)/(\w+)", "actions:read", get_artifact),
)
