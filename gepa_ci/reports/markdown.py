"""Owns the Markdown report: a pull request comment, a job summary or a pull request body."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.reports import escape, templating, words
from gepa_ci.reports.templating import BUILT_IN
from gepa_ci.reports.view import view
from gepa_ci.reports.word_diff import word_diff

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jinja2 import Environment

    from gepa_ci.core.values import JSON
    from gepa_ci.reports.templating import OwnTemplates

MAX_CHARS = 60_000
"""Longest report; GitHub refuses a comment of more than 65,536, and a caller may add to it."""

_MOST_VERSIONS = 12
_BLANK_LINES = re.compile(r"\n{3,}")


class Markdown(str):
    """Text that is Markdown already; every other value in a template is escaped."""

    __slots__ = ()


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


_LIMITS = (
    Limits(tasks=100, rows=10, diff=40_000, text=600),
    Limits(tasks=100, rows=10, diff=12_000, text=600),
    Limits(tasks=100, rows=5, diff=3_000, text=400),
    Limits(tasks=50, rows=3, diff=600, text=300),
    Limits(tasks=10, rows=3, diff=600, text=200),
    Limits(tasks=3, rows=3, diff=600, text=200),
    Limits(tasks=1, rows=1, diff=600, text=100),
)


def render_markdown(document: Mapping[str, JSON], own: OwnTemplates = BUILT_IN) -> str:
    """Render a result as Markdown without any text of an example, in at most MAX_CHARS."""
    return render_template("report.md.j2", MAX_CHARS, own, report=view(document))


def render_template(template: str, most_chars: int, own: OwnTemplates, /, **values: object) -> str:
    """Render a template with as much detail as fits; it says itself what it leaves out."""
    for limits in _LIMITS[:-1]:
        text = _render(template, limits, own, values)
        if len(text) <= most_chars:
            return text
    return _render(template, _LIMITS[-1], own, values)


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


def _render(
    template: str, limits: Limits, own: OwnTemplates, values: Mapping[str, object]
) -> str:
    found = _environment(limits, own).get_template(template)
    text = found.render(**values, limits=limits).strip() + "\n"
    return escape.without_markers(escape.without_commands(_BLANK_LINES.sub("\n\n", text)))


def _environment(limits: Limits, own: OwnTemplates) -> Environment:
    def escaped(value: object) -> str:
        return value if isinstance(value, Markdown) else escape.inline(str(value), limits.text)

    # HTML escaping would not make Markdown safe; this does, for every expression.
    environment = templating.environment(own, finalize=escaped)
    environment.filters |= {name: _as_markdown(write) for name, write in _FIGURES.items()}
    environment.filters |= {
        "code": lambda text: Markdown(escape.code(text, limits.text)),
        "codes": lambda texts: _codes(texts, limits),
        "numbers": lambda numbers: Markdown(", ".join(str(number) for number in numbers)),
        "diff": lambda diff: Markdown(_diff(diff, limits)),
        "word_diff": lambda diff: Markdown(_word_diff(diff, limits)),
        "html": lambda text: Markdown(escape.html_text(text, limits.text)),
        "sentence": lambda text: Markdown(_sentence(text, limits)),
        "link": lambda link: Markdown(link.markdown()),
        "shell": lambda text: Markdown(escape.fence(escape.one_line(text, 2_000), "sh")),
        "versions": lambda versions: Markdown(_versions(versions, limits)),
        "times": lambda phases: _times(phases, limits),
    }
    return environment


_FIGURES: dict[str, Callable[..., str]] = {
    "score": words.score,
    "signed": words.signed,
    "percent": words.percent,
    "p_value": words.p_value,
    "money": words.money,
    "duration": words.duration,
    "count": words.count,
    "span": lambda effect: words.span(effect.low, effect.high),
    "thousands": lambda number: f"{number:,}",
    "measured": lambda value, guard: words.measured(value, guard.name, relative=guard.relative),
    "changed": lambda value, guard: words.changed(value, relative=guard.relative),
    "tolerated": words.tolerated,
    "out_of": words.out_of,
    "left_out": words.left_out,
    "in_use": words.in_use,
    "drawn": words.drawn,
}


def _as_markdown(write: Callable[..., str]) -> Callable[..., Markdown]:
    return lambda *values: Markdown(write(*values))


def _codes(texts: Sequence[str], limits: Limits) -> Markdown:
    shown = ", ".join(escape.code(text, limits.text) for text in texts[: limits.rows])
    more = len(texts) - limits.rows
    return Markdown(f"{shown} and {more:,} more" if more > 0 else shown)


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
