"""Tests of gepa_ci.workers.child and of what commands are started with."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from gepa_ci.workers.answers import read_told
from gepa_ci.workers.child import Child, End, WorkerError
from gepa_ci.workers.launch import launched

if TYPE_CHECKING:
    from pathlib import Path

ECHO = """
import sys
for line in sys.stdin:
    sys.stderr.write("e" * int(line.split('"')[3]))
    sys.stderr.flush()
    print(line, end="", flush=True)
"""


def child(source: str, *, unread: int = 4) -> Child:
    return Child([sys.executable, "-c", source], unread=unread)


def test_lines_go_there_and_back_and_stderr_is_kept_from_a_mark_on() -> None:
    process = child(ECHO)
    try:
        process.send(b'{"e": "3"}\n')
        assert process.lines.get(timeout=20) == b'{"e": "3"}\n'
        process.send(b'{"e": "20000"}\n')
        assert process.lines.get(timeout=20) == b'{"e": "20000"}\n'
    finally:
        process.close()

    assert process.written == 20_003
    assert process.written_since(3) == "e" * (16 << 10)
    assert process.written_since(20_000) == "eee"
    assert process.written_since(20_003) == ""


def test_a_flood_ends_the_reading() -> None:
    process = child("while True: print('{}')", unread=2)
    try:
        found = [process.lines.get(timeout=20)]
        while found[-1] is not None:
            found.append(process.lines.get(timeout=20))
    finally:
        process.close()

    assert set(found) == {b"{}\n", None}


def test_a_program_that_is_not_there_cannot_be_started() -> None:
    with pytest.raises(WorkerError) as caught:
        Child(["/nowhere/program"], unread=1)

    assert (caught.value.end, caught.value.status) == (End.ABSENT, "No such file or directory")


def test_a_command_is_started_in_its_place_with_a_home_of_its_own(tmp_path: Path) -> None:
    source = "import os; print(os.getcwd(), os.environ['HOME'], os.environ['X'])"
    process = Child(
        launched((sys.executable, "-c", source)),
        unread=1,
        environment={"X": "{folder}"},
        folder=str(tmp_path),
    )
    try:
        line = process.lines.get(timeout=20)
    finally:
        process.close()

    assert line is not None
    where, home, given = line.decode().split()
    assert (where, given) == (str(tmp_path), "{folder}")
    assert "gepa-ci-worker-" in home


def test_hints_speak_of_what_the_file_is() -> None:
    for kind in ("metric", "program"):
        for told, what in (
            ({"is_missing_file": True}, "runs in an empty folder"),
            ({"is_forbidden": True}, "may write only into its working folder"),
            ({"is_memory": True}, "'s process may hold 4 GiB"),
            ({"key": "SOME_KEY"}, "sees no keys"),
        ):
            hint = read_told(told, kind).hint
            assert hint is not None
            assert hint.startswith(f"a {kind}")
            assert what in hint
