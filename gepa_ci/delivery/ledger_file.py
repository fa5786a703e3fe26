"""Owns the ledger of held-out uses in a local file: appended to by many processes at once.

One file a task. A process reads all lines and appends one under a lock, so that no two of them
spend the same budget. A last line that a killed writer left torn loses nothing before it: it is
moved aside, and what comes next starts on a line of its own.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from gepa_ci.delivery.data_values import slug
from gepa_ci.delivery.ledger_lines import entry_of, line_of
from gepa_ci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from gepa_ci.core.ledger import Entry

T = TypeVar("T")

LARGEST = 64 * 1024 * 1024
_CHUNK = 1024 * 1024
_HINT = (
    "restore the file from a backup, or delete it: the record of held-out uses then begins anew, "
    "so take in new held-out examples as well"
)


@dataclass(slots=True)
class LedgerFile:
    """The record of one task in a folder."""

    folder: Path
    """Made when there is something to write."""
    task: str
    notes: list[str] = field(default_factory=list)
    """Finished sentences about what could not be read."""

    @property
    def path(self) -> Path:
        """Return the file."""
        return self.folder / f"{slug(self.task)}.jsonl"

    def read(self) -> tuple[Entry, ...]:
        """Return all entries; none when there is no file.

        Raises:
            UsageError: a line is not as we write it, or the file cannot be read.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | _BINARY)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._unusable(error) from error
        with self._opened(descriptor):
            entries, torn, _ = self._entries(_content(descriptor))
        if torn:
            self._note(f"The last line of {self.path} is half written and was left out.")
        return entries

    def transact(self, decide: Callable[[Sequence[Entry]], tuple[T, Entry | None]]) -> T:
        """Show all entries to `decide`, append the entry that it returns, and return the rest.

        Nobody else reads or writes the file in between.

        Raises:
            UsageError: a line is not as we write it, or the file cannot be read or written.
            ValueError: the entry is of another task, or could not be read again.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY
            descriptor = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise self._unusable(error) from error
        with self._opened(descriptor):
            content = _content(descriptor)
            entries, torn, is_ended = self._entries(content)
            result, entry = decide(entries)
            if torn:
                self._set_aside(descriptor, len(content) - len(torn), torn)
            if entry is not None:
                if entry.task != self.task:
                    raise ValueError(f"an entry of the task '{entry.task}' is not of this file")
                _append(descriptor, line_of(entry) if is_ended else b"\n" + line_of(entry))
        return result

    @contextmanager
    def _opened(self, descriptor: int) -> Iterator[None]:
        try:
            with _locked(descriptor):
                yield
        except OSError as error:
            raise self._unusable(error) from error
        finally:
            os.close(descriptor)

    def _entries(self, content: bytes) -> tuple[tuple[Entry, ...], bytes, bool]:
        """Return the entries, a torn last line, and whether what is kept ends its last line."""
        if len(content) > LARGEST:
            raise self._wrong(f"it has more than {LARGEST} bytes")
        *whole, rest = content.split(b"\n")
        found = [self._entry(number, line) for number, line in enumerate(whole, 1)]
        if not rest:
            return tuple(found), b"", True
        try:
            last = entry_of(rest)
        except ValueError:
            return tuple(found), rest, True
        return (*found, self._owned(len(whole) + 1, last)), b"", False

    def _entry(self, number: int, line: bytes) -> Entry:
        try:
            entry = entry_of(line)
        except ValueError as error:
            raise self._wrong(str(error), line=number) from error
        return self._owned(number, entry)

    def _owned(self, number: int, entry: Entry) -> Entry:
        if entry.task != self.task:
            raise self._wrong(f"it has a record of the task {entry.task!r:.80}", line=number)
        return entry

    def _set_aside(self, descriptor: int, size: int, torn: bytes) -> None:
        aside = self.path.with_suffix(".torn")
        # First a copy, then the cut: whoever is killed in between leaves the line twice, not never.
        with aside.open("ab") as file:
            file.write(torn + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
        self._note(
            f"The last line of {self.path} was half written and has been moved to {aside.name}; "
            f"nothing before it is lost."
        )

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _wrong(self, what: str, *, line: int | None = None) -> UsageError:
        return UsageError(f"ledger: {what}", path=str(self.path), line=line, hint=_HINT)

    def _unusable(self, error: OSError) -> UsageError:
        return UsageError(
            f"ledger: cannot be read or written: {error.strerror}",
            path=str(self.path),
            hint="the folder has to be writable, and on a disk that knows file locks",
        )


_BINARY = getattr(os, "O_BINARY", 0)


def _content(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    found = bytearray()
    # One byte more than may be there is enough to see that there is too much.
    while len(found) <= LARGEST and (chunk := os.read(descriptor, _CHUNK)):
        found += chunk
    return bytes(found)


def _append(descriptor: int, line: bytes) -> None:
    rest = line
    # A write is whole unless the disk is full or a signal came; then what is left follows it.
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


if sys.platform == "win32":  # pragma: no cover - tests run where there is fcntl
    import msvcrt
    import time

    # Windows locks bytes, and nobody may read locked ones: so it is one that is never written.
    _LOCKED_BYTE = 2**31 - 2

    @contextmanager
    def _locked(descriptor: int) -> Iterator[None]:
        def at_byte(mode: int) -> None:
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, mode, 1)

        while True:
            try:
                at_byte(msvcrt.LK_NBLCK)
            except PermissionError:
                time.sleep(0.01)
            else:
                break
        try:
            yield
        finally:
            at_byte(msvcrt.LK_UNLCK)

else:
    import fcntl

    @contextmanager
    def _locked(descriptor: int) -> Iterator[None]:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Closing the file gives the lock back, also when the process is killed.
        yield
