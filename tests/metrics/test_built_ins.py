from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_examples import example, metric, score

from gepa_ci.metrics import check_labels

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON

SURROGATES = st.text(st.characters(), max_size=60)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | SURROGATES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SURROGATES, inner, max_size=3),
    max_leaves=8,
)
OUTPUTS = st.one_of(
    SURROGATES,
    JSON_VALUES.map(json.dumps),
    JSON_VALUES.map(lambda value: f"Sure:\n```json\n{json.dumps(value)}\n```\nDone."),
    st.text(alphabet='{}[]":,` \n0123456789.eE+-aN', max_size=80),
    st.sampled_from(
        [
            "",
            "[" * 100_000,
            '{"a":' * 20_000,
            "```json\n" * 5_000,
            "9" * 300_000,
            "." + "0" * 1_000_001 + "1",
            "1e9999 -1e-9999",
            '{"a": 1e999}',
            '{"a": NaN}',
            '{"a": ' + "9" * 5_000 + "}",
            '{"a": ' + "[" * 400 + "]" * 400 + "}",
            "a" * 300_000,
            "\ud800\udfff\ud800",
        ]
    ),
)
SCHEMA: JSON = {
    "type": "object",
    "properties": {"a": {"type": "number", "multipleOf": 0.1}, "b": {"$ref": "#"}},
    "patternProperties": {"^x": {"type": "string", "pattern": "^a+$"}},
    "additionalProperties": False,
}
CASES: list[tuple[str, JSON, dict[str, JSON]]] = [
    ("exact_match", "yes", {}),
    ("exact_match", 42, {"strip": True}),
    ("normalized_match", "the Answer", {"ignore_articles": True}),
    ("contains", ["a", "b"], {"require": "share", "ignore_case": True}),
    ("regex", "^a.c$", {"multiline": True}),
    ("regex", "a", {"pattern": "x {{expected}}", "match": "full"}),
    ("one_of", ["yes", "no"], {"compare": "normalized"}),
    ("numeric", "5e-300", {"tolerance": 0.5, "relative_tolerance": 0.1}),
    ("numeric", -3, {"decimal": ",", "which": "only"}),
    ("token_f1", ["a b", "c"], {}),
    ("json_schema", None, {"schema": SCHEMA}),
    ("json_schema", {"type": "array"}, {"strict": True}),
    ("json_fields", {"a": 1.5, "b": "x"}, {"compare": {"a": "numeric", "b": "normalized"}}),
    ("json_fields", {"a": [1, {"b": None}], "c": ""}, {"compare": "normalized", "strict": True}),
    ("levenshtein", "abc", {}),
    ("levenshtein", "", {"normalize": True}),
]


@pytest.mark.parametrize(("name", "expected", "options"), CASES)
@given(output=OUTPUTS)
@settings(max_examples=40, deadline=None)
def test_any_output_gets_a_score_with_feedback_that_can_be_saved(
    name: str, expected: JSON, options: dict[str, JSON], output: str
) -> None:
    result = metric(name, **options)(example(expected), output)

    assert 0 <= result.value <= 1
    assert all(0 <= part <= 1 for part in result.parts.values())
    assert result.feedback.strip()
    assert result.feedback.encode("utf-8")


@pytest.mark.parametrize(
    "name", ["exact_match", "normalized_match", "token_f1", "levenshtein", "contains"]
)
@given(text=SURROGATES.filter(bool))
@settings(max_examples=60, deadline=None)
def test_the_expected_text_as_output_scores_one(name: str, text: str) -> None:
    # A text that is a JSON list stands for several answers.
    expected = f"x{text}"

    assert score(name, expected, expected).value == 1.0


@given(value=st.dictionaries(SURROGATES, JSON_VALUES, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_the_expected_object_as_output_scores_one(value: dict[str, JSON]) -> None:
    assert score("json_fields", value, json.dumps(value)).value == 1.0


@given(number=st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_the_expected_number_as_output_scores_one(number: float) -> None:
    assert score("numeric", number, f"The answer is {number}.").value == 1.0


@pytest.mark.parametrize(
    ("name", "expected", "options"),
    [
        ("exact_match", ["a"], {}),
        ("exact_match", {"a": 1}, {}),
        ("normalized_match", ["a"], {}),
        ("levenshtein", ["a"], {}),
        ("contains", [], {}),
        ("contains", "", {}),
        ("contains", [["a"]], {}),
        ("contains", {"a": 1}, {}),
        ("regex", "(", {}),
        ("regex", 5, {}),
        ("regex", ["a"], {"pattern": "{{expected}}"}),
        ("one_of", "yes", {}),
        ("one_of", [], {}),
        ("one_of", [{"a": 1}], {}),
        ("numeric", "abc", {}),
        ("numeric", "1 or 2", {}),
        ("numeric", True, {}),
        ("numeric", None, {}),
        ("numeric", float("inf"), {}),
        ("token_f1", [], {}),
        ("json_schema", "x", {}),
        ("json_schema", {"type": "objet"}, {}),
        ("json_fields", "abc", {}),
        ("json_fields", [1], {}),
        ("json_fields", "{broken", {}),
        ("json_fields", {}, {}),
        ("json_fields", {"citty": 1}, {"fields": ["city"]}),
    ],
)
def test_a_label_of_no_use_is_a_problem_with_its_place(
    name: str, expected: JSON, options: dict[str, JSON]
) -> None:
    (problem,) = check_labels(metric(name, **options), [example(expected)])

    assert str(problem).startswith("suite.jsonl:7: 'expected' of example 'e1' ")
    assert problem.hint


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("exact_match", None),
        ("exact_match", 5),
        ("contains", '["a", "b"]'),
        ("one_of", '["a", "b"]'),
        ("numeric", "1,200 EUR"),
        ("regex", "^a$"),
        ("json_fields", '{"a": 1}'),
        ("json_schema", '{"type": "object"}'),
        ("token_f1", "[not json"),
    ],
)
def test_a_usable_label_is_no_problem(name: str, expected: JSON) -> None:
    assert check_labels(metric(name), [example(expected)]) == ()


def test_a_missing_label_is_a_problem_with_its_place() -> None:
    (problem,) = check_labels(metric("exact_match"), [example(labelled=False)])

    assert str(problem) == (
        "suite.jsonl:7: example 'e1' has no 'expected', which metric 'exact_match' needs"
    )
    assert problem.hint == "add the answer as 'expected', or choose a metric that needs none"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("contains", {"texts": "a"}),
        ("regex", {"pattern": "a"}),
        ("one_of", {"values": ["a"]}),
        ("json_schema", {"schema": {}}),
    ],
)
def test_a_metric_whose_options_say_it_all_needs_no_label(
    name: str, options: dict[str, JSON]
) -> None:
    built = metric(name, **options)

    assert not built.needs_expected
    assert check_labels(built, [example(labelled=False)]) == ()


def test_a_weight_for_a_field_that_no_label_has_is_a_problem() -> None:
    built = metric("json_fields", weights={"citty": 2, "name": 1}, compare={"name": "normalized"})

    (problem,) = check_labels(built, [example({"city": "Rome"}), example({"name": "Ann"})])

    assert str(problem) == (
        "suite.jsonl: metric 'json_fields' names the field 'citty', which no 'expected' has"
    )
    assert problem.hint == "did you mean 'city'? fields: city, name"


def test_a_weight_for_a_field_of_some_labels_is_no_problem() -> None:
    built = metric("json_fields", weights={"city": 2})

    assert check_labels(built, [example({"city": "Rome"}), example({"name": "Ann"})]) == ()


def test_a_wrong_value_too_large_to_show_is_still_described() -> None:
    expected: JSON = []
    for _ in range(5_000):
        expected = [expected]

    result = score("json_fields", {"a": expected, "b": 10**5_000}, '{"a": 1, "b": 2}')

    assert "expected the list a list too large to show, got the number '1'" in result.feedback
