from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gepa_ci.config.problems import MOST
from gepa_ci.core.prompt import Prompt
from gepa_ci.core.suite import Part
from gepa_ci.errors import Problem, SuiteError
from gepa_ci.suites import read_examples

ROWS: list[dict[str, Any]] = [
    {
        "id": "a",
        "inputs": {"text": "x, y", "n": 3},
        "expected": {"k": None},
        "group": "g",
        "weight": 2,
        "tags": ["t", "u", "t"],
        "part": "val",
    },
    {"id": 7, "inputs": "just text", "expected": None, "tags": "one"},
    {"inputs": {"text": "no label"}},
]


def prompt(rows: list[dict[str, Any]], variables: tuple[str, ...] = ()) -> Prompt:
    return Prompt(
        path="p.prompt.yml",
        format="prompt_yml",
        source=b"",
        components=(),
        variables=variables,
        test_data=tuple(rows),
        test_data_lines=tuple(range(10, 10 + len(rows))),
    )


def check(path: str, source: str, lines: list[int]) -> None:
    first, second, third = read_examples(path, source.encode())

    assert first.example.id == "a"
    assert first.example.inputs == {"text": "x, y", "n": 3}
    assert first.example.expected == {"k": None}
    assert first.example.group == "g"
    assert first.example.weight == 2.0
    assert first.example.tags == ("t", "u")
    assert first.part is Part.VAL
    assert second.example.id == "7"
    assert second.example.inputs == {"input": "just text"}
    assert second.example.labelled
    assert second.example.tags == ("one",)
    assert second.part is None
    assert not third.example.labelled
    assert third.example.id.startswith("ex-")
    assert [row.example.line for row in (first, second, third)] == lines
    assert first.example.path == path


def test_jsonl_is_read() -> None:
    check("s.jsonl", "\ufeff" + "\r\n\r\n".join(json.dumps(row) for row in ROWS), [1, 3, 5])


def test_a_json_list_is_read() -> None:
    check("s.json", "[\n" + ",\n\n".join(json.dumps(row) for row in ROWS) + "]\n", [2, 4, 6])


def test_yaml_is_read() -> None:
    check("s.yaml", yaml.safe_dump(ROWS), [1, 14, 18])


def test_yaml_under_examples_is_read() -> None:
    found = read_examples("s.yml", b"examples:\n  - inputs: {x: 1}\n")

    assert found[0].example.inputs == {"x": 1}
    assert found[0].example.line == 2


def test_csv_is_read() -> None:
    source = (
        "id,text,inputs.id,expected,group,weight,tags,part\r\n"
        '1,"a\nb",z, x ,g,2.5,"t;u, v",train\r\n'
        "\r\n"
        ",c,,,,,,\r\n"
    )
    first, second = read_examples("s.csv", source.encode())

    assert first.example.id == "1"
    assert first.example.inputs == {"text": "a\nb", "id": "z"}
    assert first.example.expected == " x "
    assert first.example.weight == 2.5
    assert first.example.tags == ("t", "u", "v")
    assert first.part is Part.TRAIN
    assert second.example.inputs == {"text": "c", "id": ""}
    assert not second.example.labelled
    assert [first.example.line, second.example.line] == [2, 5]


def test_csv_reads_an_answer_as_json_only_when_told() -> None:
    (as_json,) = read_examples("s.csv", b'input,expected_json\na,"{""k"": 1}"\n')
    (as_text,) = read_examples("s.csv", b"input,expected\na,1\n")

    assert as_json.example.expected == {"k": 1}
    assert as_text.example.expected == "1"


def test_test_data_is_read() -> None:
    rows: list[dict[str, Any]] = [
        {"input": "a", "expected": "b", "id": "x"},
        {"input": "c", "n": 1},
    ]
    first, second = read_examples("p.prompt.yml", b"", prompt=prompt(rows))

    assert first.example.id == "x"
    assert first.example.inputs == {"input": "a"}
    assert first.example.expected == "b"
    assert second.example.inputs == {"input": "c", "n": 1}
    assert not second.example.labelled
    assert [first.example.line, second.example.line] == [10, 11]


def test_a_placeholder_of_the_prompt_is_an_input_whatever_its_name() -> None:
    rows: list[dict[str, Any]] = [{"id": "x", "group": "g", "expected": "e"}]
    (row,) = read_examples("p.prompt.yml", b"", prompt=prompt(rows, ("id", "group", "expected")))

    assert row.example.inputs == {"id": "x", "group": "g", "expected": "e"}
    assert row.example.expected == "e"
    assert row.example.group is None


def test_a_prompt_without_test_data_has_no_examples() -> None:
    with pytest.raises(SuiteError, match="the prompt has no testData"):
        read_examples("p.prompt.yml", b"", prompt=prompt([]))


def test_an_id_from_the_inputs_does_not_depend_on_white_space_or_place() -> None:
    (one,) = read_examples("s.jsonl", b'{"inputs": {"a": "x  y", "b": 1}}')
    _, two = read_examples("s.csv.jsonl", b'{"inputs": "z"}\n{"inputs": {"b": 1.0, "a": "x y "}}')

    assert one.example.id == two.example.id


def test_all_problems_of_a_file_come_at_once() -> None:
    with pytest.raises(SuiteError) as caught:
        read_examples("s.jsonl", b'{\n{"inputs": 1, "part": "x"}\n{"inputs": "a", "tag": "t"}')

    assert [problem.line for problem in caught.value.problems] == [1, 2, 2, 3]


def test_a_file_that_is_wrong_throughout_is_cut_short() -> None:
    with pytest.raises(SuiteError) as caught:
        read_examples("s.jsonl", b"{}\n" * 1000)

    assert len(caught.value.problems) == MOST + 1
    assert caught.value.problems[-1].message == f"and {1000 - MOST} more problems"


def test_a_flat_row_is_told_to_use_inputs() -> None:
    with pytest.raises(SuiteError) as caught:
        read_examples("s.jsonl", b'{"question": "a", "expected": "b"}')

    assert "under 'inputs'" in (caught.value.problems[0].hint or "")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), JSON, min_size=1, max_size=3), JSON)
def test_jsonl_gives_inputs_and_answer_exactly_as_written(
    inputs: dict[str, Any], expected: Any
) -> None:
    source = json.dumps({"inputs": inputs, "expected": expected}).encode()
    (row,) = read_examples("s.jsonl", source)

    assert row.example.inputs == inputs
    assert row.example.expected == expected


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=1, max_size=3))
def test_csv_gives_inputs_exactly_as_written(cells: list[str]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([[f"c{n}" for n, _ in enumerate(cells)], cells])
    if not any(cell.strip() for cell in cells):
        return
    (row,) = read_examples("s.csv", out.getvalue().encode())

    assert list(row.example.inputs.values()) == cells


@settings(deadline=None)
@given(
    st.binary(max_size=200) | st.text(max_size=200).map(str.encode),
    st.sampled_from(["jsonl", "json", "csv", "yaml"]),
)
def test_no_bytes_cause_anything_but_a_suite_error(source: bytes, ending: str) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        read_examples(f"s.{ending}", source)
    except SuiteError as error:
        problems = error.problems

    assert all(problem.hint and problem.line for problem in problems)


@settings(deadline=None)
@given(JSON, st.sampled_from(["jsonl", "json", "yaml"]))
def test_no_row_causes_anything_but_a_suite_error(value: Any, ending: str) -> None:
    row = value if isinstance(value, dict) else {"inputs": "a", "tags": value, "weight": value}
    source = json.dumps([row] if ending != "jsonl" else row, ensure_ascii=False)
    problems: tuple[Problem, ...] = ()
    try:
        read_examples(f"s.{ending}", source.encode("utf-8", "replace"))
    except SuiteError as error:
        problems = error.problems

    assert all(problem.hint and problem.line for problem in problems)
