"""Owns sending requests to GitHub's API: the token, retries, waiting for limits, pages."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gepa_ci.delivery.github_errors import RefusedError, is_limit, nonsense, refused, unreachable
from gepa_ci.errors import GitHubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from github import Github
    from github.Requester import Requester

LONGEST_WAIT = 60.0
"""Seconds that one request may wait for limits and between attempts, all together."""
_ATTEMPTS = 4
_FIRST_BACKOFF = 0.5
_TIMEOUT = 30
_PAGE = 100
_MOST_PAGES = 100
_OK = range(200, 300)
_FOUND = 302
_FORBIDDEN = 403
_LIMITED = {_FORBIDDEN, 429}
_SERVER_ERRORS = {500, 502, 503, 504}
_TOKEN = re.compile(r"[!-~]*")
_NEXT = re.compile(r';\s*rel="next"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What GitHub answered."""

    data: Any
    """Parsed JSON; None where there is none."""
    headers: Mapping[str, str]
    """The names in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    answer: Answer | None = None
    error: GitHubError | None = None
    wait: float | None = None
    """Seconds after which another attempt makes sense."""


class Transport:
    """Sends requests to one API with one token; connects when the first one is sent.

    Args:
        token: of the workflow, an app or a person.
        api_url: with its path, such as `https://github.example/api/v3`.
        sleep: waits for so many seconds.
        clock: the time now, in seconds since 1970.
    """

    def __init__(
        self,
        token: str,
        *,
        api_url: str,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(api_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise GitHubError(
                f"'{api_url}' is not the address of an API",
                hint="GITHUB_API_URL should be like https://api.github.com",
            )
        token = token.strip()
        if not _TOKEN.fullmatch(token):
            # It would come back in the error of the library that refuses it.
            raise GitHubError("the token has characters that no token has", hint="pass it alone")
        self.token = token
        self._api_url = api_url.rstrip("/")
        self._sleep = sleep
        self._clock = clock
        self._github: Github | None = None

    def close(self) -> None:
        """End the connections."""
        if self._github is not None:
            self._github.close()
            self._github = None

    def send(
        self,
        method: str,
        path: str,
        *,
        action: str,
        needs: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        is_repeatable: bool | None = None,
    ) -> Answer:
        """Send a request, again where that can help, and return the answer.

        Args:
            method: the HTTP method.
            path: below the API's address, quoted.
            action: what is tried, for messages: `open a pull request`.
            needs: the permission for it, for messages: `pull-requests: write`.
            body: sent as JSON.
            query: parameters of the address.
            is_repeatable: whether it may be sent twice; by default all but POST.

        Raises:
            RefusedError: GitHub said no.
            GitHubError: GitHub could not be asked.
        """
        repeats = method != "POST" if is_repeatable is None else is_repeatable
        waited = 0.0
        attempt = 0
        while True:
            tried = self._try(method, path, action=action, needs=needs, body=body, query=query)
            if tried.answer is not None:
                return tried.answer
            assert tried.error is not None
            attempt += 1
            wait = tried.wait
            if wait is None and repeats and _may_help(tried.error):
                wait = _FIRST_BACKOFF * 2 ** (attempt - 1)
            if wait is None or attempt >= _ATTEMPTS or waited + wait > LONGEST_WAIT:
                raise tried.error
            self._sleep(wait)
            waited += wait

    def pages(
        self,
        path: str,
        *,
        action: str,
        needs: str,
        query: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Iterator[object]:
        """Yield the rows of a list, page after page; `key` is the list's name in the answer."""
        for page in range(1, _MOST_PAGES + 1):
            asked = {**(query or {}), "per_page": _PAGE, "page": page}
            answer = self.send("GET", path, action=action, needs=needs, query=asked)
            rows = answer.data
            if key is not None:
                rows = rows.get(key) if isinstance(rows, Mapping) else None
            if not isinstance(rows, list):
                raise nonsense(action)
            yield from rows
            if not _NEXT.search(answer.headers.get("link", "")):
                return
        raise GitHubError(f"GitHub has more than {_PAGE * _MOST_PAGES} rows to '{action}'")

    def _try(
        self,
        method: str,
        path: str,
        *,
        action: str,
        needs: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
    ) -> _Try:
        from github import GithubException

        accept = {"Accept": "application/vnd.github+json"}
        try:
            status, headers, text = self._requester().requestJson(
                method, path, dict(query or {}), accept, body
            )
        # The library asserts what it expects of addresses, and raises bare errors for redirects.
        except (OSError, ValueError, RuntimeError, AssertionError, GithubException) as error:
            return _Try(error=unreachable(action, error, token=self.token))
        try:
            data = json.loads(text) if text else None
        except ValueError:
            if status in _OK:
                return _Try(error=nonsense(action))
            data = None
        if status in _OK or status == _FOUND:
            return _Try(answer=Answer(data=data, headers=headers))
        refusal = refused(action, status=status, data=data, needs=needs, token=self.token)
        return _Try(error=refusal, wait=self._limit(status, headers, data))

    def _limit(self, status: int, headers: Mapping[str, str], data: object) -> float | None:
        """Return how long a limit lasts; what it refused was not done, so it may be sent again."""
        if status not in _LIMITED:
            return None
        if (after := headers.get("retry-after", "")).isdigit():
            return float(after)
        if status == _FORBIDDEN and not is_limit(data):
            return None
        reset = headers.get("x-ratelimit-reset", "")
        if headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
            # One more second, as it is not said when in that second it ends.
            return max(0.0, int(reset) - self._clock()) + 1
        return LONGEST_WAIT

    def _requester(self) -> Requester:
        if self._github is None:
            from github import Auth, Github

            # Retries and waits are ours: the library's know no bound over several attempts,
            # and its pauses between requests would be most of a run.
            self._github = Github(
                auth=Auth.Token(self.token) if self.token else None,
                base_url=self._api_url,
                timeout=_TIMEOUT,
                user_agent="gepa-ci",
                retry=None,
                seconds_between_requests=None,
                seconds_between_writes=None,
            )
        return self._github.requester


def _may_help(error: GitHubError) -> bool:
    return not isinstance(error, RefusedError) or error.status in _SERVER_ERRORS
