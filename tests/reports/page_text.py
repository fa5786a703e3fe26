"""What a reader sees of a page, as text; and every element and attribute that it is made of."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_HEADINGS = {"h1": "# ", "h2": "## ", "h3": "### "}
_STARTS = {
    "li": "- ",
    "summary": "> ",
    "dt": "",
    "dd": "  ",
    "p": "",
    "caption": "",
    "figcaption": "",
    "pre": "",
}
_SKIPPED = {"style", "script"}
_VOID = {"meta", "input", "circle", "path", "line", "rect", "polyline", "polygon"}
_ROWS = 2


class Page(HTMLParser):
    """Collects the visible text of a page, line by line, and what it is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.sources: dict[str, str] = {}
        self._skipping = ""
        self._picture = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag in _SKIPPED:
            self._skipping = tag
        elif tag == "svg":
            self._picture = tag
            self.lines.append("")
        elif self._picture:
            self._picture = tag
        elif tag in _HEADINGS or tag in _STARTS:
            self.lines.append(_HEADINGS.get(tag) or _STARTS[tag])
        elif tag == "tr":
            self.lines.append("| ")
        elif tag in ("th", "td"):
            self.lines[-1] += "" if self.lines[-1] == "| " else " | "
        elif tag in ("del", "ins"):
            self.lines[-1] += {"del": "[-", "ins": "{+"}[tag]
        elif tag in ("button", "option", "label"):
            self.lines[-1] += f" ({tag}) "

    def handle_endtag(self, tag: str) -> None:
        if tag == self._skipping:
            self._skipping = ""
        elif tag == "svg":
            self._picture = ""
        elif tag in ("del", "ins"):
            self.lines[-1] += {"del": "-]", "ins": "+}"}[tag]
        elif tag in ("section", "table"):
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        if self._skipping:
            self.sources[self._skipping] = self.sources.get(self._skipping, "") + data
        elif self._picture:
            # A picture is told by its title and description; the words in it say the same.
            told = {"title": "[picture: ", "desc": ""}.get(self._picture)
            # Dots and lines in it have tips of their own.
            if told is not None and data.strip() and not self.lines[-1].endswith("]"):
                self.lines[-1] += f"{told}{data}{']' if self._picture == 'desc' else '. '}"
        else:
            first, *more = data.split("\n")
            self.lines[-1:] = [f"{self.lines[-1] if self.lines else ''}{first}", *more]

    @property
    def text(self) -> str:
        """Return the lines, without blank ones, and of a long table the first rows only."""
        shown: list[str] = []
        rows = 0
        for line in self.lines:
            words = re.sub(r" +", " ", line).rstrip()
            if not words.strip(" -|>#"):
                continue
            is_row = words.startswith("| mail-")
            rows = rows + 1 if is_row else 0 if words.startswith("#") else rows
            if rows == _ROWS and is_row:
                shown.append("  (more rows)")
            if rows < _ROWS:
                shown.append(words)
        return "\n".join(shown) + "\n"
