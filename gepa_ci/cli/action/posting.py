"""Owns posting what a run without write access found out: the trusted half for forks.

The other half ran a workflow file that the fork may have changed, so everything that it brings is a
claim: its pull request is looked up by commit, its result is read as data and rendered again here,
and its check is never green.
"""

from __future__ import annotations

import io
import json
import lzma
import math
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from gepa_ci.cli.action.outcome import Outcome
from gepa_ci.delivery.forge import CHECK_NAME
from gepa_ci.errors import GitHubError, UsageError
from gepa_ci.reports import view, without_texts

if TYPE_CHECKING:
    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.core.values import JSON
    from gepa_ci.delivery.errands import PostErrand
    from gepa_ci.delivery.forge import PullRequest

ARTIFACT = "gepa-ci"
"""Name of the artifact that the other half uploads."""
RESULT = "posted.json"
"""The one file in it that is read."""
_LARGEST = 8 * 1024 * 1024
_DEEPEST = 32
_UNREADABLE = (
    *(zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError, EOFError),
    *(OSError, zlib.error, lzma.LZMAError),
)
"""What the parts of a zip file that is none, or JSON that is none, make Python raise."""


def post(desk: Desk, errand: PostErrand) -> Outcome:
    """Post the result of a run on the pull request whose head it judged."""
    if not errand.is_from_fork:
        return Outcome(reason="That run could post its result itself.")
    pull = _pull(desk, errand)
    if pull is None:
        return Outcome(reason="No open pull request has the commit of that run as its head.")
    # Another pull request can have the same head; a verdict that was not a fork's stays there.
    sha = None if _is_judged(desk, pull.head_sha) else pull.head_sha
    packed = desk.github.artifact(errand.run.id, ARTIFACT)
    if packed is None:
        return Outcome(
            reason=f"That run uploaded no artifact '{ARTIFACT}', so there is nothing to post.",
            sha=sha,
            pull=pull,
            head=pull.head_sha,
        )
    claimed = _read(packed)
    if isinstance(claimed.get("reason"), str):
        # The sentence is the fork's; ours says the same without quoting it.
        return Outcome(
            reason="This pull request comes from a fork, for which no model is called: its prompts "
            "were read and checked, and not judged. Push the branch to this repository to gate it.",
            sha=sha,
            pull=pull,
            head=pull.head_sha,
        )
    return Outcome(
        document=_result(claimed), sha=sha, pull=pull, head=pull.head_sha, unverified=True
    )


def _is_judged(desk: Desk, sha: str) -> bool:
    # The check run of a workflow's job can have the same name, but it has no title.
    return any(run.title and run.digest for run in desk.github.checks(sha, CHECK_NAME))


def _pull(desk: Desk, errand: PostErrand) -> PullRequest | None:
    for pull in desk.github.pulls_of_commit(errand.run.head_sha):
        # The list may be stale: what the pull request is now decides.
        now = desk.github.pull(pull.number)
        same = now.head_sha == errand.run.head_sha
        if now.is_open and same and now.head_repository == errand.run.head_repository:
            return now
    return None


def _read(packed: bytes) -> dict[str, Any]:
    """Read one JSON object out of a zip file in memory; nothing is unpacked to the disk."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            entry = archive.getinfo(RESULT)
            if entry.file_size > _LARGEST:
                raise _not_ours(f"'{RESULT}' is larger than 8 MiB")
            with archive.open(entry) as file:
                # The stated size is the fork's claim as well.
                content = file.read(_LARGEST + 1)
        found = None if len(content) > _LARGEST else _json(content)
    except _UNREADABLE as error:
        raise _not_ours(f"it has no readable '{RESULT}'") from error
    if not isinstance(found, dict) or _is_deeper(found, _DEEPEST):
        raise _not_ours(f"'{RESULT}' is no JSON object, or is too large or too deep")
    return found


def _json(content: bytes) -> object:
    return json.loads(content, parse_int=_int, parse_float=_float, parse_constant=_float)


def _float(text: str) -> float:
    """Read a number; Python's JSON would also take NaN and what is too large for a float."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _int(text: str) -> int:
    _float(text)
    return int(text)


def _is_deeper(value: object, most: int) -> bool:
    """Return whether JSON has more levels than that; recursion is what it must not cost."""
    level = [value]
    for _ in range(most):
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return bool(level)


def _result(claimed: dict[str, Any]) -> dict[str, JSON]:
    """Return a claimed result without texts, if it is a result at all."""
    # Nobody should be asked to run a command that a fork wrote.
    document = {**without_texts(claimed), "replay": ""}
    try:
        view(document)
    except UsageError as error:
        raise _not_ours("it holds no result") from error
    return document


def _not_ours(why: str) -> GitHubError:
    return GitHubError(
        f"the artifact '{ARTIFACT}' of the run is not one of ours: {why}",
        hint="the workflow that the run used may have been changed by the pull request",
    )
