from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from metric_examples import example, metric

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON

Row = tuple[str, dict[str, "JSON"], "JSON", str, float, str]

ROWS: list[Row] = [
    ("exact_match", {}, "billing", "billing", 1, "Correct: 'billing'."),
    (
        "exact_match",
        {},
        "billing",
        "Billing",
        0,
        (
            "Expected exactly 'billing', got 'Billing'. "
            "Only upper and lower case differ: copy the exact spelling."
        ),
    ),
    (
        "exact_match",
        {},
        "billing",
        "billing\n",
        0,
        (
            "Expected exactly 'billing', got 'billing\\n'. "
            "Only blanks or line breaks around the answer differ: write none."
        ),
    ),
    ("exact_match", {"strip": True}, "billing", " billing\n", 1, "Correct: ' billing\\n'."),
    (
        "exact_match",
        {},
        "a b",
        "a  b",
        0,
        "Only the whitespace differs: keep blanks and line breaks as they are.",
    ),
    (
        "exact_match",
        {},
        "billing",
        '"Billing."',
        0,
        "Only case, whitespace or punctuation around the answer differs.",
    ),
    (
        "exact_match",
        {},
        "billing",
        "The label is billing",
        0,
        (
            "The answer is in the output, but more text stands around it "
            "('the label is' before it): write only the answer."
        ),
    ),
    ("exact_match", {}, "two words", "words", 0, "The output is only a part of the answer."),
    ("exact_match", {}, "billing", "  ", 0, "The output is empty."),
    ("exact_match", {}, "billing", "refund", 0, "The answer itself is different."),
    ("exact_match", {}, True, "true", 1, "Correct: 'true'."),
    ("exact_match", {}, "x", "y" * 500, 0, "(shortened from 500 characters)"),
    ("normalized_match", {}, "Billing", " **\uff42illing**.", 1, "Correct"),
    ("normalized_match", {}, "C#", "C", 0, "Expected 'C#', got 'C'."),
    ("normalized_match", {}, "-5", "5", 0, "only a part"),
    ("normalized_match", {}, "the cat", "cat", 0, "only a part"),
    ("normalized_match", {"ignore_articles": True}, "the cat", "A cat.", 1, "Correct"),
    ("normalized_match", {"ignore_articles": True}, "the", "the", 1, "Correct"),
    ("normalized_match", {"ignore_case": False}, "Cat", "cat", 0, "Only upper and lower case"),
    ("normalized_match", {"ignore_punctuation": False}, "cat", "cat.", 0, "Only case, whitespace"),
    ("contains", {}, "Rome", "It is Rome.", 1, "Correct: the output contains 'Rome'."),
    (
        "contains",
        {},
        "Rome",
        "it is rome",
        0,
        (
            "The output must contain 'Rome', got 'it is rome'. "
            "In other upper and lower case it holds 'Rome': copy the spelling."
        ),
    ),
    ("contains", {"ignore_case": True}, "Rome", "rome", 1, "Correct"),
    ("contains", {}, ["a", "b"], "a", 0, "The output must contain 'b', got 'a'."),
    ("contains", {"require": "share"}, ["a", "b"], "a", 0.5, "must contain 'b'"),
    ("contains", {"require": "any"}, ["a", "b"], "a", 1, "Correct: the output contains one of"),
    ("contains", {"require": "any"}, ["a", "b"], "x", 0, "contain at least one of 'a', 'b'"),
    ("contains", {"texts": ["a", "b"]}, None, "", 0, "'a', 'b', got ''. The output is empty."),
    ("regex", {}, "^a+$", "aaa", 1, "Correct: the output matches '^a+$'."),
    (
        "regex",
        {"pattern": "^[A-Z]-\\d+$"},
        None,
        "a-17",
        0,
        (
            "The output must match the pattern '^[A-Z]-\\d+$', got 'a-17'. "
            "It would match if upper and lower case did not count."
        ),
    ),
    ("regex", {"pattern": "\\d+", "match": "full"}, None, "No 17", 0, "A part of it matches"),
    ("regex", {"pattern": "\\d+", "match": "full"}, None, "none", 0, "got 'none'."),
    ("regex", {"pattern": "\\d+"}, None, "", 0, "The output is empty."),
    ("regex", {"pattern": "answer: {{expected}}$"}, "1+1", "answer: 1+1", 1, "Correct"),
    ("regex", {"pattern": "^b", "multiline": True}, None, "a\nb", 1, "Correct"),
    ("regex", {"pattern": "b", "ignore_case": True}, None, "B", 1, "Correct"),
    ("one_of", {}, ["yes", "no"], "no", 1, "Correct: 'no'."),
    (
        "one_of",
        {},
        ["yes", "no"],
        "Yes",
        0,
        (
            "Expected one of 'yes', 'no', got 'Yes'. Nearest is 'yes'. "
            "Only upper and lower case differ: copy the exact spelling."
        ),
    ),
    ("one_of", {}, ["yes", "no"], "maybe", 0, "It is none of the accepted answers."),
    ("one_of", {}, ["yes"], "", 0, "The output is empty."),
    ("one_of", {"compare": "normalized"}, ["yes"], "Yes!", 1, "Correct"),
    ("one_of", {"values": [1, True]}, None, "true", 1, "Correct"),
    ("one_of", {}, [f"answer {n}" for n in range(20)], "x", 0, "'answer 11' and 8 more"),
    ("numeric", {}, 1234.5, "It costs $1,234.50.", 1, "Correct: '1234.50'."),
    ("numeric", {}, 0.3, "0.30", 1, "Correct"),
    (
        "numeric",
        {},
        42,
        "42 of 50",
        0,
        (
            "Expected the number '42', got '50' from '42 of 50'. "
            "The right number is in the output, "
            "but the last number is what is read: write the answer there, and nothing else."
        ),
    ),
    ("numeric", {"which": "first"}, 42, "42 of 50", 1, "Correct"),
    ("numeric", {"which": "only"}, 42, "42 of 50", 0, "which holds 2 numbers"),
    ("numeric", {"which": "only"}, 42, "it is 42", 1, "Correct"),
    ("numeric", {}, 42, "forty-two", 0, "got 'forty-two', which holds no number."),
    ("numeric", {}, 42, "", 0, "got '', which is empty."),
    ("numeric", {}, 42, "-42", 0, "The sign is wrong."),
    ("numeric", {}, 0.42, "42%", 0, "It is off by a power of ten"),
    ("numeric", {}, 0, "7", 0, "The number itself is wrong."),
    ("numeric", {"tolerance": 0.5}, 10, "10.5", 1, "Correct"),
    ("numeric", {"tolerance": 0.5}, 10, "10.6", 0, "'10' within 0.5, got '10.6'"),
    ("numeric", {"relative_tolerance": 0.1}, 100, "91", 1, "Correct"),
    ("numeric", {"relative_tolerance": 0.1}, 100, "89", 0, "within 0.1 of its size"),
    ("numeric", {"decimal": ","}, "1.234,5", "1.234,50 EUR", 1, "Correct"),
    ("token_f1", {}, "The red car", "red car!", 1, "Correct"),
    (
        "token_f1",
        {},
        "red car",
        "red bus",
        0.5,
        "Expected 'red car', got 'red bus'. Words missing: 'car'. Words too many: 'bus'.",
    ),
    ("token_f1", {}, "red", "blue", 0, "They share no word."),
    ("token_f1", {}, "red", "", 0, "The output is empty."),
    ("token_f1", {}, "...", "red", 0, "They share no word."),
    ("token_f1", {}, ["x y", "red"], "red", 1, "Correct"),
    ("token_f1", {}, "東京都", "東京", 0.8, "Words missing: '都'."),
    ("token_f1", {}, "x", "x " + " ".join(map(str, range(20))), 1 / 11, "and 8 more"),
    ("levenshtein", {}, "kitten", "kitten", 1, "Correct"),
    ("levenshtein", {}, "abcd", "abcx", 0.75, "got 'abcx', which is 1 character edit away."),
    ("levenshtein", {}, "abcd", "", 0, "4 character edits away. The output is empty."),
    ("levenshtein", {"normalize": True}, "Abcd", "abcd.", 1, "Correct"),
    ("json_schema", {"schema": {"type": "object"}}, None, "{}", 1, "the JSON fits the schema."),
    (
        "json_schema",
        {"schema": {"type": "object"}},
        None,
        "```json\n{}\n```",
        1,
        "The JSON has a code fence around it: write only the JSON.",
    ),
    (
        "json_schema",
        {"schema": {"type": "object"}, "strict": True},
        None,
        "```json\n{}\n```",
        0,
        "JSON must be the whole output, but a code fence stands around it",
    ),
    (
        "json_schema",
        {"schema": {"properties": {"a": {"type": "integer"}}, "required": ["b", "c"]}},
        None,
        '{"a": "x"}',
        0,
        (
            "The JSON does not fit the schema. At 'a': expected integer, got text 'x'. "
            "At the top: missing 'b', 'c'. Got '{\"a\": \"x\"}'."
        ),
    ),
    (
        "json_schema",
        {"schema": {"enum": ["a", "b"]}},
        None,
        '"c"',
        0,
        "At the top: expected one of 'a', 'b', got 'c'.",
    ),
    (
        "json_schema",
        {"schema": {"type": ["string", "null"]}},
        None,
        "5",
        0,
        "expected string or null, got number '5'",
    ),
    ("json_schema", {"schema": {"maximum": 3}}, None, "5", 0, "5 is greater than the maximum"),
    ("json_schema", {"schema": {"pattern": "^a"}}, None, '"b"', 0, "'b' does not match '^a'"),
    ("json_schema", {"schema": {"pattern": "^a"}}, None, "5", 1, "Correct"),
    ("json_schema", {"schema": {"type": "array"}}, None, 'Here: [{"a": 1}]', 1, "other text"),
    (
        "json_schema",
        {"schema": {"items": {"type": "string"}}},
        None,
        "[1, 2, 3, 4, 5, 6, 7]",
        0,
        "There are more errors.",
    ),
    ("json_schema", {}, {"type": "object"}, "", 0, "The output is empty, not JSON. Got ''."),
    ("json_schema", {}, {"type": "object"}, "hello", 0, "The output holds no JSON at all."),
    (
        "json_schema",
        {},
        {"type": "object"},
        '{"a": }',
        0,
        "The output is not valid JSON: expecting value at line 1, column 7.",
    ),
    ("json_schema", {}, {"type": "object"}, "[" * 9999, 0, "it is nested too deeply."),
    ("json_schema", {}, {"type": "object"}, '{"a": NaN}', 0, "NaN, Infinity or a number"),
    ("json_fields", {}, {"a": 1}, '{"a": 1.0}', 1, "Correct: every field has its expected value."),
    (
        "json_fields",
        {},
        {"order": "A-17", "name": "Ann", "item": "lamp", "n": 2},
        '{"order": "a-17", "item": "Ann", "n": "2", "mood": 1}',
        0,
        (
            "0 of 4 fields are right. Wrong:\n"
            "- field 'order': expected 'A-17', got 'a-17'. Only upper and lower case differ: "
            "copy the exact spelling; the input 'mail' holds the expected value word for word.\n"
            "- field 'name': expected 'Ann', but the field is missing, "
            "the expected value stands in field 'item'.\n"
            "- field 'item': expected 'lamp', got 'Ann'. The answer itself is different.\n"
            "- field 'n': expected the number '2', got '2'. "
            "The value is right but its type is not: write a number, not text.\n"
            "Fields that were not asked for: 'mood'."
        ),
    ),
    (
        "json_fields",
        {},
        {"customer_name": "Ann", "x": 1},
        '{"customer": "Bo", "x": 1}',
        0.5,
        "but the field is missing, there is 'customer' instead.",
    ),
    ("json_fields", {}, {"a": "x"}, '{"a": ""}', 0, "got ''. The field is empty."),
    ("json_fields", {}, {"a": "x"}, '{"a": null}', 0, "Write text, not null."),
    ("json_fields", {}, {"a": {"b": 1}}, '{"a": [1]}', 0, "Write an object, not a list."),
    ("json_fields", {}, {"a": 5}, '{"a": 6}', 0, "The value is different."),
    ("json_fields", {}, {"a": True}, '{"a": 1}', 0, "Write a boolean, not a number."),
    ("json_fields", {}, {"a": [1, {"b": 2}]}, '{"a": [1, {"b": 2}]}', 1, "Correct"),
    ("json_fields", {}, {"a": [1]}, '{"a": [1, 2]}', 0, "The value is different."),
    ("json_fields", {}, {"a": {"b": 1}}, '{"a": {"c": 1}}', 0, "The value is different."),
    (
        "json_fields",
        {},
        {"a": 1},
        'Sure! {"a": 1} Bye {"a": 2}',
        1,
        "The JSON has other text around it: write only the JSON.",
    ),
    ("json_fields", {}, {"a": 1}, 'x {y {"a": 1}', 1, "other text"),
    ("json_fields", {}, {"a": 1}, 'So:\n```\n{"a": 1}\n```', 1, "other text around it"),
    ("json_fields", {}, {"a": 1}, '```json\n{"a": 1}', 1, "a code fence around it"),
    ("json_fields", {}, {"a": 1}, '```py\nx\n```\n{"a": 1}', 1, "other text around it"),
    (
        "json_fields",
        {"strict": True},
        {"a": 1},
        'Sure! {"a": 1}',
        0,
        (
            "but other text stands around it: write only the JSON. "
            "Expected a JSON object like '{\"a\": 1}', got 'Sure! {\"a\": 1}'."
        ),
    ),
    ("json_fields", {}, {"a": 1}, "[1]", 0, "The JSON is a list, not an object."),
    ("json_fields", {"fields": ["a"]}, {"a": 1, "b": 2}, '{"a": 1}', 1, "Correct"),
    (
        "json_fields",
        {"weights": {"a": 3}},
        {"a": 1, "b": 2},
        '{"a": 1}',
        0.75,
        "1 of 2 fields are right.",
    ),
    (
        "json_fields",
        {"compare": "normalized"},
        {"a": "X y", "b": 5},
        '{"a": "x  Y.", "b": "5"}',
        1,
        "",
    ),
    (
        "json_fields",
        {"compare": {"a": "numeric"}, "tolerance": 1},
        {"a": 10, "b": "X"},
        '{"a": "11 EUR", "b": "x"}',
        0.5,
        "field 'b'",
    ),
    (
        "json_fields",
        {"compare": "numeric"},
        {"a": 10},
        '{"a": "ten"}',
        0,
        "Write a number, not text",
    ),
    ("json_fields", {"compare": "normalized"}, {"a": {"b": ["X"]}}, '{"a": {"b": ["x"]}}', 1, ""),
]


@pytest.mark.parametrize(("name", "options", "expected", "output", "value", "feedback"), ROWS)
def test_feedback_says_what_was_expected_what_came_and_what_to_do(
    name: str,
    options: dict[str, JSON],
    expected: JSON,
    output: str,
    value: float,
    feedback: str,
) -> None:
    result = metric(name, **options)(example(expected, mail="Order A-17, please", number=5), output)

    assert result.value == pytest.approx(value)
    assert feedback in result.feedback


def test_json_fields_has_a_part_for_each_field() -> None:
    result = metric("json_fields")(example({"a": 1, "b": 2}), '{"a": 1, "b": 3}')

    assert result.parts == {"a": 1.0, "b": 0.0}


def test_json_fields_has_its_parts_when_there_is_no_json() -> None:
    result = metric("json_fields")(example({"a": 1, "b": 2}), "no")

    assert result.parts == {"a": 0.0, "b": 0.0}


def test_token_f1_has_precision_and_recall_as_parts() -> None:
    result = metric("token_f1")(example("red car"), "red")

    assert result.parts == {"precision": 1.0, "recall": 0.5}
