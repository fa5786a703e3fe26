"""Owns the JUnit report: verdicts are the tests that can fail, examples carry their scores."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from gepa_ci.reports.escape import visible, without_commands
from gepa_ci.reports.reader import Node
from gepa_ci.reports.view import view
from gepa_ci.reports.words import score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.values import JSON
    from gepa_ci.reports.view.model import Guard, Report, Task

_FAILED = "regression"
_NO_SCORE = "left out, as its calls failed"
_UNDECIDED = ("inconclusive", "ruler_changed", "hold")


def render_junit(document: Mapping[str, JSON]) -> str:
    """Render a result as JUnit XML: a test suite per task, a test case per example.

    It is valid by the two schemas that Jenkins has published, which most readers follow: they know
    no `skipped` of the whole report, and the older one no attribute of a skipped test.

    An example that lost is not a failed test: single examples flip by chance, and the verdict is
    what says whether it was more than that.
    """
    report = view(document)
    root = ET.Element("testsuites", {"name": f"gepa-ci {visible(report.command)}"})
    nodes = Node(value=document, where="result")["tasks"].items()
    for task, node in zip(report.tasks, nodes, strict=True):
        root.append(_suite(task, node))
    _count(root, report)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode", xml_declaration=False)
    return without_commands(f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n')


def _suite(task: Task, node: Node) -> ET.Element:
    cases = [] if task.verdict is None else [_verdict(task)]
    cases += [_guard(task, guard) for guard in task.guards]
    cases += [_example(task, example) for example in node["examples"].items()]
    suite = ET.Element(
        "testsuite",
        {
            "name": visible(task.name),
            "tests": str(len(cases)),
            "failures": str(sum(case.find("failure") is not None for case in cases)),
            "errors": "0",
            "skipped": str(sum(case.find("skipped") is not None for case in cases)),
            "time": _seconds(sum(seconds for _, seconds in task.phases)),
        },
    )
    suite.extend(cases)
    return suite


def _verdict(task: Task) -> ET.Element:
    case = _case(task, "verdict")
    return _judged(case, _state(task.verdict), visible(task.headline), task.reasons)


def _guard(task: Task, guard: Guard) -> ET.Element:
    case = _case(task, f"guard {guard.name}")
    state = _state(guard.verdict)
    if state == "failure" and task.verdict != _FAILED:
        # What was held back harms nobody.
        state = "skipped"
    return _judged(case, state, visible(f"{guard.name}: {guard.verdict}"), guard.reasons)


def _state(verdict: str | None) -> str:
    if verdict == _FAILED:
        return "failure"
    return "skipped" if verdict in _UNDECIDED else "passed"


def _judged(case: ET.Element, state: str, message: str, said: Sequence[str]) -> ET.Element:
    reasons = "".join(f"\n- {visible(reason)}" for reason in said)
    if state == "failure":
        failure = ET.SubElement(case, "failure", {"message": message, "type": _FAILED})
        failure.text = f"{message}.{reasons}"
        return case
    if state == "skipped":
        ET.SubElement(case, "skipped").text = message
    ET.SubElement(case, "system-out").text = f"{message}.{reasons}"
    return case


def _example(task: Task, example: Node) -> ET.Element:
    case = _case(task, example["id"].text())
    sides = ((label, [item.number() for item in example[label].items()]) for label in _SIDES)
    lines = [
        f"{label}: {' '.join(score(value) for value in scores)}"
        for label, scores in sides
        if scores
    ]
    ET.SubElement(case, "system-out").text = "\n".join(lines) or _NO_SCORE
    return case


_SIDES = ("baseline", "candidate")


def _case(task: Task, name: str) -> ET.Element:
    return ET.Element(
        "testcase",
        {"name": visible(name), "classname": visible(task.name), "time": _seconds(0.0)},
    )


def _count(root: ET.Element, report: Report) -> None:
    for key in ("tests", "failures", "errors"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    root.set("time", _seconds(report.seconds))


def _seconds(value: float) -> str:
    return f"{value:.3f}"
