"""Owns the message of the commit that improves a prompt: figures, and nothing a model wrote."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from gepa_ci.reports import words
from gepa_ci.reports.posts.pull_body import find_task
from gepa_ci.reports.view import view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gepa_ci.core.values import JSON
    from gepa_ci.reports.view.model import Report, Task

MAX_SUBJECT = 72
"""Longest subject; git's own tools cut there."""

_WIDTH = 72
_NAME = 40
_UNSAFE = re.compile(r"[^A-Za-z0-9 ._/-]")
_ISSUE = re.compile(r"gh-(?=[0-9])", re.IGNORECASE)


def commit_subject(document: Mapping[str, JSON], task: str) -> str:
    """Return one line that says which prompt got better, and how much.

    Raises:
        UsageError: the document has no such task.
    """
    return _subject(find_task(view(document), task))


def commit_message(document: Mapping[str, JSON], task: str) -> str:
    """Return the message of the commit; the same result gives the same message.

    Raises:
        UsageError: the document has no such task.
    """
    report = view(document)
    found = find_task(report, task)
    parts = (textwrap.fill(part, _WIDTH) for part in _body(report, found))
    return "\n\n".join((_subject(found), *parts)) + "\n"


def _subject(task: Task) -> str:
    effect = task.effect
    figures = (
        ""
        if effect is None
        else f": {words.score(effect.before)} to {words.score(effect.after)} on {task.part}"
    )
    start = "Improve the prompt of "
    room = min(_NAME, MAX_SUBJECT - len(start) - len(figures))
    return f"{start}{_plain(task.name, room)}{figures}"


def _body(report: Report, task: Task) -> Iterator[str]:
    effect = task.effect
    if effect is not None:
        each = f", {words.count(task.trials, 'trial')} each" if task.trials else ""
        yield (
            f"The mean score on {words.examples(effect.n, task.planned, task.part)} went up by "
            f"{words.score(effect.difference)} ({words.percent(effect.level)} interval "
            f"{words.span(effect.low, effect.high)}, {words.p_value(effect.p_value)}): "
            f"{effect.wins:,} better, {effect.losses:,} worse and {effect.ties:,} the same{each}."
        )
    run = task.optimization
    if run is not None:
        yield (
            f"Found by {_plain(run.optimizer)} with {_plain(run.proposer)}, seed {run.seed}, in "
            f"{words.count(run.metric_calls, 'metric call')}, with the config "
            f"{_plain(report.config_digest[:12])}."
        )


def _plain(text: str, limit: int = _NAME) -> str:
    """Return text of a user on one line of letters that neither git nor a forge obeys."""
    line = _UNSAFE.sub("_", " ".join(text[: 4 * limit].split()))
    return _ISSUE.sub("gh_", line)[:limit].strip()
