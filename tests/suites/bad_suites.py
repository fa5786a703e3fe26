"""Suites that must be refused: name -> (files, line, part of the message, part of the hint)."""

from __future__ import annotations

import json
from typing import NamedTuple

from gepa_ci.core.config import SuiteSpec


class BadSuite(NamedTuple):
    """One suite that must be refused, and what has to be said about it."""

    files: dict[str, bytes]
    """Content by path; the first file is the suite, or all are parts with the part's name."""
    line: int | None
    message: str
    hint: str

    @property
    def spec(self) -> SuiteSpec:
        """Return where the examples are."""
        parts = {path.split(".")[0]: path for path in self.files}
        if "held_out" in parts:
            return SuiteSpec(train=parts.get("train"), held_out=parts["held_out"])
        return SuiteSpec(file=next(iter(self.files)))


LONG = "Please find out where my parcel is, I have been waiting for it since last Monday. Order {}."


def _one(name: str, source: str | bytes, line: int | None, message: str, hint: str) -> BadSuite:
    content = source if isinstance(source, bytes) else source.encode()
    return BadSuite({name: content}, line, message, hint)


def _jsonl(row: str, message: str, hint: str) -> BadSuite:
    """Put a row on line 2, after a right one."""
    return _one("s.jsonl", f'{{"inputs": {{"input": "a"}}}}\n{row}\n', 2, message, hint)


def _row(values: object, message: str, hint: str) -> BadSuite:
    return _jsonl(json.dumps(values), message, hint)


def _rows(rows: list[object], line: int, message: str, hint: str) -> BadSuite:
    return _one("s.jsonl", "\n".join(json.dumps(row) for row in rows), line, message, hint)


BAD_SUITES: dict[str, BadSuite] = {
    # files
    "empty": _one("s.jsonl", "", 1, "the file has no examples", "at least one"),
    "blank": _one("s.jsonl", " \n\n", 1, "the file has no examples", "at least one"),
    "empty csv": _one("s.csv", "input,expected\n", 1, "no examples", "at least one"),
    "empty json": _one("s.json", " ", 1, "no examples", "at least one"),
    "empty json list": _one("s.json", "[]", 1, "no examples", "at least one"),
    "empty yaml": _one("s.yml", "# x\n", 1, "no examples", "at least one"),
    "not UTF-8": _one("s.jsonl", b'{"inputs": "a"}\n{"inputs": "\xff"}', 2, "0xff", "as UTF-8"),
    "ending": _one("s.xlsx", "", None, "'.xlsx' is not an ending", ".jsonl"),
    "no ending": _one("suite", "", None, "'' is not an ending", ".jsonl"),
    "a prompt": _one("p.prompt.yml", "", None, "is a prompt, not a suite", "without a suite"),
    # JSON
    "broken row": _jsonl('{"inputs": ', "not valid JSON at column 11: expecting", "double quotes"),
    "two rows on a line": _jsonl('{"inputs": "b"} {}', "more text after the value", "one JSON"),
    "a text as a row": _jsonl('"b"', "is not an example", "write an object"),
    "NaN": _jsonl('{"inputs": {"x": NaN}}', "'NaN' is not JSON", "finite"),
    "Infinity": _jsonl('{"inputs": {"x": -Infinity}}', "'-Infinity' is not JSON", "finite"),
    "too large a number": _jsonl('{"inputs": {"x": 1e999}}', "'1e999' is too large", "finite"),
    "too many digits": _jsonl(f'{{"inputs": {{"x": {"9" * 5000}}}}}', "too many digits", "quotes"),
    "key twice": _jsonl('{"inputs": "b", "inputs": "c"}', "'inputs' is given twice", "keep one"),
    "nesting": _jsonl('{"inputs": ' + "[" * 100_000, "nested too deep", "flatten"),
    "moderate nesting": _jsonl(
        '{"inputs": {"x": ' + "[" * 600 + "]" * 600 + "}}", "nested more than 50", "flatten"
    ),
    "half a character": _jsonl('{"inputs": "\\ud800"}', "'U+D800'", "both of its"),
    "json object": _one("s.json", '\n{"a": 1}', 2, "'{' does not begin a list", "JSONL"),
    "json without comma": _one("s.json", '[{"inputs": "b"}\n{}]', 2, "without a ','", "list"),
    "json broken": _one("s.json", '[\n{"inputs": "b"},\n{x}]', 3, "not valid JSON", "quotes"),
    "json row": _one("s.json", '[\n3,\n{"inputs": "b"}]', 2, "'3' is not an example", "object"),
    "json goes on": _one("s.json", '[{"inputs": "b"}\n] x', 2, "does not end with", "list"),
    "json open": _one("s.json", '[{"inputs": "b"},\n', 2, "does not end with", "list"),
    # rows
    "no inputs": _row({"expected": "b"}, "no 'inputs'", "mapping from placeholder"),
    "empty inputs": _row({"inputs": {}}, "'inputs' is empty", "mapping from placeholder"),
    "inputs as a list": _row({"inputs": ["b"]}, "'[\"b\"]' is not a value", "mapping from"),
    "inputs as a number": _row({"inputs": 3}, "'3' is not a value for 'inputs'", "mapping from"),
    "near key": _row({"inputs": "b", "expcted": "c"}, "key 'expcted'", "did you mean 'expected'?"),
    "other key": _row({"inputs": "b", "answer": "c"}, "key 'answer'", "did you mean 'expected'?"),
    "id": _row({"inputs": "b", "id": True}, "'True' is not a value for 'id'", "a text of 1 to 200"),
    "blank id": _row({"inputs": "b", "id": " "}, "'' is not a value for 'id'", "a text of 1"),
    "hidden id": _row({"inputs": "b", "id": "x\u202ey"}, "is not a value for 'id'", "control"),
    "long id": _row({"inputs": "b", "id": "x" * 201}, "is not a value for 'id'", "200"),
    "group": _row({"inputs": "b", "group": ["g"]}, "is not a value for 'group'", "a text"),
    "weight 0": _row({"inputs": "b", "weight": 0}, "'0' is not a value for 'weight'", "above 0"),
    "weight": _row({"inputs": "b", "weight": "1"}, "'1' is not a value for 'weight'", "quotes"),
    "tags": _row({"inputs": "b", "tags": [1]}, "'[1]' is not a value for 'tags'", "list of texts"),
    "part": _row({"inputs": "b", "part": "test"}, "'test' is not a", "did you mean 'held_out'?"),
    "near part": _row({"inputs": "b", "part": "vall"}, "'vall'", "did you mean 'val'?"),
    "far part": _row({"inputs": "b", "part": 3}, "'3' is not a value for 'part'", "parts: train"),
    "large": _row({"inputs": "b" * 2**20}, "the example has 1,048,", "within 1 MiB"),
    # CSV
    "csv open quote": _one("s.csv", 'input\n"a\n', 2, "not valid CSV", "close every quote"),
    "csv cells": _one("s.csv", "input,expected\na,b\nc\n", 3, "1 cells, the header has 2", "comma"),
    "csv column twice": _one("s.csv", "x,inputs.x\na,b\n", 1, "there twice", "own"),
    "csv unnamed": _one("s.csv", "input,\na,b\n", 1, "a column has no name", "name every"),
    "csv near": _one("s.csv", "input,expcted\na,b\n", 1, "'expcted' is doubtful", "'expected'?"),
    "csv inputs": _one("s.csv", "inputs\na\n", 1, "'inputs' cannot hold", "its own name"),
    "csv two answers": _one(
        "s.csv", "input,expected,expected_json\na,b,1\n", 1, "does not go together", "keep one"
    ),
    "csv json": _one(
        "s.csv", "input,expected_json\na,1\nb,{\n", 3, "not valid JSON", "double quotes"
    ),
    "csv weight": _one("s.csv", "input,weight\na,heavy\n", 2, "'heavy' is not", "above 0"),
    "csv nan": _one("s.csv", "input,weight\na,nan\n", 2, "'nan' is not", "above 0"),
    # YAML
    "yaml syntax": _one("s.yaml", "- inputs: [\n", 2, "not valid YAML", "check brackets"),
    "yaml text": _one("s.yaml", "hello\n", 1, "'hello' is not a list of examples", "- inputs"),
    "yaml key": _one(
        "s.yaml", "examples:\n- inputs: b\nrows: 1\n", 3, "unknown key 'rows'", "under 'examples:'"
    ),
    "yaml other key": _one("s.yaml", "rows: []\n", 1, "unknown key 'rows'", "under 'examples:'"),
    "yaml row": _one("s.yaml", "- inputs: b\n- c\n", 2, "is not an example", "write an object"),
    "yaml date": _one("s.yaml", "- inputs: b\n  id: 2024-01-01\n", 2, "as a date", "in quotes"),
    "yaml no": _one("s.yaml", "- inputs: b\n  expected: no\n", 2, "'no' as false", "in quotes"),
    "yaml octal": _one("s.yaml", "- inputs: {n: 0123}\n", 1, "'0123' as 83", "in quotes"),
    "yaml clock": _one("s.yaml", "- inputs: {n: 12:30}\n", 1, "'12:30' as 750", "in quotes"),
    "yaml nan": _one("s.yaml", "- inputs: {x: .nan}\n", 1, "not a finite number", "number"),
    "yaml key twice": _one("s.yaml", "- inputs: b\n  inputs: c\n", 2, "is given twice", "keep one"),
    "yaml nesting": _one("s.yaml", "- " * 100_000, 1, "nested more than 50", "flatten"),
    # the suite as a whole
    "id twice": _rows(
        [{"id": "x", "inputs": "a"}, {"inputs": "b"}, {"id": "x", "inputs": "c"}],
        3,
        "id 'x' is there twice, the first time on line 1",
        "an id of its own",
    ),
    "group in two parts": _rows(
        [
            {"inputs": "a", "group": "g", "part": "val"},
            {"inputs": "b", "group": "g", "part": "held_out"},
        ],
        2,
        "group 'g' is in two parts: held_out here and val on line 1",
        "the same part",
    ),
    "duplicate in two parts": _rows(
        [
            {"id": "x", "inputs": " a\tb", "part": "train"},
            {"id": "y", "inputs": "a b", "part": "held_out"},
        ],
        2,
        "held_out example 'y' has the same inputs as train example 'x' on line 1",
        "'group'",
    ),
    "near-duplicate in two parts": _rows(
        [
            {"id": "x", "inputs": LONG.format(1234), "part": "train"},
            {"id": "y", "inputs": LONG.format(1239), "part": "held_out"},
        ],
        2,
        "held_out example 'y' is 99% the same as train example 'x' on line 1",
        "'group'",
    ),
    "id in two files": BadSuite(
        {
            "train.jsonl": b'{"id": "x", "inputs": "a"}',
            "held_out.jsonl": b'{"inputs": "c"}\n{"id": "x", "inputs": "b"}',
        },
        2,
        "id 'x' is there twice, the first time at train.jsonl:1",
        "an id of its own",
    ),
    "group in two files": BadSuite(
        {
            "train.jsonl": b'{"group": "x", "inputs": "a"}',
            "held_out.jsonl": b'{"inputs": "c"}\n{"group": "x", "inputs": "b"}',
        },
        2,
        "group 'x' is in two parts: held_out here and train at train.jsonl:1",
        "the same part",
    ),
    "duplicate in two files": BadSuite(
        {"train.jsonl": b'{"inputs": "a"}', "held_out.jsonl": b'{"inputs": "a"}'},
        1,
        "has the same inputs as train example",
        "'group'",
    ),
    "part against the file": BadSuite(
        {
            "train.jsonl": b'{"inputs": "a"}\n{"inputs": "b", "part": "val"}',
            "held_out.jsonl": b'{"inputs": "c"}',
        },
        2,
        "part 'val' contradicts the file, which is train",
        "remove 'part'",
    ),
}
