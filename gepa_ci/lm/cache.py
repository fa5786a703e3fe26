"""Owns the response cache: answers by the digest of the whole request, in SQLite, as JSON."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from gepa_ci.core.call import Reply
from gepa_ci.core.score import ModelFailure
from gepa_ci.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_T = TypeVar("_T")
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID"
)
# About 10 MB, and 40 ms to read.
_MOST_KEYS = 100_000
_INSERT = "INSERT OR IGNORE INTO replies VALUES (?, ?)"


class ResponseCache:
    """Answers that were paid for, so that no process pays for one of them twice."""

    def __init__(self, path: Path) -> None:
        """Open or create the database at `path`; UsageError when it is not one of ours."""
        self._path = path
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, str]] = deque()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=60, isolation_level=None, check_same_thread=False
            )
            # WAL with NORMAL survives a killed process; only a power cut can lose the last answers.
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_SCHEMA)
            self._known = self._keys()
        except (sqlite3.Error, OSError) as error:
            raise self._broken(str(error)) from error

    def get(self, key: str) -> Reply | None:
        """Return the answer stored under a key, or None."""
        if self._known is not None and key not in self._known:
            return None
        try:
            with self._lock:
                self._write()
                row = self._db.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise self._broken(str(error)) from error
        return None if row is None else self._decode(row[0])

    def put(self, key: str, reply: Reply) -> None:
        """Store an answer; an answer that is already there stays."""
        values = {
            "text": reply.text,
            "failure": reply.failure,
            "detail": reply.detail,
            "input_tokens": reply.input_tokens,
            "output_tokens": reply.output_tokens,
            "model": reply.model,
            "usd": reply.usd,
        }
        text = json.dumps(values, ensure_ascii=True, separators=(",", ":"))
        if self._known is not None:
            self._known.add(key)
        self._waiting.append((key, text))
        # One thread writes what all have brought, and no thread waits for another. Whoever holds
        # the lock may have looked before this answer came, so it is looked again after each try.
        while self._waiting and self._lock.acquire(blocking=False):
            try:
                self._write()
            finally:
                self._lock.release()

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._write()
            self._db.close()

    def _keys(self) -> set[str] | None:
        """Return all keys, so that most questions need no query; None when they are too many."""
        rows = self._db.execute("SELECT key FROM replies LIMIT ?", (_MOST_KEYS + 1,)).fetchall()
        return {key for (key,) in rows} if len(rows) <= _MOST_KEYS else None

    def _write(self) -> None:
        """Write all that waits in one transaction: one thread writes what many have brought."""
        batch = []
        while self._waiting:
            batch.append(self._waiting.popleft())
        try:
            if len(batch) == 1:
                self._db.execute(_INSERT, batch[0])
            elif batch:
                self._db.execute("BEGIN")
                self._db.executemany(_INSERT, batch)
                self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._broken(str(error)) from error

    def _decode(self, text: str) -> Reply:
        # The file may come from another machine's cache: nothing in it is believed unchecked.
        try:
            values = json.loads(text)
            failure = values["failure"]
            usd = values["usd"]
            reply = Reply(
                text=_typed(values["text"], str),
                failure=None if failure is None else ModelFailure(failure),
                detail=_typed(values["detail"], str),
                input_tokens=_typed(values["input_tokens"], int),
                output_tokens=_typed(values["output_tokens"], int),
                model=_typed(values["model"], str),
                usd=None if usd is None else float(usd),
                cached=True,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise self._broken("an answer in it is not in our format") from error
        return reply

    def _broken(self, reason: str) -> UsageError:
        return UsageError(
            f"the response cache cannot be used: {reason}",
            path=str(self._path),
            hint="delete the file, or set `cache: off` in the config",
        )


def _typed(value: object, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        raise TypeError(kind.__name__)
    return value
