"""Owns the faults that the GitHub emulator makes to order."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any

from github_model import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping


class Faults:
    """The part of the emulator that goes wrong on purpose."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []
        self._guard = threading.Lock()

    def fail_next(
        self,
        method: str,
        path: str,
        *,
        status: int = 502,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
        every: int = 1,
        done_first: bool = False,
    ) -> None:
        """Let the next requests fail whose method is this (or `*`) and whose path has a match.

        With `every=3`, only every third of them does.
        """
        self._ordered.append(
            Fault(
                method=method,
                path=re.compile(path),
                status=status,
                body={"message": "Server Error"} if body is None else body,
                headers=headers or {},
                times=times,
                every=every,
                is_done_first=done_first,
            )
        )

    def limit_primary(
        self, path: str = ".", *, reset_in: int = 1, times: int = 1, status: int = 403
    ) -> None:
        """Let the budget be used up, until a number of seconds from now."""
        reset = str(int(time.time()) + reset_in)
        headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
        body = {"message": "API rate limit exceeded for installation ID 1."}
        self.fail_next("*", path, status=status, body=body, headers=headers, times=times)

    def limit_secondary(
        self, path: str = ".", *, retry_after: int | None = 1, times: int = 1, status: int = 403
    ) -> None:
        """Let too much have been asked at once."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        body = {
            "message": "You have exceeded a secondary rate limit. "
            "Please wait a few minutes before you try again."
        }
        self.fail_next("*", path, status=status, body=body, headers=headers, times=times)

    def due_fault(self, method: str, path: str) -> Fault | None:
        """Return the fault that a request meets, and count it."""
        with self._guard:
            for fault in self._ordered:
                if fault.method in {"*", method} and fault.path.search(path) and fault.times:
                    fault.seen += 1
                    if fault.seen % fault.every == 0:
                        fault.times -= 1
                        return fault
        return None
