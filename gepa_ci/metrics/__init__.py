"""Metrics: built-in ones, the evaluators of prompt files, and functions that users write."""

from __future__ import annotations

from gepa_ci.metrics.build import build_metric
from gepa_ci.metrics.labels import check_labels
from gepa_ci.metrics.metric import Metric, Option
from gepa_ci.metrics.registry import known_metrics, metric_descriptions, metric_options

__all__ = [
    "Metric",
    "Option",
    "build_metric",
    "check_labels",
    "known_metrics",
    "metric_descriptions",
    "metric_options",
]
