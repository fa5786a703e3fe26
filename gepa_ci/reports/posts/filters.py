"""Owns what Markdown templates can do with a value besides printing it: their filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.reports import escape, words
from gepa_ci.reports.posts.mermaid import lineage_diagram, progress_diagram
from gepa_ci.reports.word_diff import word_diff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gepa_ci.reports.links import Link
    from gepa_ci.reports.view.model import FileChange

_MOST_VERSIONS = 12


class Markdown(str):
    """Text that is Markdown already; every other value in a template is escaped."""

    __slots__ = ()

    def strip(self, chars: str | None = None, /) -> str:
        """Leave out what is around it; without blanks, though not without others, it stays so."""
        text = super().strip(chars)
        return Markdown(text) if chars is None else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a report is shown."""

    tasks: int
    """Tasks with a section of their own."""
    rows: int
    """Rows of a list or table."""
    diff: int
    """Characters of one diff."""
    text: int
    """Characters of one sentence or name."""
    diagrams: bool = True
    """Whether searches are drawn."""


def finalize(limits: Limits) -> Callable[[object], str]:
    """Return what is done with the value of every expression: it is escaped."""

    def escaped(value: object) -> str:
        return value if isinstance(value, Markdown) else escape.inline(str(value), limits.text)

    return escaped


def filters(limits: Limits) -> dict[str, Callable[..., Markdown]]:
    """Return the filters by name; whatever they return is Markdown already."""
    return {name: _as_markdown(write) for name, write in _FIGURES.items()} | {
        "changed_files": lambda changes: _changed_files(changes, limits),
        "code": lambda text: Markdown(escape.code(text, limits.text)),
        "codes": lambda texts: _codes(texts, limits),
        "diff": lambda diff: Markdown(_diff(diff, limits)),
        "html": lambda text: Markdown(escape.html_text(text, limits.text)),
        "lineage": lambda run: _diagram(lineage_diagram(run), limits),
        "link": _link,
        "numbers": lambda numbers: Markdown(", ".join(str(int(number)) for number in numbers)),
        "progress": lambda run: _diagram(progress_diagram(run), limits),
        "sentence": lambda text: Markdown(_sentence(text, limits)),
        "shell": lambda text: Markdown(escape.fence(escape.one_line(text, 2_000), "sh")),
        "times": lambda phases: _times(phases, limits),
        "versions": lambda versions: Markdown(_versions(versions, limits)),
        "word_diff": lambda diff: Markdown(_word_diff(diff, limits)),
    }


def cut_diff(diff: str, limit: int) -> tuple[str, int]:
    """Cut a diff at the end of a line; return what is left and how many lines are not."""
    if len(diff) <= limit:
        return diff, 0
    lines = diff.split("\n")
    length = kept = 0
    while length + len(lines[kept]) + 1 <= limit:
        length += len(lines[kept]) + 1
        kept += 1
    return "\n".join(lines[:kept]), len(lines) - kept


_FIGURES: dict[str, Callable[..., str]] = {
    "changed": words.changed_of,
    "count": lambda n, noun: words.count(n, escape.inline(noun)),
    "drawn": words.drawn,
    "duration": words.duration,
    "in_use": words.in_use,
    "left_out": words.left_out,
    "measured": lambda value, guard: words.measured(value, guard.name, relative=guard.relative),
    "money": words.money,
    "out_of": words.out_of,
    "p_value": words.p_value,
    "percent": words.percent,
    "score": words.score,
    "signed": words.signed,
    "span": lambda effect: words.span(effect.low, effect.high),
    "thousands": lambda number: f"{number:,}",
    "tolerated": words.tolerated,
}


def _as_markdown(write: Callable[..., str]) -> Callable[..., Markdown]:
    return lambda *values: Markdown(write(*values))


def _link(link: Link) -> Markdown:
    return Markdown(link.markdown())


def _codes(texts: Sequence[str], limits: Limits) -> Markdown:
    shown = ", ".join(escape.code(text, limits.text) for text in texts[: limits.rows])
    more = len(texts) - limits.rows
    return Markdown(f"{shown} and {more:,} more" if more > 0 else shown)


def _changed_files(changes: Sequence[FileChange], limits: Limits) -> Markdown:
    """Write files with how many sentences they had and have, where that is another number."""
    shown = [_changed_file(change, limits) for change in changes[: limits.rows]]
    more = len(changes) - limits.rows
    return Markdown(", ".join(shown) + (f" and {more:,} more" if more > 0 else ""))


def _changed_file(change: FileChange, limits: Limits) -> str:
    path, before, after = change.path, change.before.sentences, change.after.sentences
    shown = escape.code(path, limits.text)
    return shown if before == after else f"{shown} ({before:,} → {words.count(after, 'sentence')})"


def _diagram(diagram: str, limits: Limits) -> Markdown:
    return Markdown(escape.fence(diagram, "mermaid") if diagram and limits.diagrams else "")


def _times(phases: Sequence[tuple[str, float]], limits: Limits) -> Markdown:
    return Markdown(
        ", ".join(
            f"{escape.inline(name, limits.text)} {words.duration(seconds)}"
            for name, seconds in phases[: limits.rows]
        )
    )


def _sentence(text: str, limits: Limits) -> str:
    shown = escape.inline(text, limits.text)
    return shown if shown.endswith((".", "?", "!", "…")) else f"{shown}."


def _versions(versions: Sequence[tuple[str, str]], limits: Limits) -> str:
    shown = [f"{name} {version}" for name, version in versions[:_MOST_VERSIONS]]
    return f"{', '.join(escape.inline(text, limits.text) for text in shown)}." if shown else ""


def _diff(diff: str, limits: Limits) -> str:
    return _fenced(_without_carriage_returns(diff), "diff", limits)


def _word_diff(diff: str, limits: Limits) -> str:
    changed = word_diff(_without_carriage_returns(diff))
    # At the start of a line a slash is a command to many a bot.
    return _fenced("\n".join(f" {line}" for line in changed.split("\n")), "text", limits)


def _fenced(diff: str, language: str, limits: Limits) -> str:
    shown, left_out = cut_diff(diff, limits.diff)
    if not left_out:
        return escape.fence(shown, language)
    more = f"{words.count(left_out, 'more line')} of the diff left out here."
    return f"{escape.fence(shown, language)}\n\n{more}" if shown else more


def _without_carriage_returns(diff: str) -> str:
    """Leave out carriage returns when every line of a file has one, so that none is news."""
    header, lines = diff.split("\n")[:2], diff.split("\n")[2:]
    if all(line.endswith("\r") for line in lines if line and not line.startswith(("@@", "\\"))):
        lines = [line.removesuffix("\r") for line in lines]
    return "\n".join([*header, *lines])
