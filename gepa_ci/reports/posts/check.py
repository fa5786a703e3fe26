"""Owns the texts of a check run: its title, its summary and its remarks on changed lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.reports import words
from gepa_ci.reports.escape import one_line, without_commands
from gepa_ci.reports.links import Links
from gepa_ci.reports.outcome import Ending, Outcome, Stance, rule, rule_without_verdict
from gepa_ci.reports.posts.markdown import Room, render_markdown, render_template
from gepa_ci.reports.templating.sources import BUILT_IN
from gepa_ci.reports.view import view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gepa_ci.core.values import JSON
    from gepa_ci.errors import Problem
    from gepa_ci.reports.templating.sources import OwnTemplates
    from gepa_ci.reports.view.model import FileChange, Report, Task
    from gepa_ci.reports.view.model_examples import Example

MAX_SUMMARY = 65_535
"""Longest summary that GitHub takes."""

_MAX_TITLE = 255
_NAME = 60
_ID = 60
_IDS = 20
_HUNK = re.compile(r"@@ -[0-9]+(?:,[0-9]+)? \+([0-9]+)(?:,[0-9]+)? @@")
_HEADER_LINES = 2
_PLAIN = Stance()
_NO_LINKS = Links()
_ROOM = Room(most=MAX_SUMMARY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A remark on lines of a file."""

    path: str
    start_line: int
    """1-based."""
    end_line: int
    level: str
    """notice, warning or failure."""
    title: str
    message: str
    """Plain text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckText:
    """What a check run shows."""

    outcome: Outcome
    title: str
    summary: str
    """Markdown."""
    remarks: tuple[Remark, ...] = ()


def check_of(
    document: Mapping[str, JSON],
    stance: Stance = _PLAIN,
    *,
    links: Links = _NO_LINKS,
    notes: Sequence[str] = (),
    own: OwnTemplates = BUILT_IN,
) -> CheckText:
    """Return the check of a result, with remarks on the lines that its prompt files changed.

    Args:
        document: The result.
        stance: What the team lets a verdict do.
        links: Where a reader finds more.
        notes: Finished sentences about the run as a whole.
        own: The team's templates.
    """
    report = view(document)
    ruling = rule(report, stance)
    # What an optimization proposes is not in the files of this commit.
    judged = report.tasks if report.command == "gate" else ()
    remarks = (remark for task in judged for remark in _remarks(task, stance))
    told = render_markdown(document, own, stance=stance, links=links, notes=notes)
    return CheckText(
        outcome=ruling.outcome,
        title=_title(report),
        summary=f"{ruling.sentence}\n\n{told}",
        remarks=tuple(remarks),
    )


def check_without_verdict(
    problems: Sequence[Problem], *, stance: Stance = _PLAIN, ending: Ending = Ending.FAILED
) -> CheckText:
    """Return the check of a run that failed or ran out of its budget."""
    ruling = rule_without_verdict(ending, stance)
    is_over = ending is Ending.OVER_BUDGET
    cause = "the spend cap was reached" if is_over else "the run failed"
    level = "failure" if ruling.outcome is Outcome.FAILURE else "warning"
    return CheckText(
        outcome=ruling.outcome,
        title=f"No verdict: {cause}",
        summary=render_template(
            "problems.md.j2", _ROOM, BUILT_IN, problems=problems, ruling=ruling, cause=cause
        ),
        remarks=tuple(
            Remark(
                path=problem.path,
                start_line=problem.line,
                end_line=problem.line,
                level=level,
                title="gepa-ci",
                message=_text(problem.message, problem.hint),
            )
            for problem in problems
            if problem.path is not None and problem.line is not None and problem.line > 0
        ),
    )


def check_of_nothing(reason: str) -> CheckText:
    """Return the check of a run that had nothing to do, with the sentence that says why."""
    return CheckText(
        outcome=Outcome.NEUTRAL,
        title="Nothing to do",
        summary=render_template("reason.md.j2", _ROOM, BUILT_IN, reason=reason),
    )


def changed_lines(diff: str) -> tuple[tuple[int, int], ...]:
    """Return the first and last line of each changed place, as numbered in the new file.

    Where lines are only taken out, it is the line before them that is named.
    """
    places: list[tuple[int, int]] = []
    current = 0
    start: int | None = None
    added = 0
    for line in [*diff.split("\n")[_HEADER_LINES:], "@@ -0,0 +0,0 @@"]:
        mark = line[:1]
        if mark in {"+", "-"}:
            start = current if start is None else start
            added += mark == "+"
            current += mark == "+"
            continue
        if start is not None and mark != "\\":
            first = start if added else max(start - 1, 1)
            places.append((first, max(start + added - 1, first)))
            start, added = None, 0
        hunk = _HUNK.match(line)
        if hunk is not None:
            # An empty side of a hunk is numbered by the line before it.
            current = max(int(hunk[1]), 1)
        elif mark == " ":
            current += 1
    return tuple(places)


def _title(report: Report) -> str:
    if len(report.tasks) != 1:
        return report.summary
    task = report.tasks[0]
    effect, said = task.effect, task.headline
    # Figures that do not decide it would stand where a reader looks for the cause.
    if effect is not None and task.cause is None:
        worse = f", worse on {_names(task)}" if _names(task) else ""
        said = (
            f"{task.verdict}, {words.score(effect.before)} → {words.score(effect.after)} "
            f"({words.signed(effect.difference)}){worse}"
        )
    return _line(f"{one_line(task.name, _NAME)}: {said}", _MAX_TITLE)


def _names(task: Task) -> str:
    """Return the guards that got worse, where they are what blocks."""
    worse = [guard.name for guard in task.guards if guard.verdict == "regression"]
    return ", ".join(worse) if task.verdict in {"regression", "hold"} else ""


def _remarks(task: Task, stance: Stance) -> Iterator[Remark]:
    if task.verdict not in {"regression", "inconclusive"} and not task.worse:
        return
    effect = task.effect
    if effect is None:
        return
    is_failure = task.verdict == "regression" and not stance.is_observing
    level = {"regression": "failure" if is_failure else "warning", "inconclusive": "warning"}
    name = one_line(task.name, _NAME)
    for change, (start, end) in _placed(task.changes):
        yield Remark(
            path=change.path,
            start_line=start,
            end_line=end,
            level=level.get(task.verdict or "", "notice"),
            title=_line(f"{name}: {task.verdict}", _MAX_TITLE),
            message=_text(
                f"The mean score of '{name}' went from {words.score(effect.before)} to "
                f"{words.score(effect.after)} ({words.signed(effect.difference)}, "
                f"{words.percent(effect.level)} interval {words.span(effect.low, effect.high)}) on "
                f"{words.examples(effect.n, task.planned, task.part)}",
                words.left_out(effect.missing) if effect.missing else None,
                *(r for g in task.guards if g.verdict == "regression" for r in g.reasons),
                _worse(task.worse),
            ),
        )


def _placed(changes: Sequence[FileChange]) -> Iterator[tuple[FileChange, tuple[int, int]]]:
    """Yield each file with its first changed place: which place did the harm nobody knows."""
    for change in changes:
        places = changed_lines(change.diff)
        if places:
            yield change, places[0]


def _worse(scores: Sequence[Example]) -> str | None:
    if not scores:
        return None
    shown = ", ".join(
        f"{one_line(score.id, _ID)} ({words.score(score.before or 0.0)} → "
        f"{words.score(score.after or 0.0)})"
        for score in scores[:_IDS]
    )
    more = len(scores) - _IDS
    rest = f" and {more:,} more" if more > 0 else ""
    return f"These got worse: {shown}{rest}"


def _text(*sentences: str | None) -> str:
    return "\n".join(_sentence(sentence) for sentence in sentences if sentence)


def _sentence(text: str) -> str:
    line = _line(text, 4_000)
    return line if line.endswith((".", "?", "!", "…")) else f"{line}."


def _line(text: str, limit: int) -> str:
    return without_commands(one_line(text, limit))
