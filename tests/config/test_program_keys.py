"""Tests of gepa_ci.config.program_keys."""

from __future__ import annotations

import pytest

from gepa_ci.config import read_config
from gepa_ci.core.config import ProgramKind, ProgramSpec

CONFIG = """\
version: 1
tasks:
  t:
    prompts: [prompts/a.md, prompts/b.md]
    suite: s.jsonl
    metric: program
"""


@pytest.mark.parametrize(
    ("program", "spec"),
    [
        ("", ProgramSpec()),
        ("    program: chat\n", ProgramSpec()),
        (
            "    program: src/p.py:answer\n",
            ProgramSpec(kind=ProgramKind.PYTHON, target="src/p.py:answer"),
        ),
        (
            "    program: [node, a.js, --x, a.js]\n",
            ProgramSpec(
                kind=ProgramKind.COMMAND, command=("node", "a.js", "--x", "a.js"), threads=1
            ),
        ),
        (
            "    program: {python: p.py:M, environment: [KEY], timeout: 5, processes: 2}\n",
            ProgramSpec(
                kind=ProgramKind.PYTHON,
                target="p.py:M",
                environment=("KEY",),
                timeout=5.0,
                processes=2,
            ),
        ),
        (
            "    program: {command: [./run], threads: 4}\n",
            ProgramSpec(kind=ProgramKind.COMMAND, command=("./run",), threads=4),
        ),
    ],
)
def test_a_program_is_a_text_a_list_or_a_mapping(program: str, spec: ProgramSpec) -> None:
    (task,) = read_config("gepa-ci.yml", f"{CONFIG}{program}".encode()).tasks

    assert task.program == spec
