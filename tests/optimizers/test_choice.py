"""Tests of gepa_ci.optimizers.choice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gepa_ci.optimizers.choice import Situation, choose
from gepa_ci.optimizers.registry import BUILT_IN

USUAL = Situation(
    feedback=True,
    labelled=40,
    train=40,
    holds_demos=True,
    dspy=False,
    reflection=True,
    has_optuna=True,
)


@pytest.mark.parametrize(
    ("changed", "name", "said"),
    [
        ({}, "gepa", "the metric gives feedback"),
        ({"dspy": True}, "gepa", "each predictor's own steps"),
        ({"feedback": False}, "infer_rules", "40 train examples have labels"),
        ({"feedback": False, "labelled": 0, "train": 60}, "miprov2", "60 train examples"),
        ({"feedback": False, "labelled": 0}, "copro", "only scores"),
        ({"feedback": False, "labelled": 7, "train": 60, "has_optuna": False}, "copro", "bare"),
        ({"reflection": False}, "bootstrap_random_search", "40 labelled train examples can"),
        ({"reflection": False, "labelled": 7}, "labeled_few_shot", "leave nothing to search"),
        ({"reflection": False, "labelled": 0}, "bootstrap_few_shot", "without labels"),
        ({"reflection": False, "holds_demos": False}, "gepa", "although no reflection LM"),
    ],
)
def test_the_choice_fits_the_situation_and_says_why(
    changed: dict[str, object], name: str, said: str
) -> None:
    choice = choose(replace(USUAL, **changed))  # type: ignore[arg-type]

    assert choice.name == name
    assert said in choice.why
    assert choice.why.endswith(".")
    assert name in BUILT_IN
