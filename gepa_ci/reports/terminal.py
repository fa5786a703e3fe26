"""Owns the plain-text summary that the commands evaluate, gate and optimize print."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from gepa_ci.reports import words
from gepa_ci.reports.escape import one_line, visible, without_commands
from gepa_ci.reports.view import view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gepa_ci.core.values import JSON
    from gepa_ci.reports.view.model import Guard, Report, Slice, Spend, Task
    from gepa_ci.reports.view.model_examples import Example
    from gepa_ci.reports.view.model_optimization import Optimization

_WIDTH = 96
_INDENT = 2
_LABEL = 12
_REASONS = 3
_NOTES = 2
_IDS = 6
_ID = 40
_TEXT = 360
_METHOD = 600
_NAME = 100
_GUARDS = 8
_LABEL_NAME = 32
_SLICES = 3
_DIFF = 60


def render_terminal(document: Mapping[str, JSON]) -> str:
    """Render a result as plain text: the verdict first, at most some 30 lines a task."""
    report = view(document)
    if len(report.tasks) == 1:
        lines = [*_task(report.tasks[0]), *_time(report), *_replay(report)]
        return without_commands("\n".join(lines) + "\n")
    blocks = [*(_task(task) for task in report.tasks), _closing(report)]
    return without_commands("\n\n".join("\n".join(block) for block in blocks) + "\n")


def _task(task: Task) -> Iterator[str]:
    yield f"{_text(task.name, _NAME)}: {_text(task.headline, _NAME)}"
    yield ""
    yield from _measured(task)
    yield from _guards(task.guards)
    yield from _row("why", *(_text(reason) for reason in task.reasons[:_REASONS]))
    yield from _row("method", _text(task.method, _METHOD))
    yield from _row("ledger", _text(task.ledger.summary if task.ledger else ""))
    if task.written:
        yield from _row("written", _ids(task.written))
    elif task.changes:
        word = "not written" if task.verdict == "hold" else "changed"
        yield from _row(word, _ids([change.path for change in task.changes]))
    yield from _slices(task.slices)
    yield from _row("worse", _changed(task.worse))
    yield from _row("better", _changed(task.better))
    yield from _row("lowest", _ids([_low(example) for example in task.lowest]))
    yield from _found(task.optimization)
    yield from _unproved(task)
    yield from _row("model", _text(task.model, _NAME))
    yield from _row("note", *(_text(note) for note in task.notes[:_NOTES]))
    yield from _row("spend", _money(task.spend[-1]))


def _measured(task: Task) -> Iterator[str]:
    each = f", {words.count(task.trials, 'trial')} each" if task.trials else ""
    part = _text(task.part, _NAME)
    effect = task.effect
    if effect is not None:
        yield from _row(
            "mean score",
            f"{words.score(effect.before)} -> {words.score(effect.after)}   "
            f"{words.signed(effect.difference)}   ({words.percent(effect.level)} interval "
            f"{words.span(effect.low, effect.high)})",
        )
        if task.expected is not None:
            in_use = f"{words.in_use(task.expected)} in use"
            yield from _row("expected", f"{in_use} ({words.drawn(task.expected)})")
        yield from _row(
            "examples",
            f"{words.out_of(effect.n, task.planned)} {part}{each}: {effect.wins:,} better, "
            f"{effect.losses:,} worse, {effect.ties:,} same",
            words.left_out(effect.missing) if effect.missing else "",
        )
    elif task.sides:
        side = task.sides[-1]
        yield from _row("examples", f"{side.n:,} {part}{each}")
    failed = [
        f"{side.errors:,} of {words.count(side.trials, 'trial')} with the {side.label} prompt"
        for side in task.sides
        if side.errors
    ]
    if failed:
        yield from _row("no answer", f"{' and '.join(failed)}; each scores 0")


def _guards(guards: Sequence[Guard]) -> Iterator[str]:
    shown = guards[:_GUARDS]
    width = max((len(_text(guard.name, _LABEL_NAME)) for guard in shown), default=0)
    for number, guard in enumerate(shown):
        before = words.measured(guard.before, guard.name, relative=guard.relative)
        after = words.measured(guard.after, guard.name, relative=guard.relative)
        yield from _row(
            "" if number else "guards",
            f"{_text(guard.name, _LABEL_NAME):<{width}}   {before} -> {after}   "
            f"{words.changed(guard.change, relative=guard.relative)}   "
            f"({words.tolerated(guard)} tolerated): {_text(guard.verdict, _ID)}",
        )
    if len(guards) > _GUARDS:
        yield from _row("", f"and {len(guards) - _GUARDS:,} more")


def _slices(slices: Sequence[Slice]) -> Iterator[str]:
    # Only what looks worse is news here; the whole table is in the other reports.
    flagged = [item for item in slices if item.flagged]
    for number, item in enumerate(flagged[:_SLICES]):
        yield from _row(
            "" if number else "tags",
            f"{_text(item.tag, _ID)} looks worse: {words.score(item.before)} -> "
            f"{words.score(item.after)} on {words.count(item.n, 'example')}; this does not block",
        )
    if len(flagged) > _SLICES:
        yield from _row("", f"and {words.count(len(flagged) - _SLICES, 'more tag')}")
    if slices and not flagged:
        yield from _row("tags", f"{words.count(len(slices), 'tag')} compared, none looks worse")


def _found(run: Optimization | None) -> Iterator[str]:
    if run is None:
        return
    yield from _row(
        "optimizer",
        f"{_text(run.optimizer, _ID)} with {_text(run.proposer, _ID)}: "
        f"{words.count(run.proposals, 'proposal')}, {run.refused:,} refused; "
        f"{run.metric_calls:,} of {words.count(run.budget, 'metric call')}",
    )
    yield from _row("stopped", _text(run.stop_reason))


def _unproved(task: Task) -> Iterator[str]:
    """Yield the diff that a search had found when it was stopped by hand: it is nowhere else."""
    if task.optimization is None or not task.optimization.interrupted:
        return
    lines = [line for change in task.changes for line in change.diff.splitlines()]
    yield from (f"{' ' * _INDENT}{visible(line)[:_WIDTH]}" for line in lines[:_DIFF])
    if len(lines) > _DIFF:
        yield from _row("", f"and {words.count(len(lines) - _DIFF, 'more line')}")


def _closing(report: Report) -> Iterator[str]:
    yield f"gepa-ci {_text(report.command, _ID)}: {_text(report.summary, _NAME)}"
    yield ""
    yield from _row("spend", _money(report.spend))
    yield from _time(report)
    yield from _replay(report)


def _time(report: Report) -> Iterator[str]:
    phases: Counter[str] = Counter()
    for task in report.tasks:
        phases.update(dict(task.phases))
    parts = [f"{_text(name, _ID)} {words.duration(seconds)}" for name, seconds in phases.items()]
    total = words.duration(report.seconds)
    yield from _row("time", f"{total} ({', '.join(parts)})" if parts else total)


def _replay(report: Report) -> Iterator[str]:
    if report.replay:
        # Not wrapped, so that it can be copied.
        yield f"{' ' * _INDENT}{'run again':<{_LABEL}}{_text(report.replay, 2_000)}"


def _row(label: str, *paragraphs: str) -> Iterator[str]:
    """Yield the lines of one labelled row; none when there is nothing to say."""
    start = " " * (_INDENT + _LABEL)
    for number, paragraph in enumerate(filter(None, paragraphs)):
        lines = textwrap.wrap(
            paragraph, _WIDTH - len(start), break_long_words=False, break_on_hyphens=False
        )
        for line_number, line in enumerate(lines):
            first = number == line_number == 0
            yield f"{' ' * _INDENT}{label:<{_LABEL}}{line}" if first else f"{start}{line}"


def _changed(scores: Sequence[Example]) -> str:
    return _ids([f"{score.id} ({words.signed(score.difference)})" for score in scores])


def _low(example: Example) -> str:
    return f"{example.id} ({words.score(example.after or 0.0)})"


def _ids(names: Sequence[str]) -> str:
    shown = ", ".join(_text(name, _ID) for name in names[:_IDS])
    more = len(names) - _IDS
    return f"{shown} and {more:,} more" if more > 0 else shown


def _money(spend: Spend) -> str:
    cached = f", {spend.cached:,} from the cache" if spend.cached else ""
    failed = f", {spend.failed:,} failed" if spend.failed else ""
    dollars = "dollars unknown" if spend.usd is None else words.money(spend.usd)
    return (
        f"{words.count(spend.calls, 'call')}{failed}{cached}; {spend.input_tokens:,} tokens in, "
        f"{spend.output_tokens:,} out; {dollars}"
    )


def _text(text: str, limit: int = _TEXT) -> str:
    return one_line(text, limit)
