"""Owns what is said when GitHub refuses: its own words, cut and cleaned, and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gepa_ci.errors import GitHubError

_LONGEST = 240
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_LIMIT = re.compile(r"rate limit|abuse detection|wait a few minutes", re.IGNORECASE)
_MAY_NOT_OPEN = re.compile(r"not permitted to create or approve pull requests", re.IGNORECASE)
_RULES = re.compile(r"rule violation|protected branch", re.IGNORECASE)

_ALLOW_PULLS = (
    "turn on Settings > Actions > General > Workflow permissions > "
    "'Allow GitHub Actions to create and approve pull requests', "
    "or pass the token of an app or a person"
)


class RefusedError(GitHubError):
    """GitHub answered with an error."""

    def __init__(self, message: str, *, status: int, said: str, hint: str | None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.said = said
        """GitHub's words, on one line."""


def refused(action: str, *, status: int, data: object, needs: str, token: str) -> RefusedError:
    """Build the error of an answer.

    Args:
        action: what was tried, such as `open a pull request`.
        status: the answer's HTTP status.
        data: the answer's JSON.
        needs: the permission that the request takes, such as `pull-requests: write`.
        token: what must never be repeated.
    """
    said = words_of(data, token) or "no reason given"
    return RefusedError(
        f"GitHub refused to {action}: {said} (HTTP {status})",
        status=status,
        said=said,
        hint=_hint(status, said, needs),
    )


def unreachable(action: str, error: BaseException, *, token: str) -> GitHubError:
    """Build the error of a request that got no answer."""
    said = _clean(str(error) or type(error).__name__, token)
    return GitHubError(
        f"GitHub could not be asked to {action}: {said}",
        hint="is the address of the API right, and can this machine reach it?",
    )


def nonsense(action: str) -> GitHubError:
    """Build the error of an answer that is not what GitHub sends."""
    return GitHubError(
        f"GitHub's answer to '{action}' makes no sense",
        hint="does the API address lead to GitHub, and not to a proxy's page?",
    )


def is_limit(data: object) -> bool:
    """Return whether an answer speaks of a rate limit."""
    message = data.get("message") if isinstance(data, Mapping) else None
    return isinstance(message, str) and _LIMIT.search(message) is not None


def words_of(data: object, token: str) -> str:
    """Return what an answer's JSON says, with the reasons of its fields, on one line."""
    if not isinstance(data, Mapping):
        return ""
    words = [str(data.get("message") or "")]
    errors = data.get("errors")
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, Mapping):
            pair = f"{error.get('field')} {error.get('code')}"
            words.append(str(error.get("message") or pair))
        else:
            words.append(str(error))
    return _clean(": ".join([words[0], ", ".join(words[1:])]).strip(": "), token)


def _clean(text: str, token: str) -> str:
    first = next((line for line in text.strip().splitlines() if line.strip()), "")
    first = first.replace(token, "***") if token else first
    return _CONTROL.sub(" ", first)[:_LONGEST].strip().rstrip(".")


def _hint(status: int, said: str, needs: str) -> str | None:
    if _MAY_NOT_OPEN.search(said):
        return _ALLOW_PULLS
    if _LIMIT.search(said) or status == 429:  # noqa: PLR2004 - the HTTP status of limits
        return "the limit did not end in time; run again later, and fewer jobs at once"
    if _RULES.search(said):
        return "the branch is protected: let the token's app bypass the rules, or change them"
    hints = {
        307: "the repository has moved: use its new name",
        401: "the token is not valid or has ended; `token: ${{ github.token }}` is a good one",
        403: f"give the job `permissions: {needs}`; "
        "runs for forks and for Dependabot only ever get to read",
        404: f"it is gone, or the token may not see it: give the job `permissions: {needs}`",
        409: "something else changed it at the same time; run again",
        410: "it has expired; run what made it again",
    }
    if status >= 500:  # noqa: PLR2004 - HTTP's server errors
        return "GitHub has trouble, see https://www.githubstatus.com; run again later"
    return hints.get(status)
