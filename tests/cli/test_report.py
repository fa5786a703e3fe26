from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from report_samples import gate_regression, nothing

from gepa_ci.reports import result_document

if TYPE_CHECKING:
    from workbench import Workbench


@pytest.fixture
def saved(bench: Workbench) -> Workbench:
    """Return a workbench with the result of a gate."""
    document = result_document(gate_regression(), texts=True)
    bench.write({"r.json": json.dumps(document)})
    return bench


@pytest.mark.parametrize("shown", ["markdown", "text"])
def test_people_get_the_reasons(saved: Workbench, shown: str) -> None:
    outcome = saved.run("report", "r.json", "--format", shown)

    assert (outcome.code, outcome.err) == (0, "")
    assert "regression" in outcome.out.lower()


def test_machines_get_the_same_document(saved: Workbench) -> None:
    outcome = saved.run("report", "r.json", "--format", "json")

    assert outcome.document == json.loads((saved.root / "r.json").read_bytes())


def test_junit_is_xml(saved: Workbench) -> None:
    outcome = saved.run("report", "r.json", "--format", "junit")

    assert ET.fromstring(outcome.out).tag == "testsuites"


def test_output_takes_the_place_of_stdout(saved: Workbench) -> None:
    shown = saved.run("report", "r.json").out

    outcome = saved.run("report", "r.json", "--output", "new/report.md")

    assert (outcome.code, outcome.out) == (0, "")
    assert (saved.root / "new" / "report.md").read_text(encoding="utf-8") == shown


@pytest.mark.parametrize(
    ("ending", "beginning"),
    [
        ("html", "<!doctype html>"),
        ("md", "## orders: regression"),
        ("xml", "<?xml"),
        ("sarif", '{\n  "$schema": "https://docs.oasis-open.org/sarif'),
        ("jsonl", '{"task":"orders"'),
        ("json", '{\n  "schema_version": 1'),
        ("txt", "orders: regression"),
    ],
)
def test_the_ending_of_the_output_says_what_to_render(
    saved: Workbench, ending: str, beginning: str
) -> None:
    outcome = saved.run("report", "r.json", "--output", f"r.{ending}")

    assert (outcome.code, outcome.err) == (0, "")
    assert (saved.root / f"r.{ending}").read_text(encoding="utf-8").startswith(beginning)


def test_an_ending_that_says_nothing_needs_a_format(saved: Workbench) -> None:
    refused = saved.run("report", "r.json", "--output", "r.pdf")
    written = saved.run("report", "r.json", "--output", "r.pdf", "--format", "junit")

    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        "error: the ending of 'r.pdf' says no format of a report\n"
        "hint: known endings: .html, .md, .xml, .sarif, .jsonl, .json, .txt\n"
    )
    assert (written.code, written.err) == (0, "")
    assert (saved.root / "r.pdf").read_text(encoding="utf-8").startswith("<?xml")


def test_of_no_examples_there_is_no_line(bench: Workbench) -> None:
    bench.write({"r.json": json.dumps(result_document(nothing(), texts=True))})
    outcome = bench.run("report", "r.json", "--format", "jsonl")
    bench.run("report", "r.json", "--output", "r.jsonl")

    assert outcome.out == ""
    assert (bench.root / "r.jsonl").read_bytes() == b""


def test_an_output_that_cannot_be_written_is_refused(saved: Workbench) -> None:
    outcome = saved.run("report", "r.json", "--output", "r.json/report.md")

    assert outcome.code == 2
    assert outcome.err.startswith("error: r.json/report.md: cannot write the file: ")


BAD: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"hello", "this is not JSON"),
    "cut": (b'{"schema_version": 1', "this is not JSON"),
    "not UTF-8": (b"\xff\xfe", "this is not JSON"),
    "not a number": (b'{"seconds": NaN}', "this is not JSON"),
    "list": (b"[]", "this is JSON, but not a result"),
    "text": (b'"x"', "this is JSON, but not a result"),
    "other": (b'{"a": 1}', "'result' has no field "),
    "too deep": (b"[" * 100_000, "this is nested too deeply"),
    "deep value": (b'{"tasks": ' + b"[" * 900 + b"]" * 900 + b"}", "'result"),
    "tasks": (b'{"tasks": 3}', "'result"),
}


@pytest.mark.parametrize("shown", ["markdown", "json", "junit", "text"])
@pytest.mark.parametrize(("source", "message"), BAD.values(), ids=BAD)
def test_a_file_that_is_no_result_is_refused(
    bench: Workbench, source: bytes, message: str, shown: str
) -> None:
    bench.write({"r.json": source})

    outcome = bench.run("report", "r.json", "--format", shown)

    assert outcome.code == 2
    assert outcome.err.startswith(f"error: r.json: {message}")
    assert "\nhint: " in outcome.err


def test_a_missing_file_is_refused(bench: Workbench) -> None:
    assert bench.run("report", "r.json").err == (
        "error: r.json: cannot read the result: no such file or directory\n"
        "hint: name a file that --output wrote\n"
    )


def test_a_huge_file_is_not_read(bench: Workbench) -> None:
    with (bench.root / "r.json").open("wb") as file:
        file.truncate(2**29)

    outcome = bench.run("report", "r.json")

    assert outcome.code == 2
    assert "error: r.json: the file has 536870912 bytes; 256 MiB is the most" in outcome.err
