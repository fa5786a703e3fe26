"""Owns how text that we did not write is made harmless and visible in Markdown, XML and terminals.

Task names, example ids, paths, model names, reasons, prompts and answers come from users, files and
models. Whatever they hold, a report shows it and does nothing else: no link, no image, no mention,
no reference to an issue, no hidden character, no command to a CI runner.
"""

from __future__ import annotations

import html
import re

BREAK = "\u200b"
"""Zero-width space: keeps two characters from meaning something together."""

_FAR = 20
# Letters and marks by category that nevertheless draw nothing.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0e\U000e0100-\U000e01ef]"
)

_ENTITIES = {
    "\\": "&#92;",
    "|": "&#124;",
    "$": "&#36;",
    "~": "&#126;",
}
_BACKSLASHED = "`*[]"
# Only these begin a character reference, a tag or an autolink; `a < b & c` stays readable.
_REFERENCE = re.compile(r"&(?=[#0-9A-Za-z])")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_OUTER_UNDERSCORE = re.compile(r"(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
# A slash at the start of a line is a command to many a bot.
_BLOCK_START = re.compile(r"[-+#=>/]|[0-9]+(?=[.)])")
# Each of these pairs notifies somebody or turns into a link or a picture on a forge.
_JOINTS = (
    re.compile(r"(?<=@)(?=\w)"),
    re.compile(r"(?<=#)(?=[0-9])"),
    re.compile(r"(?<=gh-)(?=[0-9])", re.IGNORECASE),
    re.compile(r"(?<=:)(?=//)"),
    re.compile(r"(?<=www)(?=\.)", re.IGNORECASE),
    re.compile(r"(?<=mailto)(?=:)|(?<=xmpp)(?=:)", re.IGNORECASE),
    re.compile(r"(?<=:)(?=[\w+-]+:)"),
)
# A command of ours in a sentence of ours. No character of it means anything in a code span, and no
# backtick beside it can make it another span.
_OUR_COMMAND = re.compile(r"(?<!`)(`gepa-ci(?: [A-Za-z0-9_./=-]+)+`)(?!`)")
_OUR_MARKER = re.compile(r"<!(?=--\s*gepa-ci)", re.IGNORECASE)
# What a forge or git obeys even in code, once a text has become the message of a commit.
_OBEYED = (
    re.compile(r"(?<![0-9A-Za-z])@(?=[0-9A-Za-z])"),
    re.compile(
        r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)(?=:?\s+\S{0,200}?(?:#|gh-|/issues/|/pull/)[0-9])",
        re.IGNORECASE,
    ),
    re.compile(r"\b[A-Za-z]+-(?:[A-Za-z]+-)?by(?=:)|\bskip-checks(?=:)", re.IGNORECASE),
    re.compile(r"\[(?=(?:skip|no) ci\]|(?:ci|actions) skip\]|skip actions\])", re.IGNORECASE),
)
# A CI runner obeys lines that start with `::` after blanks, and `##[` anywhere in a line.
_RUNNER_COMMAND = re.compile(r"^([^\S\n]*:)(?=:)|(##)(?=\[)", re.MULTILINE)


def visible(text: str, *, keep: str = "") -> str:
    r"""Show control, bidirectional and invisible characters as escapes such as `\u202e`."""
    if text.isprintable() and _BLANK.search(text) is None:
        return text
    return "".join(c if c in keep or _is_seen(c) else _escape(c) for c in text)


def one_line(text: str, limit: int) -> str:
    """Return visible text on one line, cut to so many characters."""
    # A file can hold megabytes in one field; what is far behind the cut need not be read.
    near = text[: _FAR * limit]
    line = visible(" ".join(near.split()))
    if len(line) <= limit and len(near) == len(text):
        return line
    return f"{line[: limit - 1].rstrip()}…"


def inline(text: str, limit: int = 600) -> str:
    """Return text as Markdown that shows it and means nothing, on one line, also in a table."""
    # Each second part is such a command.
    parts = _OUR_COMMAND.split(one_line(text, limit))
    shown = [part if place % 2 else _inline(part) for place, part in enumerate(parts)]
    return "".join(shown)


def _inline(text: str) -> str:
    line = _broken(_TAG.sub("&lt;", _REFERENCE.sub("&amp;", text)))
    start = _BLOCK_START.match(line)
    head = 0 if start is None else start.end()
    escaped = line[:head] + "".join(_inline_character(c) for c in line[head:])
    escaped = _OUTER_UNDERSCORE.sub(r"\\_", escaped)
    if start is None:
        return escaped
    # A number starts a list by the dot after it; everything else by itself.
    cut = head if line[0].isdigit() else 0
    return f"{escaped[:cut]}\\{escaped[cut:]}"


def html_text(text: str, limit: int = 600) -> str:
    """Return text as HTML that shows it on one line, where Markdown is not looked for."""
    return html.escape(_broken(one_line(text, limit)))


def code(text: str, limit: int = 120) -> str:
    """Return text as a Markdown code span, fit for a table cell."""
    line = one_line(text, limit)
    # In a table a pipe splits the cell even in a code span, and a backslash before it is eaten.
    if not line or "|" in line or "\\" in line:
        return inline(text, limit)
    ticks = "`" * (_longest_run(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def fence(text: str, language: str = "") -> str:
    """Return text as a fenced Markdown block that nothing inside can close."""
    body = visible(text, keep="\n\t")
    ticks = "`" * max(3, _longest_run(body) + 1)
    return f"{ticks}{language}\n{body}\n{ticks}"


def without_commands(text: str) -> str:
    """Return a whole report in which no line is a command to a CI runner that prints it."""
    return _RUNNER_COMMAND.sub(lambda found: found.group() + BREAK, text)


def without_markers(text: str) -> str:
    """Return a whole report that holds no hidden marker of ours; the real one is added later."""
    return _OUR_MARKER.sub(lambda found: found.group() + BREAK, text)


def without_references(text: str) -> str:
    """Return a whole text that closes, mentions, credits and skips nothing as a commit message."""
    for obeyed in _OBEYED:
        text = obeyed.sub(lambda found: found.group() + BREAK, text)
    return text


def json_text(text: str) -> str:
    """Return JSON that can be written as UTF-8 and printed to a CI log, with the same meaning."""
    text = re.sub("[\\ud800-\\udfff]", lambda found: _escape(found.group()), text)
    # Only ever inside a string, where JSON lets a character be written by its number.
    return text.replace("##[", "##\\u005b")


def _broken(line: str) -> str:
    for joint in _JOINTS:
        line = joint.sub(BREAK, line)
    return line


def _is_seen(character: str) -> bool:
    return character.isprintable() and _BLANK.match(character) is None


def _escape(character: str) -> str:
    known = {"\r": "\\r", "\n": "\\n", "\t": "\\t"}.get(character)
    if known is not None:
        return known
    point = ord(character)
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"  # noqa: PLR2004 - BMP


def _inline_character(character: str) -> str:
    if character in _BACKSLASHED:
        return f"\\{character}"
    return _ENTITIES.get(character, character)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
