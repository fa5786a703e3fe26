"""Owns the end of a search before its budget is used."""

from __future__ import annotations


class Enough(BaseException):
    """Ends a search from inside a library that catches `Exception`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """A finished sentence."""
