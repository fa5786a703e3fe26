"""Owns what the templates of a page may call: figures in words, texts in boxes, pictures."""

from __future__ import annotations

from itertools import count as counter
from typing import TYPE_CHECKING

from gepa_ci.reports import pictures, words
from gepa_ci.reports.escape import visible
from gepa_ci.reports.page import marks
from gepa_ci.reports.page.answers import tone_of
from gepa_ci.reports.page.budget import Shown, cut, element_text
from gepa_ci.reports.page.sections import reach_of, widest
from gepa_ci.reports.page.table import row_writer
from gepa_ci.reports.word_diff import changed_segments, without_carriage_returns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jinja2 import Environment

    from gepa_ci.reports.page.sections import Limits
    from gepa_ci.reports.word_diff import Segment

_SENTENCE_ENDS = (".", "?", "!", "…")

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
    "changed": words.changed_of,
    "tolerated": words.tolerated,
    "out_of": words.out_of,
    "left_out": words.left_out,
    "in_use": words.in_use,
    "drawn": words.drawn,
    "numbers": lambda numbers: ", ".join(str(number) for number in numbers),
}


def add_filters(environment: Environment, limits: Limits) -> None:
    """Give an environment the filters and functions of a page."""
    environment.filters |= _FIGURES
    environment.filters |= {
        "sentence": lambda text: _sentence(text, limits),
        "cut": cut,
        "body": _body,
        "marked": _marked,
        "word_diff": lambda diff: _word_diff(diff, limits),
        "headed": _headed,
        "reach": reach_of,
        "widest": widest,
        "tone": tone_of,
    }
    environment.globals |= {**_pictures(), "example_rows": row_writer(environment, limits)}


def one_text(value: object, limits: Limits) -> object:
    """Return what an expression of a template shows: short, with hidden characters visible."""
    from markupsafe import Markup

    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    shown = visible(value[: limits.text + 1])
    return shown if len(shown) <= limits.text else f"{shown[: limits.text - 1].rstrip()}…"


def _pictures() -> dict[str, Callable[..., object]]:
    """Return the pictures, each with a name of its own on the page."""
    from markupsafe import Markup

    numbers = counter(1)

    def drawn(draw: Callable[..., str]) -> Callable[..., Markup]:
        # What our own code drew has escaped all that it was given.
        return lambda *values, **more: Markup(  # noqa: S704
            draw(*values, name=f"picture-{next(numbers)}", **more)
        )

    return {
        "effect_picture": drawn(pictures.effect_picture),
        "effect_bar": drawn(pictures.effect_bar),
        "counts_picture": drawn(pictures.counts_picture),
        "progress_picture": drawn(pictures.progress_picture),
        "lineage_picture": drawn(pictures.lineage_picture),
        "frontier_picture": drawn(pictures.frontier_picture),
        "history_picture": drawn(pictures.history_picture),
    }


def _sentence(text: str, limits: Limits) -> str:
    shown = str(one_text(text, limits))
    return shown if shown.endswith(_SENTENCE_ENDS) else f"{shown}."


def _headed(numbers: Sequence[int]) -> str:
    """Write which trials went the same way: `Trial 1`, `Trials 1, 3`."""
    return f"Trial{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"


def _body(text: str) -> object:
    """Return a text as the content of an element; never to be used in an attribute."""
    from markupsafe import Markup

    return Markup(element_text(text))  # noqa: S704 - escaped there


def _marked(before: str, after: str, limit: int) -> tuple[Shown, Shown, object, object]:
    """Cut two outputs, and mark where they begin and stop to differ.

    Returns:
        What is shown of each, then the markup of each.
    """
    shown = cut(before, limit), cut(after, limit)
    parted = marks.differing(shown[0].text, shown[1].text)
    tags = ("del", "ins")
    bodies = [_with_mark(part, tag) for part, tag in zip(parted, tags, strict=True)]
    return *shown, bodies[0], bodies[1]


def _with_mark(marked: marks.Marked, tag: str) -> object:
    from markupsafe import Markup

    middle = f"<{tag}>{element_text(marked.middle)}</{tag}>" if marked.middle else ""
    return Markup(element_text(marked.start) + middle + element_text(marked.end))  # noqa: S704


def _word_diff(diff: str, limits: Limits) -> tuple[object, int]:
    """Return the markup of a diff by words, and how many lines of it are left out."""
    from markupsafe import Markup

    lines = changed_segments(without_carriage_returns(diff))
    shown = []
    room = limits.diff
    for line in lines:
        markup = "".join(_segment(segment) for segment in line)
        room -= len(markup) + 1
        if room < 0:
            break
        shown.append(markup)
    return Markup("\n".join(shown)), len(lines) - len(shown)  # noqa: S704 - escaped there


def _segment(segment: Segment) -> str:
    tag = {"removed": "del", "added": "ins", "gap": "i"}.get(segment.kind)
    # A mark on indentation would say that blanks matter.
    words = segment.text.lstrip() or segment.text
    start = segment.text[: len(segment.text) - len(words)]
    text = element_text(words)
    return f"{element_text(start)}<{tag}>{text}</{tag}>" if tag else element_text(segment.text)
