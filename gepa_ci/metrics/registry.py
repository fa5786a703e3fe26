"""Owns the list of built-in metrics."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from gepa_ci.metrics.contains import CONTAINS
from gepa_ci.metrics.exact_match import EXACT_MATCH
from gepa_ci.metrics.json_fields import JSON_FIELDS
from gepa_ci.metrics.json_schema import JSON_SCHEMA
from gepa_ci.metrics.judge_options import DESCRIPTION, JUDGE, JUDGE_OPTIONS
from gepa_ci.metrics.levenshtein import LEVENSHTEIN
from gepa_ci.metrics.normalized_match import NORMALIZED_MATCH
from gepa_ci.metrics.numeric import NUMERIC
from gepa_ci.metrics.one_of import ONE_OF
from gepa_ci.metrics.program_score import PROGRAM
from gepa_ci.metrics.regex_match import REGEX
from gepa_ci.metrics.token_f1 import TOKEN_F1

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.metrics.metric import BuiltIn, Option

BUILT_INS: Mapping[str, BuiltIn] = MappingProxyType(
    {
        built_in.name: built_in
        for built_in in (
            EXACT_MATCH,
            NORMALIZED_MATCH,
            CONTAINS,
            REGEX,
            ONE_OF,
            NUMERIC,
            TOKEN_F1,
            JSON_SCHEMA,
            JSON_FIELDS,
            LEVENSHTEIN,
            PROGRAM,
        )
    }
)
"""By name, in the order of the docs."""

EVALUATORS = "evaluators"
"""The metric that a `.prompt.yml` file brings along; it has no options."""


def known_metrics() -> tuple[str, ...]:
    """Return the names of the built-in metrics, in the order of the docs."""
    return (*BUILT_INS, EVALUATORS, JUDGE)


def metric_descriptions() -> dict[str, str]:
    """Return one line for each built-in metric."""
    return {name: built_in.description for name, built_in in BUILT_INS.items()} | {
        EVALUATORS: "1 when all string evaluators of the .prompt.yml file pass.",
        JUDGE: DESCRIPTION,
    }


def metric_options() -> dict[str, tuple[Option, ...]]:
    """Return the options of each built-in metric, for the docs and the config's JSON Schema."""
    return {name: built_in.options for name, built_in in BUILT_INS.items()} | {
        EVALUATORS: (),
        JUDGE: JUDGE_OPTIONS,
    }
