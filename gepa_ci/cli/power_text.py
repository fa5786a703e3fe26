"""Owns how `gepa-ci power` is printed: sentences, a table and a plot of plain characters."""

from __future__ import annotations

import textwrap
from itertools import pairwise
from typing import TYPE_CHECKING

from gepa_ci.cli.power_outlook import EFFECTS
from gepa_ci.gate.noise import LARGEST_EFFECT
from gepa_ci.gate.regression_gate import MIN_UNITS

if TYPE_CHECKING:
    from gepa_ci.cli.power_outlook import Needed, Outlook, Row

_WIDTH = 80
_COLUMNS, _LINES = 60, 10
"""Size of the plot."""
_NEARLY = 0.99
_HALF = 0.005
"""Half a percent, which is rounded away."""
_DOLLAR = 0.10
"""Below this a price has four places."""
_STEP = 0.04
"""The plot's widest effect is a multiple of this, so that a quarter of it is a round number."""


def text(outlook: Outlook) -> str:
    """Return all that is printed of one task."""
    blocks = [_design(outlook), *_meaning(outlook), _table(outlook), _needed(outlook)]
    if outlook.units:
        blocks.append(_plot(outlook))
    return "\n\n".join(block for block in blocks if block)


def document(outlook: Outlook) -> dict[str, object]:
    """Return the JSON document of one task."""
    return {
        "name": outlook.name,
        "model": outlook.model,
        "held_out": {
            "examples": outlook.examples,
            "groups": outlook.groups,
            "independent": outlook.units,
        },
        "trials": outlook.trials,
        "margin": outlook.margin(outlook.examples),
        "confidence": outlook.policy.confidence,
        "sequential": outlook.policy.sequential,
        "variation": {
            "source": outlook.source.kind,
            "flip": outlook.noise.flip,
            "churn": outlook.noise.churn,
        },
        "smallest_drop_seen": outlook.smallest,
        "sentences": _sentences(outlook),
        "table": [_row_document(row, outlook) for row in outlook.rows()],
        "needed": [{"effect": outlook.effect, **_fields(needed)} for needed in outlook.needed()],
    }


def _row_document(row: Row, outlook: Outlook) -> dict[str, object]:
    return {
        **_fields(row),
        "is_now": (row.examples, row.trials) == (outlook.examples, outlook.trials),
        "margin": row.margin,
        "power": {f"{e:.2f}": chance for e, chance in zip(EFFECTS, row.seen, strict=True)},
        "unchanged_passes": row.passes,
    }


def _fields(what: Row | Needed) -> dict[str, object]:
    return {
        "examples": what.examples,
        "trials": what.trials,
        "calls": what.calls,
        "usd": what.usd,
    }


def _design(outlook: Outlook) -> str:
    examples = _count(outlook.examples, "example")
    if outlook.groups is not None:
        examples += f" in {_count(outlook.groups, 'group')}"
    if 0 < outlook.units < (outlook.groups or outlook.examples):
        examples += f", which count as {outlook.units} of equal weight"
    margin = f"{outlook.margin(outlook.examples):.2f}"
    if isinstance(outlook.policy.margin, str):
        margin += " (auto)"
    trials = _count(outlook.trials, "trial")
    return "\n".join(
        (
            f"{outlook.name}  (model {outlook.model})",
            f"  held-out    {examples}",
            f"  gate        {trials} each of base and head, margin {margin}",
            f"  confidence  {outlook.policy.confidence:g}",
        )
    )


def _meaning(outlook: Outlook) -> list[str]:
    return [
        textwrap.fill(sentence, _WIDTH, initial_indent="  ", subsequent_indent="  ")
        for sentence in (" ".join(_sentences(outlook)), outlook.source.sentence)
    ]


def _sentences(outlook: Outlook) -> list[str]:
    if not outlook.units:
        return ["There are no held-out examples, so there can be no verdict."]
    smallest = outlook.smallest
    few = f"With fewer than {MIN_UNITS} independent examples no change can pass."
    if smallest is None:
        said = ["No drop, however large, is likely to be seen with so few examples."]
        return [*said, few] if outlook.units < MIN_UNITS else said
    half = outlook.chances(smallest / 2).seen
    example = (
        f"If a change spoils {_of_hundred(smallest)} answers, the gate shows it in 4 of 5 runs; "
        f"if it spoils half as many, in {_of_hundred(half)} runs."
    )
    said = [
        f"The smallest drop of the mean score that is likely to be seen is {smallest:.2f}.",
        example,
    ]
    if outlook.units < MIN_UNITS:
        return [*said, few]
    passes, alpha = outlook.chances(0.0).passes, outlook.alpha
    said.append(
        f"A change that loses nothing passes in {_of_hundred(passes)} runs, is called a "
        f"regression in at most {_of_hundred(alpha)}, and is left undecided in the rest."
    )
    margin = outlook.margin(outlook.examples)
    if smallest < margin:
        said.append(f"A drop that is shown to be within the margin of {margin:.2f} passes.")
    return said


def _table(outlook: Outlook) -> str:
    heads = "".join(f"{effect:>6.2f}" for effect in EFFECTS)
    lines = [
        "  Chance in % that a drop of the mean score is seen, and the most a gate costs:",
        "",
        f"  examples trials{heads}  margin passes    calls    price",
    ]
    for row in outlook.rows():
        is_now = (row.examples, row.trials) == (outlook.examples, outlook.trials)
        cells = "".join(f"{_percent(chance):>6}" for chance in row.seen)
        passes = _percent(row.passes) if row.passes else "never"
        lines.append(
            f"{'> ' if is_now else '  '}{row.examples:>8} {row.trials:>6}{cells}"
            f"{row.margin:>8.2f} {passes:>6} {row.calls:>8,} {_price(row.usd):>8}"
        )
    return "\n".join([*lines, "", *_legend(outlook)])


def _legend(outlook: Outlook) -> list[str]:
    said = "'passes' is the chance that a change which loses nothing passes."
    if outlook.units:
        said = f"'>' marks the gate as it is set up now. {said}"
    if outlook.groups is not None:
        said += (
            " Examples of one group count as one, which is the least that they are worth; the "
            "rows keep the examples per group as they are."
        )
    if outlook.policy.sequential:
        said += (
            " Calls and price are the most: looks at the scores on the way end most gates early."
        )
    return textwrap.wrap(said, _WIDTH, initial_indent="  ", subsequent_indent="  ")


def _needed(outlook: Outlook) -> str:
    lines = [
        f"    {_count(needed.examples, 'held-out example')} with {_count(needed.trials, 'trial')}: "
        f"{needed.calls:,} calls at most, {_price(needed.usd)}"
        for needed in outlook.needed()
    ]
    if not lines:
        return ""
    return "\n".join([f"  To see a drop of {outlook.effect:g} in 4 of 5 runs:", *lines])


def _plot(outlook: Outlook) -> str:
    """Draw the chance that a drop is seen over its size, one character a number of trials."""
    widest = _widest(outlook)
    grid = [[" "] * _COLUMNS for _ in range(_LINES + 1)]
    for trials in outlook.all_trials:
        mark = _mark(trials)
        for column, seen in enumerate(_curve(outlook, trials, widest)):
            line = _LINES - round(_LINES * seen)
            grid[line][column] = mark if grid[line][column] == " " else "="
    lines = [
        f"  {f'{100 - 100 * number // _LINES}%' if number % 2 == 0 else '':>5} |{''.join(row)}"
        for number, row in enumerate(grid)
    ]
    ticks = "".join(f"{widest * part / 4:>{_COLUMNS // 4}.2f}" for part in range(1, 5))
    names = ", ".join(
        f"{_mark(trials)} = {_count(trials, 'trial')}" for trials in outlook.all_trials
    )
    equal = "; = where they meet" if len(outlook.all_trials) > 1 else ""
    return "\n".join(
        (
            f"  Chance that a drop is seen with these {_count(outlook.examples, 'example')}:",
            f"  {names}{equal}",
            "",
            *(line.rstrip() for line in lines),
            f"        +{'-' * _COLUMNS}",
            f"         {ticks}",
            f"         {'drop of the mean score':>{_COLUMNS}}",
        )
    )


def _curve(outlook: Outlook, trials: int, widest: float) -> list[float]:
    """Return the chance at each column; every other one is halfway between its neighbours."""
    step = 2 * widest / _COLUMNS
    known = [outlook.chances(step * place, trials).seen for place in range(_COLUMNS // 2 + 1)]
    return [value for one, two in pairwise(known) for value in ((one + two) / 2, two)]


def _mark(trials: int) -> str:
    return str(trials) if len(str(trials)) == 1 else "+"


def _widest(outlook: Outlook) -> float:
    """Return the effect at which the plot ends: where one trial sees nearly every drop."""
    effect = 5 * _STEP
    while effect + _STEP < LARGEST_EFFECT and outlook.chances(effect, 1).seen < _NEARLY:
        effect += _STEP
    return round(effect, 2)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _of_hundred(share: float) -> str:
    return f"{100 * share:.0f} of 100"


def _percent(share: float) -> str:
    if share >= 1 - _HALF:
        return ">99"
    return f"{100 * share:.0f}" if share >= _HALF else "<1"


def _price(usd: float | None) -> str:
    if usd is None:
        return "unknown"
    return f"${usd:,.2f}" if usd >= _DOLLAR or not usd else f"${usd:.4f}"
