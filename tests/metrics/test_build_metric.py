from __future__ import annotations

from typing import TYPE_CHECKING

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_examples import example, metric

from gepa_ci.core.config import MetricSpec
from gepa_ci.core.prompt import Evaluator
from gepa_ci.errors import ConfigError, MetricError
from gepa_ci.metrics import (
    build_metric,
    check_labels,
    known_metrics,
    metric_descriptions,
    metric_options,
)
from gepa_ci.metrics.options import value_problem

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON
    from gepa_ci.metrics import Metric


def weighted(*specs: MetricSpec) -> Metric:
    return build_metric(specs, where="gepa-ci.yml", line=3)


BAD: list[tuple[str, dict[str, JSON], str, str]] = [
    ("exactmatch", {}, "unknown metric 'exactmatch'", "did you mean 'exact_match'? known metrics"),
    ("judge", {}, "metric 'judge' has no 'rubric'", "add `rubric: prompts/quality.md`"),
    ("metrics.py", {}, "unknown metric 'metrics.py'", "is written path.py:function"),
    ("qqq", {}, "unknown metric 'qqq'", "known metrics: exact_match, "),
    (
        "exact_match",
        {"stripp": True},
        "unknown option 'stripp' of metric 'exact_match'",
        "did you mean 'strip'? options: strip",
    ),
    ("token_f1", {"x": 1}, "unknown option 'x' of metric 'token_f1'", "has no options"),
    (
        "exact_match",
        {"strip": "yes"},
        "option 'strip' of metric 'exact_match' must be true or false, got 'yes'",
        "ignores whitespace",
    ),
    ("numeric", {"tolerance": -1}, "must be at least 0, got '-1'", "largest difference"),
    ("numeric", {"tolerance": "1"}, "must be a number, got '1'", ""),
    ("numeric", {"tolerance": True}, "must be a number, got 'true'", ""),
    ("numeric", {"tolerance": float("nan")}, "must be a number, got 'NaN'", ""),
    (
        "numeric",
        {"which": "lst"},
        "must be one of last, first, only, got 'lst'; did you mean 'last'?",
        "",
    ),
    ("contains", {"texts": []}, "must not be an empty list", ""),
    ("contains", {"texts": ""}, "must not be empty", ""),
    ("contains", {"texts": ["a", 1]}, "item 2 must be text, got '1'", ""),
    ("contains", {"texts": {}}, "must be text or a list, got '{}'", ""),
    ("regex", {"pattern": "(a"}, "is not a regular expression: '(a' (missing )", "escape"),
    ("json_schema", {"schema": []}, "must be a mapping, got '[]'", ""),
    ("json_schema", {"schema": {"type": "objet"}}, "is not a JSON Schema: 'objet' is not", ""),
    ("json_schema", {"schema": {"required": "a"}}, "is not of type 'array' at 'required'", ""),
    ("json_schema", {"schema": {"pattern": "("}}, "the pattern '(' is not a regular", ""),
    ("json_schema", {"schema": {"patternProperties": {"(": {}}}}, "the pattern '(' is not", ""),
    ("json_schema", {"schema": {"allOf": [{"$ref": "#/x"}]}}, "leads nowhere: '#/x'", ""),
    ("json_schema", {"schema": {"$ref": "http://a.invalid/b"}}, "leads nowhere: 'http", ""),
    ("json_fields", {"weights": {"a": 0}}, "at 'a' must be above 0, got '0'", ""),
    ("json_fields", {"compare": "fuzzy"}, "must be one of exact, normalized, numeric", ""),
    ("json_fields", {"compare": {"a": "fuzzy"}}, "at 'a' must be one of exact, ", ""),
    (
        "json_fields",
        {"fields": ["city"], "weights": {"citty": 2}},
        "option 'weights' of metric 'json_fields' names the field 'citty', which is not in",
        "did you mean 'city'? fields: city",
    ),
    ("json_fields", {"fields": ["a"], "compare": {"b": "exact"}}, "names the field 'b'", ""),
    ("evaluators", {"a": 1}, "unknown option 'a' of metric 'evaluators'", "has no options"),
    ("evaluators", {}, "there is no metric, and the prompt file brings no evaluators", "give"),
]


@pytest.mark.parametrize(("name", "options", "message", "hint"), BAD)
def test_a_bad_metric_is_a_config_error_with_place_and_hint(
    name: str, options: dict[str, JSON], message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        metric(name, **options)

    (problem,) = caught.value.problems
    assert str(problem).startswith("gepa-ci.yml:3: ")
    assert message in str(problem)
    assert hint in (problem.hint or "")


def test_all_problems_of_all_metrics_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        weighted(
            MetricSpec(name="exact_match", options={"a": 1, "strip": 2}, line=5),
            MetricSpec(name="nonsense"),
            MetricSpec(name="token_f1", weight=0.0),
        )

    assert [str(problem) for problem in caught.value.problems] == [
        "gepa-ci.yml:5: unknown option 'a' of metric 'exact_match'",
        "gepa-ci.yml:5: option 'strip' of metric 'exact_match' must be true or false, got '2'",
        "gepa-ci.yml:3: unknown metric 'nonsense'",
        "gepa-ci.yml:3: the weight of metric 'token_f1' must be above 0, got '0.0'",
    ]


def test_an_option_that_is_null_was_left_out() -> None:
    assert metric("numeric", tolerance=None).digest == metric("numeric").digest


def test_several_metrics_make_a_weighted_mean_with_a_part_each() -> None:
    built = weighted(
        MetricSpec(name="exact_match", weight=3), MetricSpec(name="token_f1", weight=1)
    )

    result = built(example("red car"), "red bus")

    assert result.value == pytest.approx(0.125)
    assert result.parts == {"exact_match": 0.0, "token_f1": 0.5}
    assert result.feedback.splitlines()[0].startswith("exact_match: Expected exactly 'red car'")
    assert result.feedback.splitlines()[1].startswith("token_f1: Expected 'red car'")


def test_metrics_of_one_name_get_numbered_parts() -> None:
    built = weighted(
        MetricSpec(name="regex", options={"pattern": "a"}),
        MetricSpec(name="regex", options={"pattern": "b"}),
    )

    assert built(example(), "a").parts == {"regex": 1.0, "regex_2": 0.0}


@given(
    values=st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=5),
    weights=st.lists(st.floats(1e-300, 1e300), min_size=5, max_size=5),
)
def test_a_weighted_mean_stays_in_bounds(values: list[float], weights: list[float]) -> None:
    specs = [
        MetricSpec(name="regex", options={"pattern": "a" if value else "b"}, weight=weight)
        for value, weight in zip(values, weights, strict=False)
    ]

    value = weighted(*specs)(example(), "a").value

    assert 0 <= value <= 1
    assert value == 1.0 or min(values) == 0.0


def test_a_weighted_metric_needs_labels_when_one_of_its_metrics_does() -> None:
    built = weighted(MetricSpec(name="regex", options={"pattern": "a"}), MetricSpec(name="numeric"))

    assert built.needs_expected
    assert built.name == "regex, numeric"
    (problem,) = check_labels(built, [example(3), example("abc")])
    assert problem.message.endswith("is not a number but the text 'abc' (metric 'numeric')")


def test_a_digest_changes_with_options_and_weights_only() -> None:
    digests = [
        metric("numeric").digest,
        metric("numeric", tolerance=1).digest,
        metric("exact_match").digest,
        weighted(MetricSpec(name="numeric"), MetricSpec(name="exact_match")).digest,
        weighted(MetricSpec(name="numeric", weight=2), MetricSpec(name="exact_match")).digest,
    ]

    assert len(set(digests)) == len(digests)
    assert metric("numeric", tolerance=0.0).digest == metric("numeric").digest


def test_every_known_metric_is_described_and_lists_its_options() -> None:
    assert tuple(metric_descriptions()) == known_metrics()
    assert tuple(metric_options()) == known_metrics()
    assert all(option.description for options in metric_options().values() for option in options)


SCHEMAS = [option.schema for options in metric_options().values() for option in options]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(-1, 1)
    | st.sampled_from(["", "a", ".", "exact", "normalized", "last", "any"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@given(schema=st.sampled_from(SCHEMAS), value=VALUES)
@settings(max_examples=300, deadline=None)
def test_options_are_checked_as_their_json_schema_says(
    schema: dict[str, JSON], value: JSON
) -> None:
    accepted = jsonschema.Draft202012Validator(schema).is_valid(value)

    assert (value_problem(schema, value) is None) == accepted


@pytest.mark.parametrize("operator", ["llm", "uses"])
def test_an_evaluator_that_needs_a_judge_is_a_metric_error(operator: str) -> None:
    checks = (Evaluator(name="fluency", operator=operator, value="github/fluency"),)

    with pytest.raises(MetricError, match="which a prompt file cannot bring: 'fluency'"):
        build_metric((), evaluators=checks, where="a.prompt.yml", line=None)
