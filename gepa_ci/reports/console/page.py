"""Owns lines, labelled rows and tables on a terminal, in colour or plain, made with rich."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.reports.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.text import Text

WIDTH = 96
"""Columns where there is no terminal to ask."""
NAME = 100
ID = 40
_TEXT = 360
_IDS = 6
_INDENT = 2
_LABEL = 12
_NARROWEST = 40
_SHORTEST_NAME = 8
_GAP = 2
_DECIMALS = re.compile(r"(?<=\.)\d+")
_ROOMY = 88
_STYLES = {
    "improved": "bold green",
    "promote": "bold green",
    "pass": "bold green",
    "regression": "bold red",
    "inconclusive": "bold yellow",
    "ruler_changed": "bold yellow",
    "hold": "bold yellow",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a table."""

    text: str
    """Visible, on one line."""
    style: str = ""
    """As rich names it; it is only ever seen in colour."""


class Page:
    """Collects what is to be printed; whatever it is given is text, and never markup."""

    def __init__(self, *, color: bool, width: int) -> None:
        """Begin an empty page."""
        from rich.console import Console

        self.color = color
        self.width = max(width, _NARROWEST)
        self._file = io.StringIO()
        self._console: Console = Console(
            file=self._file,
            width=self.width,
            force_terminal=color,
            color_system="standard" if color else None,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
            # Whoever asks for a page has looked at the environment.
            _environ={},
        )

    @property
    def room(self) -> int:
        """Return the columns beside the labels."""
        return self.width - _INDENT - _LABEL

    @property
    def is_roomy(self) -> bool:
        """Return whether all the figures of a task fit on one line."""
        return self.width >= _ROOMY

    @staticmethod
    def verdict_style(verdict: str | None) -> str:
        """Return how a verdict looks in colour."""
        return _STYLES.get(verdict or "", "bold")

    def text(self) -> str:
        """Return the page; without colour, no line ends in blanks."""
        found = self._file.getvalue()
        if self.color:
            return found
        return "".join(f"{line.rstrip()}\n" for line in found.split("\n")[:-1])

    def blank(self) -> None:
        """Leave a line free."""
        self._console.print()

    def heading(self, name: str, said: str, style: str = "bold") -> None:
        """Write who and what, not indented."""
        from rich.text import Text

        self._console.print(Text.assemble((f"{name}: ", "bold"), (said, style)), overflow="fold")

    def row(self, label: str, *paragraphs: str | Text) -> None:
        """Write a labelled row, each paragraph on lines of its own; nothing when all are empty."""
        for paragraph in paragraphs:
            for line in self.wrapped(paragraph) if paragraph else ():
                self.line(label, line)
                label = ""

    def line(self, label: str, line: Text) -> None:
        """Write one line of a labelled row as it is."""
        from rich.text import Text

        start = (f"{' ' * _INDENT}{label:<{_LABEL}}", "dim")
        self._console.print(Text.assemble(start, line), soft_wrap=True)

    def plain(self, line: str) -> None:
        """Write one line as it is, indented."""
        from rich.text import Text

        self._console.print(Text(f"{' ' * _INDENT}{line}"), soft_wrap=True)

    def hanging(self, text: str, hang: int) -> None:
        """Write text, indented, on as many lines as it needs; all but the first begin so deep."""
        for line in self.wrapped(text, room=self.width - _INDENT, hang=hang):
            self.plain(line.plain)

    def unwrapped(self, label: str, text: str) -> None:
        """Write a row on one line however long it is, so that it can be copied."""
        from rich.text import Text

        self.line(label, Text(text))

    def wrapped(self, paragraph: str | Text, *, room: int = 0, hang: int = 0) -> list[Text]:
        """Return the lines of a paragraph, by default beside the labels.

        Args:
            paragraph: The text.
            room: Columns; 0 for those beside the labels.
            hang: So many first characters stand free, and as many blanks before further lines.
        """
        from rich.text import Text

        text = Text(paragraph) if isinstance(paragraph, str) else paragraph
        room = room or self.room
        hang = min(hang, room // 2)
        lines = text[hang:].wrap(self._console, room - hang, overflow="fold")
        starts = [text[:hang], *[Text(" " * hang)] * (len(lines) - 1)]
        found = [start + line for start, line in zip(starts, lines, strict=True)]
        for line in found:
            line.rstrip()
        return found

    def table(
        self, names: Sequence[str], rows: Sequence[Sequence[Cell]], *, texts: int, label: str = ""
    ) -> None:
        """Write a table without lines; the first columns, so many, are text, and the rest figures.

        With a label it stands beside the labels, and has no row of names when all are empty. The
        first column gets what room the others leave, and is cut there.
        """
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=None,
            pad_edge=False,
            padding=(0, _GAP, 0, 0),
            show_header=any(names),
            header_style="dim",
        )
        for number, name in enumerate(names):
            is_text = number < texts
            table.add_column(
                Text(name),
                justify="left" if is_text else "right",
                no_wrap=True,
                min_width=_LABEL - _GAP if number == 0 else None,
            )
        room = (self.room if label else self.width - _INDENT) - _rest(names, rows)
        for row in rows:
            first, *others = (Text(cell.text, cell.style) for cell in row)
            first.truncate(max(room, _SHORTEST_NAME), overflow="ellipsis")
            table.add_row(first, *others)
        if not label:
            self._console.print(Padding(table, (0, 0, 0, _INDENT)))
            return
        grid = Table.grid()
        grid.add_column(width=_INDENT + _LABEL)
        grid.add_column()
        grid.add_row(Text(f"{' ' * _INDENT}{label}", style="dim"), table)
        self._console.print(grid)


def _rest(names: Sequence[str], rows: Sequence[Sequence[Cell]]) -> int:
    """Return how wide all columns but the first are, with the gaps before them."""
    lines = [names, *([cell.text for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return sum(_GAP + width for width in widths[1:])


def even(*texts: str) -> list[str]:
    """Return texts whose figures have as many decimals as the one among them with the most."""
    most = max((len(found) for text in texts for found in _DECIMALS.findall(text)), default=0)
    return [_DECIMALS.sub(lambda found: found[0].ljust(most, "0"), text) for text in texts]


def shown(text: str, limit: int = _TEXT) -> str:
    """Return what somebody wrote as visible text on one line."""
    return one_line(text, limit)


def shown_ids(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    few = ", ".join(shown(name, ID) for name in names[:_IDS])
    more = len(names) - _IDS
    return f"{few} and {more:,} more" if more > 0 else few
