"""Metrics: built-in ones, the evaluators of prompt files, and functions that users write."""

from __future__ import annotations

from gepa_ci.metrics.build import build_metric
from gepa_ci.metrics.judge import Judge, bind, day_trial, judge_calls, judges_of, rubric_problems
from gepa_ci.metrics.labels import check_labels
from gepa_ci.metrics.metric import Metric, Option
from gepa_ci.metrics.registry import known_metrics, metric_descriptions, metric_options

__all__ = [
    "Judge",
    "Metric",
    "Option",
    "bind",
    "build_metric",
    "check_labels",
    "day_trial",
    "judge_calls",
    "judges_of",
    "known_metrics",
    "metric_descriptions",
    "metric_options",
    "rubric_problems",
]
