"""Tests the harness itself, with an action that only says what it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import github_events as events
import pytest
from act import Runner
from github_repository import BareRepository
from github_server import GitHubServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ECHO = """\
name: echo
description: Says what it was given.
runs:
  using: composite
  steps:
    - id: run
      shell: bash
      run: |
        echo "ref $GITHUB_REF sha $GITHUB_SHA api $GITHUB_API_URL"
        echo "verdict=pass" >> "$GITHUB_OUTPUT"
        echo "# Said" >> "$GITHUB_STEP_SUMMARY"
        exit "${CODE:-0}"
"""
_WORKFLOW = """\
name: echo
on: [pull_request, schedule]
jobs:
  gate:
    runs-on: ubuntu-latest
    steps:
      - name: Check out
        uses: actions/checkout@d23441a48e516b6c34aea4fa41551a30e30af803
      - name: Say
        uses: ./
      - name: Keep
        if: always() && github.event_name == 'pull_request'
        uses: actions/upload-artifact@0000000000000000000000000000000000000000
        with: {name: said, path: action.yml}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitHubServer]:
    git = BareRepository.create(tmp_path / "name.git", {"action.yml": _ECHO.encode()})
    with GitHubServer(git) as server:
        yield server


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    path = tmp_path / "echo.yml"
    path.write_text(_WORKFLOW, encoding="utf-8")
    return path


def test_a_run_tells_outputs_summary_log_and_results(
    tmp_path: Path, server: GitHubServer, workflow: Path
) -> None:
    sha = server.world.git.commit("change", {"a.txt": b"1"}, parent=server.world.git.sha("main"))
    pull = server.open_pull(head="change")
    runner = Runner(folder=tmp_path / "runner", server=server)

    ran = runner.run(
        workflow,
        "pull_request",
        events.pull_request(server, pull["number"]),
        checkout="refs/heads/change",
    )

    assert ran.code == 0
    assert ran.jobs == {"gate": "success"}
    assert ran.outputs == {"verdict": "pass"}
    assert ran.summary == "# Said\n"
    ref = f"refs/pull/{pull['number']}/merge"
    assert f"ref {ref} sha {sha} api {server.api_url}\n" in ran.log
    assert [(step.name, step.result) for step in ran.steps] == [
        ("Check out", "success"),
        ("Say", "success"),
        ("Keep", "success"),
    ]
    assert runner.artifact("said", "action.yml") == _ECHO.encode()
    assert runner.artifact("said", "other") is None


def test_a_step_that_fails_tells_its_exit_code(
    tmp_path: Path, server: GitHubServer, workflow: Path
) -> None:
    runner = Runner(folder=tmp_path / "runner", server=server, env={"CODE": "3"})

    ran = runner.run(workflow, "schedule", events.schedule(server))

    assert ran.code != 0
    assert ran.jobs == {"gate": "failure"}
    assert ran.exit_codes[0] == 3
    assert ran.result_of("Say") == "failure"
    assert "ref refs/heads/main " in ran.log
