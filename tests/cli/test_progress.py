"""Tests of gepa_ci.cli.progress and its line, on real terminals where one is needed."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import pytest
from provider import FakeProvider, always, at, rate_limited, slow
from pseudo_terminal import on_a_terminal
from workbench import answer, child, task_files

from gepa_ci.cli.progress import Progress
from gepa_ci.cli.progress_line import Part, count_part, fitted, status_parts, time_part
from gepa_ci.core.config import SpendCaps
from gepa_ci.core.spend import Usage

if TYPE_CHECKING:
    from workbench import Workbench

CODES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
SPENT = Usage(calls=1_234, failed_calls=3, usd=0.31)
CAPS = SpendCaps(usd=5.0, calls=3_000)
PARTS = [
    count_part(120, 300),
    Part(text="best 0.810", rank=3),
    *status_parts(SPENT, CAPS, 16),
    *time_part(83),
]


def told(width: int, title: str = "triage: optimize") -> str:
    """Return the line as it stands on a terminal."""
    line = fitted(title, PARTS, width)
    return " ".join(filter(None, [line.title, "-" * line.bar, line.rest]))


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (
            130,
            (
                "triage: optimize -------------------- 120/300 best 0.810, $0.31 of $5.00, "
                "1,234 of 3,000 calls, 16 in flight, 3 retries, 1:23 left"
            ),
        ),
        (80, "triage: optimize 120/300 best 0.810, $0.31 of $5.00, 3 retries, 1:23 left"),
        (60, "triage: optimize --------- 120/300 $0.31 of $5.00, 1:23 left"),
        (20, "triage: opt… 120/300"),
    ],
)
def test_the_line_loses_what_matters_least(width: int, said: str) -> None:
    assert told(width) == said


def test_the_line_is_never_longer_than_the_terminal() -> None:
    for title in ("t: optimize", "a task with a very long name that goes on: optimize", "\x1b[2Jx"):
        for width in range(12, 200):
            assert len(told(width, title)) <= width
            assert "\x1b" not in told(width, title)


@pytest.mark.parametrize(
    ("spent", "caps", "said"),
    [
        (Usage(calls=2), SpendCaps(), "2 calls, 0 in flight"),
        (Usage(calls=2), SpendCaps(calls=9), "2 of 9 calls, 0 in flight"),
        (Usage(calls=2), SpendCaps(usd=1), "$0.00 of $1.00, 2 calls, 0 in flight"),
        (Usage(calls=2, usd=None), SpendCaps(), "2 calls, 0 in flight"),
        (Usage(calls=2, usd=None), SpendCaps(usd=1), "$? of $1.00, 2 calls, 0 in flight"),
        (Usage(calls=1, failed_calls=1), SpendCaps(), "1 call, 0 in flight, 1 retry"),
    ],
)
def test_spend_is_told_with_its_cap(spent: Usage, caps: SpendCaps, said: str) -> None:
    assert ", ".join(part.text for part in status_parts(spent, caps, 0)) == said


def test_time_left_is_told_once_it_is_known() -> None:
    assert time_part(None) == []
    assert [part.text for part in time_part(59.9) + time_part(3_725)] == [
        "0:59 left",
        "1:02:05 left",
    ]
    assert count_part(3, None).text == "3"


def config(url: str) -> dict[str, str]:
    """Return the files of a task whose model is asked again where it is too busy."""
    files = task_files(url, count=30)
    files["gepa-ci.yml"] = files["gepa-ci.yml"].replace("retries: 0", "retries: 3")
    files["gepa-ci.yml"] += "concurrency: 4\n"
    return files


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
def test_a_run_shows_calls_in_flight_and_retries_and_leaves_nothing_behind(
    bench: Workbench,
) -> None:
    with FakeProvider(
        answer=answer, faults=[(at(5, 6, 7), rate_limited(0)), (always, slow(0.1))]
    ) as provider:
        bench.write(config(provider.url))
        shown = on_a_terminal(bench, "evaluate", columns=100, stream="stderr")

    lines = [CODES.sub("", line).strip() for line in re.split(r"[\r\n]+", shown)]
    found = [line for line in lines if line.startswith("evaluate on held-out")]
    assert re.search(r"\d+/\d+ \d+ calls, [1-4] in flight", "\n".join(found))
    assert re.search(r" in flight, 3 retries(, \d:\d\d left)?$", "\n".join(found), re.MULTILINE)
    # The line is taken away when the run ends, and the cursor is shown again.
    assert CODES.sub("", shown.rstrip().rsplit("\x1b[2K", 1)[1]) == ""
    assert shown.count("\x1b[?25h") == shown.count("\x1b[?25l") > 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
def test_on_a_narrow_terminal_it_is_still_one_line(bench: Workbench) -> None:
    with FakeProvider(answer=answer, faults=[(always, slow(0.05))]) as provider:
        bench.write(config(provider.url))
        shown = on_a_terminal(bench, "evaluate", columns=60, stream="stderr")

    lines = [CODES.sub("", line) for line in re.split(r"[\r\n]+", shown)]
    assert max(map(len, lines)) < 60
    # Going up a line would mean that there were two.
    assert "\x1b[1A\x1b[2K\x1b[1A" not in shown


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
def test_a_comparison_counts_against_all_it_may_run_and_not_look_by_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import pty

    main, terminal = pty.openpty()
    with os.fdopen(main, "rb", 0), os.fdopen(terminal, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        progress = Progress()
        counted = []
        with progress.phase("evaluate on held-out", total=100):
            for _ in range(2):
                with progress.phase("evaluate on held-out", total=10):
                    progress.step()
                    assert progress._bar is not None
                    (row,) = progress._bar.tasks
                    counted.append((row.completed, row.total))
        assert progress._bar is None

    assert counted == [(1, 100), (2, 100)]


def test_without_a_terminal_retries_are_silent(bench: Workbench) -> None:
    with FakeProvider(answer=answer, faults=[(at(5), rate_limited(0))]) as provider:
        bench.write(config(provider.url))
        done = child("evaluate", cwd=bench.root, FORCE_COLOR="", TERM="xterm")

    assert (done.returncode, done.stderr) == (0, "")
