"""Owns what the terminal tells of one task below its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.reports import words
from gepa_ci.reports.console.diff import diff_lines
from gepa_ci.reports.console.page import ID, NAME, Cell, even, shown, shown_ids
from gepa_ci.reports.escape import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.reports.console.page import Page
    from gepa_ci.reports.view.model import Guard, Side, Slice, Task
    from gepa_ci.reports.view.model_examples import Example
    from gepa_ci.reports.view.model_optimization import Optimization

_REASONS = 3
_NOTES = 2
_METHOD = 600
_GUARDS = 8
_LABEL_NAME = 32
_SLICES = 3
_WORD_DIFF = 20
_DIFF = 60
_LONGEST_LINE = 2_000


def figures(task: Task) -> list[Cell]:
    """Return the figures of a task that has an effect: scores, difference, interval, counts."""
    effect = task.effect
    assert effect is not None
    style = "green" if effect.low > 0 else "red" if effect.high < 0 else ""
    before, after, difference, span = even(
        words.score(effect.before),
        words.score(effect.after),
        words.signed(effect.difference),
        words.span(effect.low, effect.high),
    )
    return [
        Cell(text=before),
        Cell(text=after),
        Cell(text=difference, style=style),
        Cell(text=span),
        *(Cell(text=f"{count:,}") for count in (effect.wins, effect.losses, effect.ties)),
    ]


def task_rows(page: Page, task: Task) -> None:
    """Write why, what changed, what else was watched, which examples, and how it was found."""
    page.row("no answer", _failed(task.sides))
    # Where nothing is judged, the only reason is the mean score, which the heading has.
    if task.verdict is not None:
        page.row("why", *(shown(reason) for reason in task.reasons[:_REASONS]))
    _guards(page, task.guards)
    _slices(page, task.slices)
    _changed(page, task)
    page.row("worse", shown_ids([_moved(example) for example in task.worse]))
    page.row("better", shown_ids([_moved(example) for example in task.better]))
    page.row("lowest", shown_ids([_low(example) for example in task.lowest]))
    if task.optimization is not None:
        _found(page, task.optimization)
    page.row("ledger", shown(task.ledger.summary if task.ledger else ""))
    page.row("method", shown(task.method, _METHOD))
    page.row("model", shown(task.model, NAME))
    page.row("note", *(shown(note) for note in task.notes[:_NOTES]))


def _failed(sides: Sequence[Side]) -> str:
    failed = [
        f"{side.errors:,} of {words.count(side.trials, 'trial')} with the {side.label} prompt"
        for side in sides
        if side.errors
    ]
    return f"{' and '.join(failed)}; each scores 0" if failed else ""


def _guards(page: Page, guards: Sequence[Guard]) -> None:
    rows = [
        [
            Cell(text=shown(guard.name, _LABEL_NAME)),
            Cell(text=shown(guard.verdict, ID), style=page.verdict_style(guard.verdict)),
            *(Cell(text=text) for text in _guard_figures(guard)),
            *([Cell(text=f"{words.tolerated(guard)} tolerated")] if page.is_roomy else []),
        ]
        for guard in guards[:_GUARDS]
    ]
    if rows:
        page.table([""] * len(rows[0]), rows, texts=2, label="guards")
    if len(guards) > _GUARDS:
        page.row("", f"and {len(guards) - _GUARDS:,} more")


def _guard_figures(guard: Guard) -> list[str]:
    figures = [
        words.measured(guard.before, guard.name, relative=guard.relative),
        words.measured(guard.after, guard.name, relative=guard.relative),
        words.changed_of(guard.change, guard),
    ]
    # What a measure counts and its change in percent have nothing to do with each other.
    return figures if guard.relative else even(*figures)


def _slices(page: Page, slices: Sequence[Slice]) -> None:
    # Only what looks worse is news here; the whole table is in the other reports.
    flagged = [item for item in slices if item.flagged]
    told = [
        f"{shown(item.tag, ID)} looks worse: {words.score(item.before)} -> "
        f"{words.score(item.after)} on {words.count(item.n, 'example')}; this does not block"
        for item in flagged[:_SLICES]
    ]
    if len(flagged) > _SLICES:
        told.append(f"and {words.count(len(flagged) - _SLICES, 'more tag')}")
    if slices and not flagged:
        told.append(f"{words.count(len(slices), 'tag')} compared, none looks worse")
    page.row("tags", *told)


def _changed(page: Page, task: Task) -> None:
    paths = task.written or tuple(change.path for change in task.changes)
    word = "not written" if task.verdict == "hold" else "changed"
    page.row("written" if task.written else word, shown_ids(paths))
    if task.optimization is not None and task.optimization.interrupted:
        left = _whole_diff(page, task)
    else:
        left = _word_diff(page, task)
    if left > 0:
        page.row("", f"and {words.count(left, 'more line')}")


def _whole_diff(page: Page, task: Task) -> int:
    """Show what a search had found when it was stopped by hand, as that is nowhere else."""
    lines = [line for change in task.changes for line in change.diff.splitlines()]
    for line in lines[:_DIFF]:
        text = visible(line[:_LONGEST_LINE]) + (" …" if len(line) > _LONGEST_LINE else "")
        # The sign of a line stands before its indentation.
        page.hanging(text, 1 + len(text[1:]) - len(text[1:].lstrip(" ")))
    return len(lines) - _DIFF


def _word_diff(page: Page, task: Task) -> int:
    """Show the changed words, and return how many lines are left out, below 0 for none."""
    left = -_WORD_DIFF
    for change in task.changes:
        for text in diff_lines(change.diff, color=page.color):
            # Wrapping is slow, so lines that nobody sees are counted as they are.
            if left >= 0:
                left += 1
                continue
            hang = len(text.plain) - len(text.plain.lstrip(" "))
            for wrapped in page.wrapped(text, hang=hang):
                if left < 0:
                    page.line("", wrapped)
                left += 1
    return left


def _found(page: Page, run: Optimization) -> None:
    page.row(
        "optimizer",
        f"{shown(run.optimizer, ID)} with {shown(run.proposer, ID)}: "
        f"{words.count(run.proposals, 'proposal')}, {run.refused:,} refused; "
        f"{run.metric_calls:,} of {words.count(run.budget, 'metric call')}",
    )
    page.row("stopped", shown(run.stop_reason))


def _moved(example: Example) -> str:
    return f"{example.id} ({words.signed(example.difference)})"


def _low(example: Example) -> str:
    return f"{example.id} ({words.score(example.after or 0.0)})"
