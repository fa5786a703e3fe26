"""Tests of how the guards of a gate are read and checked with the rest of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from workbench import task_files

from gepa_ci.cli.tree import tree_reader
from gepa_ci.cli.workspace import brings_exam, open_workspace
from gepa_ci.core.config import Measure
from gepa_ci.errors import MetricError

if TYPE_CHECKING:
    from workbench import Workbench

    from gepa_ci.cli.workspace import TaskInputs

TONE = "def polite(example, output):\n    return 0.5 if 'sorry' in output else 1\n"
BROKEN = "def polite(example, output):\n    return output.tone\n"
OWN_EXAM = """\
messages:
  - role: user
    content: 'Say {{word}}'
testData:
  - {word: one, expected: one}
evaluators:
  - name: same
    string: {equals: '{{expected}}'}
model: openai/gpt-5-mini
"""


def gate(guards: str) -> str:
    return f"    gate: {{guards: {guards}}}\n"


def inputs(bench: Workbench) -> TaskInputs:
    workspace, name = open_workspace("gepa-ci.yml", None)
    (found,) = workspace.inputs(workspace.tasks(name))
    assert bench.root.is_dir()
    return found


def test_guards_are_built_with_the_task_in_the_order_of_the_config(bench: Workbench) -> None:
    more = gate("[latency, m/tone.py:polite, {name: contains, texts: [word]}]")
    bench.write(task_files(more=more) | {"m/tone.py": TONE})

    found = inputs(bench)

    assert list(found.guards) == ["latency", "m/tone.py:polite", "contains"]
    assert found.guards["latency"] is Measure.LATENCY
    assert found.metric.name == "exact_match"
    contains = found.guards["contains"]
    assert not isinstance(contains, Measure)
    assert contains(found.suite.held_out.examples[0], "a word").value == 1.0


def test_a_guard_of_the_users_own_runs_like_a_metric_of_theirs(bench: Workbench) -> None:
    bench.write(task_files(more=gate("[m/tone.py:polite]")) | {"m/tone.py": TONE})
    found = inputs(bench)
    tone = found.guards["m/tone.py:polite"]
    assert not isinstance(tone, Measure)

    assert tone(found.suite.held_out.examples[0], "so sorry").value == 0.5


def test_a_bug_in_a_guard_is_a_metric_error_that_names_it(bench: Workbench) -> None:
    bench.write(task_files(more=gate("[m/tone.py:polite]")) | {"m/tone.py": BROKEN})
    found = inputs(bench)
    tone = found.guards["m/tone.py:polite"]
    assert not isinstance(tone, Measure)

    with pytest.raises(MetricError, match="polite"):
        tone(found.suite.held_out.examples[0], "x")


def test_a_task_without_guards_has_none(bench: Workbench) -> None:
    bench.write(task_files())

    assert inputs(bench).guards == {}


def test_all_problems_of_metric_and_guards_come_at_once_with_their_lines(bench: Workbench) -> None:
    more = (
        "    gate:\n      guards:\n        - {name: contains, txt: x}\n"
        "        - m/none.py:polite\n        - latency\n"
    )
    files = task_files(more=more)
    files["gepa-ci.yml"] = files["gepa-ci.yml"].replace("exact_match", "{name: regex, x: 1}")
    bench.write(files)

    outcome = bench.run("check")

    assert outcome.code == 2
    assert "gepa-ci.yml:8: unknown option 'x' of metric 'regex'" in outcome.err
    assert "gepa-ci.yml:11: unknown option 'txt' of metric 'contains'" in outcome.err
    assert "m/none.py" in outcome.err


def test_a_guard_that_needs_labels_is_checked_against_them(bench: Workbench) -> None:
    files = task_files(more=gate("[{name: numeric, tolerance: 1}]"))
    bench.write(files | {"s.jsonl": files["s.jsonl"].replace('"word3"', '"three"')})

    outcome = bench.run("check")

    assert outcome.code == 2
    assert "s.jsonl:4: 'expected' of example 'e3' is not a number" in outcome.err


def test_a_missing_label_is_told_once_whatever_needs_it(bench: Workbench) -> None:
    files = task_files(more=gate("[{name: exact_match, margin: 0.2}]"))
    files["s.jsonl"] += '{"id": "bare", "inputs": {"text": "bare"}}\n'
    bench.write(files)

    outcome = bench.run("check")

    assert outcome.code == 2
    assert outcome.err.count("s.jsonl:13: ") == 1


def test_evaluators_as_a_guard_make_the_prompt_file_part_of_the_exam(bench: Workbench) -> None:
    files = task_files(more=gate("[evaluators]"))
    files["gepa-ci.yml"] = files["gepa-ci.yml"].replace("[p.md]", "[w.prompt.yml]")
    files["s.jsonl"] = '{"id": "a", "inputs": {"word": "one"}, "expected": "one"}\n'
    bench.write(files | {"w.prompt.yml": OWN_EXAM})

    found = inputs(bench)

    assert brings_exam(found.task)
    assert list(found.guards) == ["evaluators"]
    assert tree_reader(bench.root)("w.prompt.yml")
