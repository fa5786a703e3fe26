from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from workbench import child_environment, task_files

if TYPE_CHECKING:
    from workbench import Workbench

PROMPT = """\
messages:
  - role: system
    content: "Be brief.\\t"
  - role: user
    content: |
      Say  {{text}}

model: openai/mock
modelParameters: {temperature: 0.5}
"""


@pytest.fixture
def rendered(bench: Workbench) -> Workbench:
    """Return a workbench with a prompt of two messages."""
    files = task_files()
    config = files["gepa-ci.yml"].replace("p.md", "p.prompt.yml")
    bench.write(files | {"gepa-ci.yml": config, "p.prompt.yml": PROMPT})
    return bench


def test_the_messages_are_printed_byte_for_byte(rendered: Workbench) -> None:
    outcome = rendered.run("render", "echo", "--example", "e3")

    assert outcome.code == 0
    assert outcome.out == "--- system\nBe brief.\t\n--- user\nSay  word3\n\n"


def test_carriage_returns_and_other_scripts_come_out_as_they_are(bench: Workbench) -> None:
    import subprocess
    import sys

    bench.write(task_files() | {"p.md": "a\r\n\u65e5\u672c {{ text }} \u00fc\t".encode()})

    done = subprocess.run(
        [sys.executable, "-m", "gepa_ci", "render", "echo", "--example", "e0"],
        env=child_environment(PYTHONIOENCODING="ascii"),
        capture_output=True,
        check=True,
    )

    assert done.stdout == "--- user\na\r\n\u65e5\u672c word0 \u00fc\t\n".encode()


def test_json_is_the_request(rendered: Workbench) -> None:
    outcome = rendered.run("render", "echo", "--example", "e3", "--format", "json")

    assert outcome.document == {
        "example": "e3",
        "request": {
            "model": "openai/mock",
            "messages": [
                {"role": "system", "content": "Be brief.\t"},
                {"role": "user", "content": "Say  word3\n"},
            ],
            "temperature": 0.5,
        },
    }


def test_without_an_id_the_first_example_is_taken(rendered: Workbench) -> None:
    chosen = rendered.run("render", "echo", "--format", "json").document["example"]

    assert rendered.run("render", "echo").out.endswith(f"word{chosen[1:]}\n\n")


def test_an_unknown_example_gets_the_nearest_id(rendered: Workbench) -> None:
    outcome = rendered.run("render", "echo", "--example", "e33")

    assert (outcome.code, outcome.out) == (2, "")
    assert "error: task 'echo' has no example 'e33'\n" in outcome.err
    assert "hint: did you mean 'e3'? its examples: " in outcome.err
    assert outcome.err.endswith(" and 4 more\n")


def test_a_task_is_required(rendered: Workbench) -> None:
    outcome = rendered.run("render")

    assert outcome.code == 2
    assert outcome.err == "error: missing argument 'TASK'\nhint: see 'gepa-ci render --help'\n"
