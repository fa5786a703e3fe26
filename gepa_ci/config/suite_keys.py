"""Owns the keys of suites, splits and metrics in the config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.config.judge_keys import judge_files
from gepa_ci.config.leaves import metric_name, number, path
from gepa_ci.config.records import Fields, Key, Record
from gepa_ci.config.shapes import Listing, Mapped, OneOf
from gepa_ci.config.values import BAD
from gepa_ci.core.config import Measure, MetricSpec, Split, SuiteSpec

if TYPE_CHECKING:
    from gepa_ci.config.problems import Problems

METRICS = (
    "exact_match",
    "normalized_match",
    "contains",
    "regex",
    "one_of",
    "numeric",
    "token_f1",
    "json_schema",
    "json_fields",
    "levenshtein",
    "program",
    "evaluators",
    "judge",
)
"""Names of the built-in metrics; `evaluators` are those of a `.prompt.yml` file."""

TOLERANCE = 1e-9
"""How far shares may be from 1, for decimal fractions that are not exact in binary."""

_PARTS = ("train", "val", "held_out")


def _sums_to_one(found: Fields, problems: Problems) -> None:
    shares = [found.get(name) for name in _PARTS if name in found.lines]
    if BAD in found.values.values() or abs(sum(shares) - 1) <= TOLERANCE:
        return
    total = f"{sum(shares):.6g}"
    problems.add(
        found.line,
        f"the shares of {found.at} add up to '{total}'",
        "make train, val and held_out add up to 1; a part that is left out is empty",
    )


SPLIT = Record(
    about="split",
    build=lambda found: Split(**{name: found.values.get(name, 0.0) for name in _PARTS}),
    rules=(_sums_to_one,),
    misnomers={
        "test": "did you mean 'held_out'?",
        "dev": "did you mean 'val'?",
        "validation": "did you mean 'val'?",
    },
    keys=(
        Key("train", number(0, 1), "Share that proposals are made from.", default=0.0),
        Key("val", number(0, 1), "Share that candidates are selected on.", default=0.0),
        Key("held_out", number(0, 1), "Share that decides every verdict.", default=0.0),
    ),
)


@dataclass(frozen=True, slots=True)
class GivenSuite:
    """A suite as written, before the task's own `split` is taken into account."""

    spec: SuiteSpec
    has_split: bool = False


def _distinct_files(found: Fields, problems: Problems) -> None:
    if "split" in found.lines and any(name in found.lines for name in _PARTS):
        line = found.lines["split"]
        problems.add(line, "'split' is for a suite of one file", "remove 'split', or give 'file'")
    seen: dict[str, str] = {}
    for name in _PARTS:
        file = found.get(name)
        if file is not None and seen.setdefault(file, name) != name:
            message = f"'{file}' is both {seen[file]} and {name}"
            problems.add(found.lines[name], message, "give each part a file of its own")


SUITE = OneOf(
    (
        Mapped(path(), lambda file, _: GivenSuite(SuiteSpec(file=file))),
        Record(
            about="suite",
            of=SuiteSpec,
            build=lambda found: GivenSuite(SuiteSpec(**found.values), "split" in found.values),
            rules=(_distinct_files,),
            any_of=("file", *_PARTS),
            exclusive=(("file", "train"), ("file", "val"), ("file", "held_out")),
            misnomers={"test": "did you mean 'held_out'?", "path": "did you mean 'file'?"},
            keys=(
                Key("file", path(), "One file of all examples, split by hash."),
                Key("train", path(), "File of the train part."),
                Key("val", path(), "File of the val part."),
                Key("held_out", path(), "File of the held-out part."),
                Key("split", SPLIT, "Shares of the three parts of one file."),
                Key(
                    "near_duplicates",
                    number(0.5, 1),
                    "Similarity from which inputs in two parts are near-duplicates; 1: off.",
                ),
            ),
        ),
    ),
    "a path, or a mapping with 'file' or with train, val and held_out",
)
"""A suite as one file, or as a mapping."""

METRIC_NAME = metric_name(
    METRICS,
    misnomers={
        measure.value: f"'{measure}' is a measure, for the guards of a gate: "
        f"write `gate: {{guards: [{measure}]}}`"
        for measure in Measure
    },
)


def _metric(found: Fields) -> MetricSpec:
    options = {key: found.values[key] for key in found.values if key not in ("name", "weight")}
    weight = found.values.get("weight", 1.0)
    return MetricSpec(name=found.values["name"], options=options, weight=weight, line=found.line)


_METRIC = OneOf(
    (
        Mapped(METRIC_NAME, lambda name, line: MetricSpec(name=name, line=line)),
        Record(
            about="metric",
            of=MetricSpec,
            build=_metric,
            rules=(judge_files,),
            is_open=True,
            keys=(
                Key("name", METRIC_NAME, "A built-in, or path.py:function.", is_required=True),
                Key(
                    "weight",
                    number(0, 1_000_000, above=True),
                    "Relative weight in the task's score.",
                ),
            ),
        ),
    ),
    "the name of a metric, or a mapping with the key name",
)

METRIC = OneOf(
    (
        Mapped(_METRIC, lambda metric, _: (metric,)),
        Listing(_METRIC),
    ),
    "the name of a metric, a mapping with the key name, or a list of them",
)
"""One metric or a weighted list."""
