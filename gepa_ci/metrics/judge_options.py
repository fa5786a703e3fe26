"""Owns the options of the metric judge."""

from __future__ import annotations

from gepa_ci.metrics.metric import Option

JUDGE = "judge"
"""The metric's name in the config."""
DESCRIPTION = "What a judge LM says by a rubric file, from 0 to 1; its reason is the feedback."
MOST_SAMPLES = 32

JUDGE_OPTIONS = (
    Option(
        name="rubric",
        schema={"type": "string", "minLength": 1},
        default=None,
        description="path of the rubric: criteria, or a whole prompt with {{output}}; required",
    ),
    Option(
        name="model",
        schema={"type": "string", "minLength": 1},
        default="judge",
        description="the judge LM: a name from models, or a model string",
    ),
    Option(
        name="samples",
        schema={"type": "number", "minimum": 1},
        default=1,
        description="independent answers of the judge on each output; the score is their mean",
    ),
    Option(
        name="scale",
        schema={"type": "array", "items": {"type": "number"}, "minItems": 2},
        default=[1, 5],
        description="the worst and the best score that the rubric lets the judge give",
    ),
    Option(
        name="anchors",
        schema={"type": "string", "minLength": 1},
        default=None,
        description="path of the outputs that every run judges again, as `gepa-ci judge "
        "calibrate --write-anchors` wrote them",
    ),
)
"""In the order of the docs."""
