from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from provider import FakeProvider, always, slow
from workbench import answer, child, child_environment, task_files

from gepa_ci.cli.failure import report_bug, report_error
from gepa_ci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workbench import Workbench


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Return a model that is always right."""
    with FakeProvider(answer=answer) as found:
        yield found


USAGE: dict[str, tuple[list[str], str]] = {
    "command": (
        ["chek"],
        (
            "error: there is no command 'chek'\nhint: did you mean 'check'? known commands: init, "
            "check, render, plan, power, evaluate, gate, optimize, report, compare, history, "
            "suite, judge, action, demo, local\n"
        ),
    ),
    "command of local": (
        ["local", "pul"],
        "error: there is no command 'pul'\nhint: did you mean 'pull'? known commands: pull\n",
    ),
    "option": (
        ["check", "--formt", "json"],
        (
            "error: 'gepa-ci check' has no option '--formt'\n"
            "hint: did you mean '--format'? known options: --config, --format, --help\n"
        ),
    ),
    "far option": (
        ["--zzz"],
        "error: 'gepa-ci' has no option '--zzz'\nhint: known options: --version, --help\n",
    ),
    "value": (
        ["check", "--format", "jsn"],
        (
            "error: 'jsn' is not a value of '--format'\n"
            "hint: did you mean 'json'? known values: text, json\n"
        ),
    ),
    "part": (
        ["evaluate", "--part", "held-uot"],
        (
            "error: 'held-uot' is not a value of '--part'\n"
            "hint: did you mean 'held_out'? known values: train, val, held_out\n"
        ),
    ),
    "range": (
        ["evaluate", "--trials", "99"],
        (
            "error: invalid value for '--trials': 99 is not in the range 1<=x<=32\n"
            "hint: see 'gepa-ci evaluate --help'\n"
        ),
    ),
    "missing option": (
        ["gate"],
        "error: missing option '--base'\nhint: see 'gepa-ci gate --help'\n",
    ),
    "missing value": (
        ["check", "--config"],
        "error: option '--config' requires an argument\nhint: see 'gepa-ci --help'\n",
    ),
    "extra": (
        ["check", "a", "b"],
        "error: got unexpected extra argument (b)\nhint: see 'gepa-ci check --help'\n",
    ),
}


@pytest.mark.parametrize(("arguments", "said"), USAGE.values(), ids=USAGE)
def test_a_wrong_command_line_is_said_in_our_words(
    bench: Workbench, arguments: list[str], said: str
) -> None:
    outcome = bench.run(*arguments)

    assert (outcome.code, outcome.out, outcome.err) == (2, "", said)


def test_a_wrong_command_line_is_json_where_json_was_asked_for(bench: Workbench) -> None:
    outcome = bench.run("check", "--format=json", "--quiet")

    assert outcome.code == 2
    assert outcome.document == {
        "error": {
            "exit_code": 2,
            "problems": [
                {
                    "message": "'gepa-ci check' has no option '--quiet'",
                    "path": None,
                    "line": None,
                    "hint": "known options: --config, --format, --help",
                }
            ],
        }
    }


@pytest.mark.parametrize("arguments", [[], ["local"]])
def test_no_command_shows_the_help_and_is_an_error(bench: Workbench, arguments: list[str]) -> None:
    outcome = bench.run(*arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("Usage: gepa-ci ")


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["gate", "--help"], ["--version"]])
def test_help_and_version_go_to_stdout(bench: Workbench, arguments: list[str]) -> None:
    outcome = bench.run(*arguments)

    assert (outcome.code, outcome.err) == (0, "")
    assert "gepa-ci" in outcome.out


def test_a_part_may_be_written_with_a_hyphen(bench: Workbench, provider: FakeProvider) -> None:
    bench.write(task_files(provider.url))

    assert bench.run("evaluate", "--part", "held-out").code == 0


# Bugs


class _BugError(Exception):
    pass


def test_a_bug_is_reported_with_versions_and_traceback(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        secret = os.environ["OPENAI_API_KEY"]
        raise _BugError(f"it broke with {secret}")

    bench.write(task_files())
    monkeypatch.setattr("gepa_ci.cli.check.open_workspace", broken)

    outcome = bench.run("check")

    assert (outcome.code, outcome.out) == (70, "")
    lines = outcome.err.splitlines()
    assert lines[0] == "error: this is a bug in gepa-ci; please report it with what follows"
    assert lines[1] == "hint: https://github.com/gepa-ci/gepa-ci/issues"
    assert lines[2].startswith("gepa-ci 0.1.0, Python 3.")
    assert lines[2].endswith(", command 'check'")
    assert lines[3] == "Traceback (most recent call last):"
    assert lines[-1].endswith("_BugError: it broke with [secret OPENAI_API_KEY]")
    assert "sk-test-0123456789" not in outcome.err


def test_a_bug_is_json_where_json_was_asked_for(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise _BugError("sk-test-0123456789")

    monkeypatch.setattr("gepa_ci.cli.check.open_workspace", broken)

    outcome = bench.run("check", "--format", "json")

    assert outcome.code == 70
    assert outcome.document["error"]["exit_code"] == 70
    assert "sk-test" not in outcome.out


def test_a_bug_without_a_command_is_reported_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_bug(_BugError("x"), [], as_json=False) == 70
    assert "command ''" in capsys.readouterr().err


def test_a_key_in_a_message_is_not_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "tok-0123456789")
    error = UsageError("tok-0123456789 is wrong", hint="not tok-0123456789")

    report_error(error, as_json=True)

    captured = capsys.readouterr()
    assert "tok-0123456789" not in captured.out + captured.err
    assert captured.err == "error: [secret MY_TOKEN] is wrong\nhint: not [secret MY_TOKEN]\n"


# Ends of a run


def start(bench: Workbench, *arguments: str) -> subprocess.Popen[str]:
    """Start the command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gepa_ci", *arguments],
        cwd=bench.root,
        env=child_environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_for(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_ctrl_c_ends_a_run_at_once_and_keeps_the_answers(bench: Workbench) -> None:
    held_back = (lambda request: request.number > 3, slow(20))
    with FakeProvider(answer=answer, faults=[held_back]) as provider:
        bench.write(task_files(provider.url, count=60))
        process = start(bench, "evaluate", "--format", "json")
        wait_for(lambda: provider.calls > 10)
        process.send_signal(signal.SIGINT)
        # The provider would hold the open calls back for longer.
        out, err = process.communicate(timeout=15)

        assert (process.returncode, err) == (130, "error: interrupted\n")
        assert json.loads(out)["error"]["exit_code"] == 130
        cached = bench.run("plan", "--format", "json").document["tasks"][0]["steps"]["evaluate"]
        assert cached["cached_calls"] == 3


def test_a_closed_pipe_is_no_error(bench: Workbench) -> None:
    bench.write(task_files(count=40))
    process = start(bench, "check", "--format", "json")
    assert process.stdout is not None
    process.stdout.close()

    assert process.wait(timeout=20) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_closed_pipe_does_not_turn_a_refusal_green(bench: Workbench) -> None:
    process = start(bench, "check")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()

    assert process.wait(timeout=20) == 2


# Progress


def test_without_a_terminal_a_run_prints_nothing_on_stderr(
    bench: Workbench, provider: FakeProvider
) -> None:
    bench.write(task_files(provider.url))

    done = child("evaluate", cwd=bench.root)

    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
@pytest.mark.parametrize("colour", [{}, {"NO_COLOR": "1"}])
def test_on_a_terminal_progress_is_on_stderr_only(bench: Workbench, colour: dict[str, str]) -> None:
    import pty

    with FakeProvider(answer=answer, faults=[(always, slow(0.1))]) as provider:
        bench.write(task_files(provider.url, count=40))
        main, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "gepa_ci", "evaluate", "--format", "json"],
            cwd=bench.root,
            env=child_environment(TERM="xterm", COLUMNS="100", **colour),
            stdout=subprocess.PIPE,
            stderr=terminal,
        )
        os.close(terminal)
        shown = _drain(main)
        assert process.stdout is not None
        out = process.stdout.read()
        process.stdout.close()
        code = process.wait(timeout=20)

    assert code == 0
    assert json.loads(out)["command"] == "evaluate"
    assert b"\x1b" not in out
    assert b"evaluate on held-out" in shown
    if colour:
        assert b"\x1b[3" not in shown


def _drain(descriptor: int) -> bytes:
    """Read a terminal until the process at its other end is gone."""
    found = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], 30)
        try:
            chunk = os.read(descriptor, 65536) if ready else b""
        except OSError:
            chunk = b""
        if not chunk:
            os.close(descriptor)
            return found
        found += chunk
