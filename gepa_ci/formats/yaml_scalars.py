"""Owns how a text is written as a YAML scalar: which notations can carry it, and their bytes."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PRINTABLE = re.compile(
    "[\\t\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]*"
)
_PLAIN = re.compile(r"[A-Za-z](?:[^:#\t]|:(?=[\w/])|(?<! )#)*")
_FLOW = frozenset(",?[]{}")
_NOT_TEXT = frozenset(["true", "false", "yes", "no", "on", "off", "null", "y", "n"])
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
_WIDTH = 80
_BYTE = 0xFF
_MAX_INDICATOR = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a scalar stands, and how it was written."""

    style: str
    """As PyYAML calls it: empty for plain, a quote, `|` or `>`."""
    eol: str
    """Line ending to write."""
    parent: int
    """Column of the mapping around it."""
    indent: int
    """Columns before each line of a block."""
    in_flow: bool
    """Whether the mapping stands in braces, where blocks cannot."""
    raw: str
    """The scalar's old notation."""

    @property
    def is_block(self) -> bool:
        """Whether it was a block."""
        return self.style in ("|", ">")

    @property
    def header(self) -> str:
        """The first line of a block."""
        return re.split(r"[\r\n\x85\u2028\u2029]", self.raw, maxsplit=1)[0]

    @property
    def comment(self) -> str:
        """The comment in the first line of a block, with the blanks before it."""
        return self.header.lstrip("|>+-0123456789").rstrip() if self.is_block else ""

    @property
    def end(self) -> str:
        """The line break that a block's notation includes."""
        found = re.search(r"(?:\r\n|[\n\r\x85\u2028\u2029])$", self.raw) if self.is_block else None
        return self.eol if found else ""


def notations(place: Place, text: str) -> Iterator[str]:
    """Yield ways to write a text in a place, the one that is most like the old one first."""
    if not place.style and (plain := _plain(place, text)) is not None:
        yield plain
    if place.style == "'" and (single := _single(text)) is not None:
        yield single
    if place.style == ">" and (folded := _folded(place, text)) is not None:
        yield folded
    wants_block = place.is_block or ("\n" in text and place.style != '"')
    if wants_block and not place.in_flow and (literal := _literal(place, text)) is not None:
        yield literal
    yield double(text) + place.comment + place.end


def fresh(text: str, *, eol: str, parent: int) -> str:
    """Write a text where none was: as a block when it has lines, else as simply as it can be."""
    place = Place(style="", eol=eol, parent=parent, indent=parent + 2, in_flow=False, raw="")
    found = _literal(place, text) if "\n" in text else _plain(place, text)
    if found is None and ('"' in text or "\\" in text):
        found = _single(text)
    return double(text) if found is None else found


def double(text: str) -> str:
    """Write a text in double quotes, which can carry any."""
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if _PRINTABLE.fullmatch(char):
        return char
    return f"\\x{ord(char):02x}" if ord(char) <= _BYTE else f"\\u{ord(char):04x}"


def _plain(place: Place, text: str) -> str | None:
    if not (_PLAIN.fullmatch(text) and _PRINTABLE.fullmatch(text)):
        return None
    if text.endswith(" ") or text.lower() in _NOT_TEXT:
        return None
    return None if place.in_flow and not _FLOW.isdisjoint(text) else text


def _single(text: str) -> str | None:
    return "'" + text.replace("'", "''") + "'" if _PRINTABLE.fullmatch(text) else None


def _can_be_block(text: str) -> bool:
    return bool(text.strip()) and bool(_PRINTABLE.fullmatch(text.replace("\n", "")))


def _literal(place: Place, text: str) -> str | None:
    if not _can_be_block(text):
        return None
    body = text.rstrip("\n")
    # The first line would be taken for the indentation of all; libyaml also refuses a tab there.
    needs_indicator = body.lstrip("\n")[0] in " \t" or not body.split("\n", 1)[0].strip()
    return _block(place, "|", text, body.split("\n"), needs_indicator=needs_indicator)


def _folded(place: Place, text: str) -> str | None:
    body = text.rstrip("\n")
    lines = body.split("\n")
    # How lines that start or end with a blank fold is read differently by different libraries.
    if not _can_be_block(text) or any(line != line.strip() for line in lines):
        return None
    width = max(len(line) - place.indent for line in place.raw.splitlines()[1:] or [" " * _WIDTH])
    return _block(place, ">", text, _spread(lines, width), needs_indicator=False)


def _block(
    place: Place, mark: str, text: str, lines: list[str], *, needs_indicator: bool
) -> str | None:
    breaks = len(text) - len(text.rstrip("\n"))
    keeps = re.match(r"[|>][0-9]?\+", place.header) is not None
    chomp = "-" if not breaks else "+" if keeps or breaks > 1 else ""
    had_indicator = place.is_block and re.match(r"[|>][-+]?[1-9]", place.header) is not None
    step = place.indent - place.parent
    if (needs_indicator or had_indicator) and step > _MAX_INDICATOR:
        return None
    indicator = str(step) if needs_indicator or had_indicator else ""
    spaces = " " * place.indent
    body = place.eol.join(spaces + line if line else "" for line in lines)
    # In place of a scalar within a line, that line's own end closes the block.
    closing = max(breaks - 1, 0) + (1 if place.end or (place.is_block and breaks) else 0)
    return f"{mark}{indicator}{chomp}{place.comment}{place.eol}{body}{place.eol * closing}"


def _wrapped(line: str, width: int) -> list[str]:
    wrapped = textwrap.wrap(
        line,
        width=max(width, 20),
        expand_tabs=False,
        replace_whitespace=False,
        drop_whitespace=True,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapped if " ".join(wrapped) == line else [line]


def _spread(lines: list[str], width: int) -> list[str]:
    """Return the lines of a folded block: n line breaks of the text are n empty lines there."""
    spread: list[str] = []
    for number, line in enumerate(lines):
        spread += _wrapped(line, width) if line else [""]
        if line and number < len(lines) - 1:
            spread.append("")
    return spread
