"""Owns the summary that the commands evaluate, gate and optimize print, plain or in colour."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.reports import words
from gepa_ci.reports.console.page import ID, NAME, WIDTH, Cell, Page, shown
from gepa_ci.reports.console.task import figures, task_rows
from gepa_ci.reports.escape import without_commands
from gepa_ci.reports.outcome import worst_first
from gepa_ci.reports.view import view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON
    from gepa_ci.reports.view.model import Report, Spend, Task

_COMMAND = 2_000
_TASKS = 30
_ROWS = 200


def render_terminal(
    document: Mapping[str, JSON], *, color: bool = False, width: int = WIDTH
) -> str:
    """Render a result for people at a terminal: the verdict first, a screen or so a task.

    Args:
        document: The result.
        color: Whether it may hold the escape codes of colours; the words say the same without.
        width: Columns; best from 60 on.
    """
    report = view(document)
    report = replace(report, tasks=worst_first(report.tasks))
    page = Page(color=color, width=width)
    if len(report.tasks) == 1:
        _task(page, report.tasks[0])
    else:
        _overview(page, report)
        for task in report.tasks[:_TASKS]:
            page.blank()
            _task(page, task)
        if len(report.tasks) > _TASKS:
            page.blank()
            more = words.count(len(report.tasks) - _TASKS, "more task")
            page.row("", f"{more}, of which the other reports tell")
        if report.tasks:
            # Where it is long, the end is what stays in sight.
            page.blank()
            _title(page, report)
        page.row("spend", _money(report.spend))
    _time(page, report)
    if report.replay:
        page.unwrapped("run again", shown(report.replay, _COMMAND))
    return without_commands(page.text())


def _overview(page: Page, report: Report) -> None:
    """Write one line a task, so that nobody has to scroll to know the worst."""
    _title(page, report)
    if not report.tasks:
        return
    columns = ["before", "after", "change", "interval", "better", "worse", "same"]
    columns = columns if page.is_roomy else columns[:3]
    rows = []
    for task in report.tasks[:_ROWS]:
        figured = figures(task) if task.effect is not None and task.effect.n else None
        cells = [""] * len(columns) if figured is None else [cell.text for cell in figured]
        verdict = task.status
        rows.append(
            [
                Cell(text=shown(task.name, NAME)),
                Cell(text=shown(verdict, ID).replace("_", " "), style=page.verdict_style(verdict)),
                *(Cell(text=cell) for cell in cells[: len(columns)]),
            ]
        )
    page.table(["task", "verdict", *columns], rows, texts=2)


def _title(page: Page, report: Report) -> None:
    page.heading(f"gepa-ci {shown(report.command, ID)}", shown(report.summary, NAME))
    page.blank()


def _task(page: Page, task: Task) -> None:
    page.heading(
        shown(task.name, NAME), shown(task.headline, NAME), page.verdict_style(task.verdict)
    )
    page.blank()
    _effect(page, task)
    task_rows(page, task)
    page.row("spend", _money(task.spend[-1]))


def _effect(page: Page, task: Task) -> None:
    effect, part = task.effect, shown(task.part, NAME)
    each = f", {words.count(task.trials, 'trial')} each" if task.trials else ""
    if effect is None:
        if task.sides:
            page.row("examples", f"{task.sides[-1].n:,} {part}{each}")
        return
    left_out = words.left_out(effect.missing) if effect.missing else ""
    if effect.n == 0:
        page.row("mean score", "nothing measured")
        page.row("examples", left_out)
        return
    interval = f"{words.percent(effect.level)} interval"
    names = (
        [side.label for side in task.sides] if len(task.sides) > 1 else ["baseline", "candidate"]
    )
    cells = figures(task)
    counted = f"{words.out_of(effect.n, task.planned)} {part}{each}"
    if page.is_roomy:
        page.table(
            ["", *names, "difference", interval, "better", "worse", "same"],
            [[Cell(text="mean score"), *cells]],
            texts=1,
        )
        page.blank()
    else:
        before, after, difference, span, better, worse, same = (cell.text for cell in cells)
        scores, span = f"{before} -> {after}   {difference}", f"{interval} {span}"
        one_line = f"{scores}   ({span})"
        page.row("mean score", *([one_line] if len(one_line) <= page.room else [scores, span]))
        counted += f": {better} better, {worse} worse, {same} same"
    page.row("examples", counted, left_out)
    if task.expected is not None:
        page.row("expected", f"{words.in_use(task.expected)} in use ({words.drawn(task.expected)})")


def _time(page: Page, report: Report) -> None:
    phases: Counter[str] = Counter()
    for task in report.tasks:
        phases.update(dict(task.phases))
    parts = [f"{shown(name, ID)} {words.duration(seconds)}" for name, seconds in phases.items()]
    total = words.duration(report.seconds)
    page.row("time", f"{total} ({', '.join(parts)})" if parts else total)


def _money(spend: Spend) -> str:
    cached = f", {spend.cached:,} from the cache" if spend.cached else ""
    failed = f", {spend.failed:,} failed" if spend.failed else ""
    dollars = "dollars unknown" if spend.usd is None else words.money(spend.usd)
    return (
        f"{words.count(spend.calls, 'call')}{failed}{cached}; {spend.input_tokens:,} tokens in, "
        f"{spend.output_tokens:,} out; {dollars}"
    )
