"""Owns the way from a prompt file's bytes to text whose offsets lead back to the bytes."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from gepa_ci.errors import PromptError

MAX_BYTES = 1 << 20
"""A larger file is not a prompt."""
BOM = "\ufeff"
BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
"""What YAML takes for the end of a line."""
_EOL = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file as text; every offset counts characters of it unless it says bytes."""

    path: str
    """As problems name it."""
    data: bytes
    """The whole file."""
    text: str
    """The same, decoded, with its byte order mark."""
    newlines: tuple[int, ...]
    """Offsets of the newlines."""

    def line(self, offset: int) -> int:
        """Return the 1-based line, as editors count."""
        return bisect_left(self.newlines, offset) + 1

    def byte(self, offset: int) -> int:
        """Return the offset in bytes."""
        return offset if len(self.data) == len(self.text) else len(self.text[:offset].encode())

    def line_end(self, offset: int) -> int:
        """Return where the next line starts; the offset itself when it starts a line."""
        if offset and BREAK.match(self.text, offset - 1):
            return offset
        found = BREAK.search(self.text, offset)
        return found.end() if found else len(self.text)

    def line_start(self, offset: int) -> int:
        """Return the offset of the first of the spaces right before an offset."""
        while offset and self.text[offset - 1] == " ":
            offset -= 1
        return offset

    @property
    def eol(self) -> str:
        """The line ending of the file: that of its first line."""
        found = _EOL.search(self.text)
        return found.group() if found else "\n"


def decode(path: str, data: bytes) -> Source:
    """Decode a file; a PromptError says why it cannot be a prompt."""
    if len(data) > MAX_BYTES:
        raise PromptError(
            f"the file has {len(data):,} bytes, more than the {MAX_BYTES:,} that a prompt may have",
            path=path,
            hint="keep examples in a suite file",
        )
    try:
        text = data.decode()
    except UnicodeDecodeError as cause:
        raise PromptError(
            f"not UTF-8: byte '0x{data[cause.start]:02x}' at offset {cause.start}",
            path=path,
            line=data.count(b"\n", 0, cause.start) + 1,
            hint="save the file as UTF-8",
        ) from cause
    newlines = tuple(found.start() for found in re.finditer("\n", text))
    return Source(path=path, data=data, text=text, newlines=newlines)


def is_sendable(text: str) -> bool:
    """Return whether a text can be encoded, that is, has no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
