"""Owns the guards of a gate in the config: metrics and measures that must not get worse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.config.judge_keys import judge_files
from gepa_ci.config.leaves import metric_name, number
from gepa_ci.config.problems import known_names, shown
from gepa_ci.config.records import Fields, Key, Record
from gepa_ci.config.shapes import Listing, Mapped, OneOf
from gepa_ci.config.suite_keys import METRICS
from gepa_ci.core.config import GuardSpec, Measure, MetricSpec

if TYPE_CHECKING:
    from gepa_ci.config.problems import Problems

LOSS, INCREASE = 0.05, 0.10
"""Default margins of a metric (loss of mean score) and of a measure (relative increase)."""

_MEASURES = tuple(measure.value for measure in Measure)
_OWN_KEYS = ("name", "margin")
_NAME = metric_name((*METRICS, *_MEASURES), kind="guards")


def _guard(found: Fields) -> GuardSpec:
    options = {key: value for key, value in found.values.items() if key not in _OWN_KEYS}
    return _spec(found.values["name"], found.line, found.values.get("margin"), options)


def _spec(
    name: str,
    line: int,
    margin: float | None = None,
    options: dict[str, object] | None = None,
) -> GuardSpec:
    is_measure = name in _MEASURES
    default = INCREASE if is_measure else LOSS
    return GuardSpec(
        name=name,
        metric=None if is_measure else MetricSpec(name=name, options=options or {}, line=line),  # type: ignore[arg-type]
        measure=Measure(name) if is_measure else None,
        margin=default if margin is None else margin,
        line=line,
    )


def _known_options(found: Fields, problems: Problems) -> None:
    for key in found.lines:
        if key == "weight":
            message = f"unknown key 'weight' of a guard in {found.at}"
            problems.add(found.lines[key], message, "remove it: each guard must hold by itself")
        elif key not in _OWN_KEYS and found.get("name") in _MEASURES:
            message = f"unknown key {shown(key)} of measure '{found.get('name')}' in {found.at}"
            problems.add(found.lines[key], message, known_names(key, _OWN_KEYS, "keys"))


def _loss_below_one(found: Fields, problems: Problems) -> None:
    margin = found.get("margin")
    if found.get("name") not in _MEASURES and margin is not None and margin >= 1:
        message = f"'{margin:g}' is not a value for {found.at}.margin of a metric"
        hint = "give a number above 0 and below 1: the loss of mean score that is tolerated"
        problems.add(found.lines["margin"], message, hint)


def distinct_guards(gate: Fields, problems: Problems) -> None:
    """Report guards of one name, which a report could not tell apart."""
    seen: dict[str, GuardSpec] = {}
    for guard in gate.get("guards") or ():
        first = seen.setdefault(guard.name, guard)
        # Equal ones are reported by the list itself.
        if first != guard:
            problems.add(
                guard.line,
                f"two guards are named {shown(guard.name)}, here and on line {first.line}",
                "keep one; to check two things in the same way, write one of them as "
                "path.py:function",
            )


GUARDS = Listing(
    OneOf(
        (
            Mapped(_NAME, _spec),
            Record(
                about="guard",
                of=GuardSpec,
                build=_guard,
                rules=(_known_options, _loss_below_one, judge_files),
                is_open=True,
                keys=(
                    Key(
                        "name",
                        _NAME,
                        "A built-in metric, path.py:function, or a measure: `cost`, `latency`, "
                        "`output_length` or `prompt_length`.",
                        is_required=True,
                    ),
                    Key(
                        "margin",
                        number(0, 100, above=True),
                        "Tolerated loss of mean score (0.05 without it); for a measure, the "
                        "tolerated relative increase (0.1 without it; 1 is twice as much).",
                        default=None,
                    ),
                ),
            ),
        ),
        "the name of a metric or a measure, or a mapping with the key name",
    )
)
"""What must not get worse, besides the task's score."""
