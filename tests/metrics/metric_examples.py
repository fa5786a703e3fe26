"""Examples and metrics that the tests of this folder share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.core.config import MetricSpec
from gepa_ci.core.suite import Example
from gepa_ci.metrics import build_metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.core.score import Score
    from gepa_ci.core.values import JSON
    from gepa_ci.metrics import Metric


def example(expected: JSON = None, *, labelled: bool = True, **inputs: JSON) -> Example:
    return Example(
        id="e1",
        inputs=inputs,
        expected=expected,
        labelled=labelled,
        tags=("easy",),
        path="suite.jsonl",
        line=7,
    )


def metric(name: str, **options: JSON) -> Metric:
    return build_metric((MetricSpec(name=name, options=options),), where="gepa-ci.yml", line=3)


def score(name: str, expected: JSON, output: str, **options: JSON) -> Score:
    return metric(name, **options)(example(expected), output)


def user_metric(source: str, function: str = "quality") -> Metric:
    return build_metric(
        (MetricSpec(name=f"metrics.py:{function}"),),
        read_code=reader({"metrics.py": source}),
        where="gepa-ci.yml",
        line=3,
    )


def reader(files: dict[str, str]) -> Callable[[str], bytes]:
    def read(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return files[path].encode()

    return read
