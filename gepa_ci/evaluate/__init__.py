"""Runs examples x trials through a program and a metric, many at a time, in a stable order."""

from gepa_ci.evaluate.engine import Evaluator, Job

__all__ = ["Evaluator", "Job"]
