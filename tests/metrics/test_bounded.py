from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from metric_examples import example, metric

from gepa_ci.errors import MetricError
from gepa_ci.metrics import patterns

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON

EVIL = "^(a|aa)+$"
TEXT = "a" * 100 + "b"


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SECONDS", 0.05)


@pytest.mark.parametrize(
    ("name", "options", "output"),
    [
        ("regex", {"pattern": EVIL}, TEXT),
        ("json_schema", {"schema": {"pattern": EVIL}}, f'"{TEXT}"'),
        ("json_schema", {"schema": {"patternProperties": {EVIL: {}}}}, f'{{"{TEXT}": 1}}'),
        (
            "json_schema",
            {"schema": {"additionalProperties": False, "patternProperties": {EVIL: {}}}},
            f'{{"{TEXT}": 1}}',
        ),
    ],
)
def test_a_pattern_that_backtracks_is_a_metric_error_in_bounded_time(
    name: str, options: dict[str, JSON], output: str
) -> None:
    with pytest.raises(MetricError) as caught:
        metric(name, **options)(example(), output)

    (problem,) = caught.value.problems
    assert str(problem) == (
        f"suite.jsonl:7: the pattern '{EVIL}' took more than 0.05 seconds on the output of "
        "example 'e1'"
    )
    assert "backtracks" in (problem.hint or "")


def test_a_reference_that_is_found_out_late_is_a_metric_error() -> None:
    schema: JSON = {"$defs": {"a": {"$id": "http://x.invalid/a", "$ref": "b"}}, "$ref": "#/$defs/a"}

    with pytest.raises(MetricError, match=r"a '\$ref' of the JSON Schema leads nowhere"):
        metric("json_schema", schema=schema)(example(), "1")


def test_a_reference_inside_the_schema_is_followed() -> None:
    schema: JSON = {
        "$id": "http://x.invalid/a",
        "$defs": {"n": {"type": "integer"}},
        "items": {"$ref": "#/$defs/n"},
        "properties": {"$ref": {"type": "null"}},
    }

    assert metric("json_schema", schema=schema)(example(), "[1]").value == 1.0
    assert metric("json_schema", schema=schema)(example(), '["a"]').value == 0.0


@pytest.mark.parametrize(
    ("schema", "output", "value"),
    [
        ({"additionalProperties": {"type": "null"}}, '{"a": null}', 1),
        ({"additionalProperties": {"type": "null"}}, '{"a": 1}', 0),
        ({"additionalProperties": True}, '{"a": 1}', 1),
        ({"additionalProperties": False, "properties": {"a": {}}}, '{"a": 1}', 1),
        ({"additionalProperties": False, "properties": {"a": {}}}, '{"a": 1, "b": 1}', 0),
        ({"additionalProperties": False}, "[1]", 1),
        ({"patternProperties": {"^x": {"type": "null"}}}, '{"xa": 1}', 0),
        ({"patternProperties": {"^x": {"type": "null"}}}, '{"a": 1}', 1),
        ({"patternProperties": {"^x": {"type": "null"}}}, "[1]", 1),
    ],
)
def test_properties_are_checked_as_json_schema_says(
    schema: dict[str, JSON], output: str, value: float
) -> None:
    assert metric("json_schema", schema=schema)(example(), output).value == value


def test_a_schema_that_is_nested_without_end_is_refused() -> None:
    schema: dict[str, JSON] = {}
    for _ in range(2000):
        schema = {"not": schema}

    with pytest.raises(Exception, match="nested too deeply"):
        metric("json_schema", schema=schema)


def test_a_recursive_schema_meets_a_deep_output() -> None:
    result = metric("json_schema", schema={"items": {"$ref": "#"}})(
        example(), "[" * 400 + "]" * 400
    )

    assert result.value == 0.0
    assert "nested too deeply" in result.feedback


def test_importing_the_metrics_loads_no_heavy_library() -> None:
    heavy = "{'asyncio', 'dspy', 'jsonschema', 'numpy', 'rapidfuzz', 'regex', 'importlib.util'}"
    code = f"import sys, gepa_ci.metrics; print(sorted({heavy} & sys.modules.keys()))"

    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout == "[]\n"
