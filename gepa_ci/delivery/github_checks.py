"""Owns check runs on GitHub, and the commit status where a token may not write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gepa_ci.delivery.forge import Conclusion
from gepa_ci.delivery.github_errors import RefusedError
from gepa_ci.delivery.payloads import Fields, parse_check_run
from gepa_ci.errors import GitHubError

if TYPE_CHECKING:
    from gepa_ci.delivery.forge import Annotation, Check, CheckRun
    from gepa_ci.delivery.github_transport import Transport

_AT_ONCE = 50
_LONGEST_SUMMARY = 65_535
_LONGEST_TITLE = 255
_LONGEST_MESSAGE = 16_000
_LONGEST_DESCRIPTION = 140
_FORBIDDEN = 403
_WRITE = "checks: write"

# A status cannot be neutral, and what decided nothing must not be green.
_STATES = {
    Conclusion.SUCCESS: "success",
    Conclusion.FAILURE: "failure",
    Conclusion.NEUTRAL: "pending",
}


def checks(transport: Transport, repository: str, sha: str, name: str) -> list[CheckRun]:
    """Return the latest check runs of a name on a commit, one an app."""
    rows = transport.pages(
        f"/repos/{repository}/commits/{sha}/check-runs",
        action="list check runs",
        needs="checks: read",
        query={"check_name": name},
        key="check_runs",
    )
    return [parse_check_run(row) for row in rows]


def put_check(transport: Transport, repository: str, check: Check) -> int:
    """Show a check run on its commit and return its id; 0 when a commit status had to do.

    Raises:
        GitHubError: the token may write neither.
    """
    try:
        return _put(transport, repository, check)
    except RefusedError as error:
        if error.status != _FORBIDDEN:
            raise
        _put_status(transport, repository, check, error)
        return 0


def _put(transport: Transport, repository: str, check: Check) -> int:
    rows = [_annotation(annotation) for annotation in check.annotations]
    for run in checks(transport, repository, check.sha, check.name):
        # The check run of a workflow's job has no title; it is not ours, whatever its name.
        if run.title and (missing := _missing(transport, repository, run.id, rows)) is not None:
            try:
                _send(transport, repository, check, missing, run.id)
            except RefusedError as error:
                # Another app's.
                if error.status != _FORBIDDEN:
                    raise
            else:
                return run.id
    return _send(transport, repository, check, rows, None)


def _missing(
    transport: Transport, repository: str, number: int, rows: list[dict[str, Any]]
) -> list[dict[str, Any]] | None:
    """Return which annotations a check run lacks; None when it has, or may have, wrong ones.

    GitHub only ever adds annotations, so wrong ones take a new check run, which hides the old.
    """
    listed = transport.pages(
        f"/repos/{repository}/check-runs/{number}/annotations",
        action="list annotations",
        needs="checks: read",
    )
    try:
        shown = {_key(Fields(row, "annotation")) for row in listed}
    except GitHubError:
        return None
    wanted = {_key(Fields(row, "annotation")): row for row in rows}
    if not shown <= wanted.keys():
        return None
    return [row for key, row in wanted.items() if key not in shown]


def _key(fields: Fields) -> tuple[str, int, str]:
    return fields.text("path"), fields.number("start_line"), fields.text("message")


def _send(
    transport: Transport,
    repository: str,
    check: Check,
    rows: list[dict[str, Any]],
    number: int | None,
) -> int:
    base = f"/repos/{repository}/check-runs"
    for start in range(0, max(1, len(rows)), _AT_ONCE):
        output = {
            "title": check.title[:_LONGEST_TITLE],
            "summary": check.summary[:_LONGEST_SUMMARY],
            "annotations": rows[start : start + _AT_ONCE],
        }
        body: dict[str, Any] = {
            "name": check.name,
            "status": "completed",
            "conclusion": check.conclusion.value,
            "external_id": check.digest,
            "output": output,
        }
        is_new = number is None
        answer = transport.send(
            "POST" if is_new else "PATCH",
            base if is_new else f"{base}/{number}",
            action="write the check run",
            needs=_WRITE,
            body={**body, "head_sha": check.sha} if is_new else body,
            # Sent twice, annotations would stand there twice.
            is_repeatable=not is_new and not output["annotations"],
        )
        number = Fields(answer.data, "check run").number("id")
    assert number is not None
    return number


def _annotation(annotation: Annotation) -> dict[str, Any]:
    return {
        "path": annotation.path,
        "start_line": annotation.start_line,
        "end_line": annotation.end_line,
        "annotation_level": annotation.level.value,
        "title": annotation.title[:_LONGEST_TITLE],
        "message": annotation.message[:_LONGEST_MESSAGE],
    }


def _put_status(transport: Transport, repository: str, check: Check, refusal: RefusedError) -> None:
    try:
        transport.send(
            "POST",
            f"/repos/{repository}/statuses/{check.sha}",
            action="set the commit's status",
            needs="statuses: write",
            body={
                "state": _STATES[check.conclusion],
                "description": check.title[:_LONGEST_DESCRIPTION],
                "context": check.name,
            },
            is_repeatable=True,
        )
    except RefusedError as error:
        if error.status != _FORBIDDEN:
            raise
        raise GitHubError(
            f"GitHub lets this token write neither a check run nor a commit status: {refusal.said}",
            hint=f"give the job `permissions: {_WRITE}`",
        ) from error
