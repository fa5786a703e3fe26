"""Tests of gepa_ci.cli.looks: when a result on stdout is in colour, and how wide it is."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
from provider import FakeProvider
from pseudo_terminal import on_a_terminal
from workbench import answer, task_files

if TYPE_CHECKING:
    from workbench import Workbench

CODE = "\x1b["
ASKED = ("NO_COLOR", "FORCE_COLOR", "TERM", "COLORTERM", "CI", "TTY_COMPATIBLE", "COLUMNS")


@pytest.fixture
def saved(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """Return a folder with a result, and an environment that asks for nothing."""
    for name in ASKED:
        monkeypatch.delenv(name, raising=False)
    with FakeProvider(answer=answer) as provider:
        bench.write(task_files(provider.url))
        assert bench.run("evaluate", "--output", "r.json").code == 0
    return bench


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        ({}, False),
        ({"CI": "true", "TERM": "xterm"}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": ""}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": ""}, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False),
    ],
)
@pytest.mark.parametrize("command", [["report", "r.json", "--format", "text"], ["evaluate"]])
def test_without_a_terminal_colour_has_to_be_asked_for(
    saved: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    environment: dict[str, str],
    colored: bool,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    # The answers are in the cache, so the provider need not be there any more.
    outcome = saved.run(*command)

    assert outcome.code == 0
    assert (CODE in outcome.out) == colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", outcome.out).startswith("echo: mean score 1.00\n")


@pytest.mark.parametrize("command", ["report", "history"])
def test_a_file_never_has_colours(
    saved: Workbench, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    assert saved.run(command, "r.json", "--format", "text", "--output", "t.txt").code == 0
    assert CODE not in (saved.root / "t.txt").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
def test_on_a_terminal_it_is_in_colour_and_fits(saved: Workbench) -> None:
    text = on_a_terminal(saved, "history", "r.json", columns=60, stream="stdout")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    assert "\x1b[1mecho: \x1b[0m" in text
    assert 50 < max(map(len, lines)) <= 60
