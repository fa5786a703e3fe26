"""Owns how the formats of suite files (JSONL, JSON, CSV, YAML, testData) become rows."""

from __future__ import annotations

import csv
import difflib
import io
import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from gepa_ci.config.documents import compose, decode, described, entries, line_of
from gepa_ci.config.problems import Problems, shown
from gepa_ci.config.values import plain
from gepa_ci.errors import SuiteError
from gepa_ci.suites.rows import KEYS, text_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gepa_ci.core.prompt import Prompt
    from gepa_ci.core.values import JSON

    Raw = tuple[int, dict[str, JSON]]
    """Line and content of a row."""

MAX_BYTES = 64 * 2**20
"""Largest suite file."""
TESTED = (".prompt.yml", ".prompt.yaml")
"""Endings of prompt files, whose rows are in `testData`."""

COLUMNS = (*KEYS, "expected_json")
"""Columns of a CSV file that are no inputs."""
_ROW_COLUMNS = tuple(name for name in COLUMNS if name != "inputs")
_NUMBERS = "write a finite number, null, or a text in quotes"


def raw_rows(path: str, source: bytes, problems: Problems) -> Iterator[Raw]:
    """Yield the rows of a file with their lines; rows that cannot be read are reported."""
    text = decode(source, path=path, limit=MAX_BYTES, error=SuiteError)
    readers: dict[str, Callable[[str, Problems], Iterator[Raw]]] = {
        ".jsonl": _jsonl,
        ".ndjson": _jsonl,
        ".json": _json_list,
        ".csv": _csv,
        ".yml": _yaml,
        ".yaml": _yaml,
    }
    ending = path[path.rfind(".") :].lower() if "." in path else ""
    reader = readers.get(ending)
    if reader is None:
        hint = "use a file that ends in .jsonl, .json, .csv, .yaml or .yml"
        raise SuiteError(f"{shown(ending)} is not an ending of a suite file", path=path, hint=hint)
    return reader(text, problems)


class _RefusedError(ValueError):
    """A JSON text that is JSON to Python only."""


def _constant(name: str) -> NoReturn:
    raise _RefusedError(f"{shown(name)} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _RefusedError(f"{shown(text)} is too large for a number")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    names = [name for name, _ in pairs]
    twice = next(name for name in names if names.count(name) > 1)
    raise _RefusedError(f"{shown(twice)} is given twice in one object")


_DECODER = json.JSONDecoder(parse_constant=_constant, parse_float=_float, object_pairs_hook=_object)


def _parse(text: str, start: int, line: int, problems: Problems) -> tuple[JSON, int] | None:
    """Return the JSON value at a place of a text and where it ends; None after reporting."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as cause:
        column = cause.pos - text.rfind("\n", 0, cause.pos)
        message = f"not valid JSON at column {column}: {cause.msg[:1].lower()}{cause.msg[1:]}"
        here = line + text.count("\n", start, cause.pos)
        problems.add(here, message, "write one JSON value, with double quotes")
    except _RefusedError as cause:
        problems.add(line, str(cause), _NUMBERS if "twice" not in str(cause) else "keep one")
    except RecursionError:
        problems.add(line, "the value is nested too deep", "flatten it")
    except ValueError:
        problems.add(line, "a number has too many digits", "put it in quotes")
    else:
        return value, end
    return None


def _parse_whole(text: str, line: int, problems: Problems) -> tuple[JSON] | None:
    """Return the one JSON value that a text is, in a tuple; None after reporting."""
    found = _parse(text, 0, line, problems)
    if found is None:
        return None
    value, end = found
    if end == len(text):
        return (value,)
    problems.add(line, f"more text after the value at column {end + 1}", "write one JSON value")
    return None


def _not_a_row(value: JSON, line: int, problems: Problems) -> None:
    problems.add(
        line,
        f"{shown(json.dumps(value))} is not an example",
        'write an object, as in {"inputs": {"input": "..."}, "expected": "..."}',
    )


def _jsonl(text: str, problems: Problems) -> Iterator[Raw]:
    for line, content in enumerate(text.split("\n"), start=1):
        row = content.strip()
        if not row:
            continue
        found = _parse_whole(row, line, problems)
        if found is None:
            continue
        (value,) = found
        if isinstance(value, dict):
            yield line, value
        else:
            _not_a_row(value, line, problems)


def _json_list(text: str, problems: Problems) -> Iterator[Raw]:
    hint = "write a list of examples, or use JSONL: one example per line"
    place = _skip(text, 0)
    line = 1 + text.count("\n", 0, place)
    if place == len(text):
        return
    if text[place] != "[":
        problems.add(line, f"{shown(text[place])} does not begin a list", hint)
        return
    last, place = place, _skip(text, place + 1)
    while text[place : place + 1] not in ("", "]"):
        line += text.count("\n", last, place)
        found = _parse(text, place, line, problems)
        if found is None:
            return
        value, end = found
        if isinstance(value, dict):
            yield line, value
        else:
            _not_a_row(value, line, problems)
        last, place = place, _skip(text, end)
        if text[place : place + 1] == ",":
            place = _skip(text, place + 1)
        elif text[place : place + 1] != "]":
            line += text.count("\n", last, place)
            problems.add(line, "the list goes on without a ','", hint)
            return
    if text[place : place + 1] != "]" or text[place + 1 :].strip():
        line += text.count("\n", last, place)
        problems.add(line, "the list does not end with the file", hint)


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _yaml(text: str, problems: Problems) -> Iterator[Raw]:
    root = compose(text, path=problems.path, error=SuiteError)
    if root is None:
        return
    rows = root
    if isinstance(root, yaml.MappingNode):
        found = {name: (key, value) for name, key, value in entries(root, problems)}
        for name, (key, _) in found.items():
            if name != "examples":
                hint = "write the rows under 'examples:', and nothing else"
                problems.add(line_of(key), f"unknown key {shown(name)} in a suite", hint)
        if "examples" not in found:
            return
        rows = found["examples"][1]
    if not isinstance(rows, yaml.SequenceNode):
        message = f"{described(rows)} is not a list of examples"
        problems.add(line_of(rows), message, "write '- inputs: ...' for each example")
        return
    for row in rows.value:
        before = len(problems.found)
        value = plain(row, problems)
        if isinstance(value, dict) and len(problems.found) == before:
            yield line_of(row), value
        elif not isinstance(value, dict):
            _not_a_row(value, line_of(row), problems)


def _csv(text: str, problems: Problems) -> Iterator[Raw]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            start, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                if not _check_header(header, start, problems):
                    return
            elif len(cells) != len(header):
                message = f"the row has {len(cells)} cells, the header has {len(header)}"
                problems.add(start, message, "put quotes around a cell that holds a comma")
            else:
                row = _csv_row(dict(zip(header, cells, strict=True)), start, problems)
                if row is not None:
                    yield start, row
    except csv.Error as cause:
        hint = 'close every quote, and write a quote in a cell as ""'
        problems.add(line, f"not valid CSV: {cause}", hint)


def _check_header(header: list[str], line: int, problems: Problems) -> bool:
    before = len(problems.found)
    seen: set[str] = set()
    for column in header:
        # `inputs.id` is an input beside the id, but `inputs.x` and `x` are the same input.
        name = column if column in COLUMNS else f"inputs.{column.removeprefix('inputs.')}"
        if name == "inputs.":
            problems.add(line, "a column has no name", "name every column in the first row")
        elif name in seen:
            message = f"column {shown(column)} is there twice"
            problems.add(line, message, "give each column a name of its own")
        elif column not in COLUMNS:
            close = difflib.get_close_matches(column.lower(), _ROW_COLUMNS, n=1, cutoff=0.85)
            if close:
                hint = f"did you mean '{close[0]}'? If it is an input, write 'inputs.{column}'"
                problems.add(line, f"column {shown(column)} is doubtful", hint)
        seen.add(name)
    if {"expected", "expected_json"} <= set(header):
        hint = "keep one of the two"
        problems.add(line, "'expected' does not go together with 'expected_json'", hint)
    if "inputs" in header:
        hint = "give each input a column: its own name, or 'inputs.name'"
        problems.add(line, "column 'inputs' cannot hold a mapping", hint)
    return len(problems.found) == before


def _csv_row(cells: dict[str, str], line: int, problems: Problems) -> dict[str, JSON] | None:
    row: dict[str, JSON] = {}
    inputs: dict[str, JSON] = {}
    for column, cell in cells.items():
        if column not in COLUMNS:
            inputs[column.removeprefix("inputs.")] = cell
        elif not cell.strip():
            continue
        elif column == "expected_json":
            found = _parse_whole(cell.strip(), line, problems)
            if found is None:
                return None
            (row["expected"],) = found
        elif column == "tags":
            row["tags"] = text_tags(cell)
        elif column == "weight":
            row["weight"] = _cell_number(cell)
        else:
            row[column] = cell if column == "expected" else cell.strip()
    return {**row, "inputs": inputs}


def _cell_number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def prompt_rows(prompt: Prompt) -> Iterator[Raw]:
    """Yield the rows of a prompt file's `testData`; its placeholders are always inputs."""
    names = [name for name in KEYS if name != "inputs"]
    for line, data in zip(prompt.test_data_lines, prompt.test_data, strict=True):
        inputs = {
            name: value
            for name, value in data.items()
            if name not in names or name in prompt.variables
        }
        row: dict[str, JSON] = {
            name: data[name]
            for name in names
            if name in data and (name == "expected" or name not in prompt.variables)
        }
        yield line, {**row, "inputs": inputs}
