"""Tests of what `optimize` refuses before its first call, and of what it shows meanwhile."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from provider import FakeProvider, slow
from workbench import answer, child_environment, task_files

from gepa_ci.cli.interrupts import stopping_by_hand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provider import Request
    from workbench import Workbench

REFLECTION = "  reflection: {{model: openai/mock, api_base: {url}, retries: 0}}\n"
PROPOSER = """\
def propose(occasion, reflect):
    text = occasion.texts["user"]
    return {"user": text.replace("Say", "Repeat")} if "Say" in text else None
"""


def optimize_with(bench: Workbench, url: str, policy: str, *, count: int = 60) -> None:
    more = f"    optimize: {{max_metric_calls: 60, {policy}}}\n"
    bench.write(task_files(url, count=count, more=more))


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (
            "proposer: own.py:propose",
            "error: own.py: cannot read the proposer's file: there is no such file\n",
        ),
        (
            "proposer: p.py:nothing",
            "error: gepa-ci.yml:5: 'p.py' has no function 'nothing'\n",
        ),
        (
            "proposer: examples, stop_at_usd: 1",
            "error: gepa-ci.yml:5: the price of model 'openai/mock' is not known, and",
        ),
        (
            "proposer: examples, tracking: {mlflow: {}, wandb: {}}",
            "hint: install gepa-ci with the extra: pip install 'gepa-ci[mlflow]'\n",
        ),
    ],
    ids=["no file", "no function", "no price", "no library"],
)
def test_a_search_that_cannot_work_is_refused_before_its_first_call(
    bench: Workbench, policy: str, said: str
) -> None:
    with FakeProvider(answer=answer) as provider:
        optimize_with(bench, provider.url, policy)
        bench.write({"p.py": PROPOSER})
        ended = bench.run("optimize")

        assert provider.calls == 0
    assert ended.code == 2
    assert said in ended.err


def repeats(request: Request) -> str:
    """Answer rightly when asked to repeat."""
    return answer(request) if "Repeat" in request.text else "no idea"


def test_a_proposer_of_the_users_own_needs_no_reflection_lm(bench: Workbench) -> None:
    with FakeProvider(answer=repeats) as provider:
        optimize_with(bench, provider.url, "proposer: p.py:propose")
        bench.write({"p.py": PROPOSER})
        ended = bench.run("optimize", "--format", "json")

    task = ended.document["tasks"][0]
    assert ended.code == 0
    assert task["optimization"]["proposer"] == "code"
    assert task["optimization"]["candidates"][1]["origin"] == "code"
    assert (bench.root / "p.md").read_text(encoding="utf-8") == "Repeat the word: {{ text }}\n"


def on_a_terminal(bench: Workbench, *arguments: str) -> str:
    """Run the command line with a terminal as stderr and return what was written there."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    shown = bytearray()

    def read() -> None:
        while True:
            try:
                chunk = os.read(master, 65_536)
            except OSError:
                return
            if not chunk:
                return
            shown.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        subprocess.run(
            [sys.executable, "-m", "gepa_ci", "optimize", *arguments],
            cwd=bench.root,
            env=child_environment(COLUMNS="120", TERM="xterm", OPENAI_API_KEY="sk-test-0123456789"),
            stdout=subprocess.DEVNULL,
            stderr=slave,
            check=True,
            timeout=60,
        )
    finally:
        os.close(slave)
        reader.join(10)
        os.close(master)
    return shown.decode("utf-8", "replace")


def test_a_terminal_shows_the_best_score_the_budget_the_spend_and_calls_in_flight(
    bench: Workbench,
) -> None:
    late = lambda request: "Repeat" in request.text  # noqa: E731
    with FakeProvider(answer=repeats, faults=[(late, slow(0.15))]) as provider:
        optimize_with(bench, provider.url, "proposer: p.py:propose")
        bench.write({"p.py": PROPOSER})
        config = (bench.root / "gepa-ci.yml").read_text(encoding="utf-8")
        bench.write({"gepa-ci.yml": config + "spend: {calls: 3000}\nconcurrency: 4\n"})
        shown = on_a_terminal(bench)

    line = r"echo: optimize .* \d+/60 best \d\.\d{3}, \d+ of 3,000 calls, \d+ in flight"
    assert re.search(line, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown))
    assert "baseline: val 0.000 after" in shown


def test_json_shows_nothing_on_a_terminal(bench: Workbench) -> None:
    with FakeProvider(answer=repeats) as provider:
        optimize_with(bench, provider.url, "proposer: p.py:propose")
        bench.write({"p.py": PROPOSER})

        assert on_a_terminal(bench, "--format", "json") == ""


def test_ctrl_c_is_not_ours_outside_of_the_main_thread() -> None:
    seen: list[bool] = []

    def enter() -> None:
        with stopping_by_hand(lambda: None) as ours:
            seen.append(ours)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()

    assert seen == [False]


MLFLOW = """\
from pathlib import Path
from types import SimpleNamespace


class MlflowClient:
    def __init__(self, tracking_uri):
        self.log = Path(tracking_uri)

    def get_experiment_by_name(self, name):
        return None

    def create_experiment(self, name):
        return name

    def create_run(self, experiment, run_name):
        return SimpleNamespace(info=SimpleNamespace(run_id=f"{experiment} {run_name}"))

    def __getattr__(self, name):
        def keep(*arguments, **named):
            with self.log.open("a") as log:
                print(name, *arguments, *named.values(), file=log)
        return keep
"""


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Put a stand-in of MLflow in reach, which writes down what it is told."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "mlflow.py").write_text(MLFLOW, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    yield f"tracking: {{mlflow: {{uri: {tmp_path / 'log'}, experiment: mine}}}}"
    sys.modules.pop("mlflow", None)


def test_a_search_is_written_down_with_its_verdict_and_without_any_example(
    bench: Workbench, mlflow: str, tmp_path: Path
) -> None:
    with FakeProvider(answer=repeats) as provider:
        optimize_with(bench, provider.url, f"proposer: p.py:propose, {mlflow}")
        bench.write({"p.py": PROPOSER})
        ended = bench.run("optimize")

    told = (tmp_path / "log").read_text(encoding="utf-8")
    assert ended.code == 0, ended.err
    assert "log_param mine echo proposer p.py:propose\n" in told
    assert "log_metric mine echo val_score 1.0 " in told
    assert "log_text mine echo Repeat the word: {{ text }}\n candidates/0001/user.txt\n" in told
    assert "set_tag mine echo verdict promote\n" in told
    assert told.endswith("set_terminated mine echo FINISHED\n")
    assert not re.search(r"word\d", told)


def test_a_run_that_fails_is_written_down_as_such(
    bench: Workbench, mlflow: str, tmp_path: Path
) -> None:
    with FakeProvider(answer=repeats) as provider:
        optimize_with(bench, provider.url, f"proposer: p.py:propose, {mlflow}")
        bench.write({"p.py": "def propose(occasion, reflect):\n    return 1 / 0\n"})
        ended = bench.run("optimize")

    assert ended.code == 2
    assert ended.err == (
        "error: p.py:2: proposer 'propose' raised ZeroDivisionError: division by zero\n"
        '  File "p.py", line 2, in propose\n    return 1 / 0\n           ~~^~~\n'
        "hint: correct line 2 of p.py, then run the command again\n"
    )
    assert (tmp_path / "log").read_text(encoding="utf-8").endswith("FAILED\n")


def test_check_loads_a_proposer(bench: Workbench) -> None:
    optimize_with(bench, "http://127.0.0.1:9/v1", "proposer: p.py:propose")
    bench.write({"p.py": PROPOSER})
    assert bench.run("check").code == 0

    bench.write({"p.py": "def propose(occasion: 3"})
    ended = bench.run("check")

    assert ended.code == 2
    assert "error: p.py:1: the proposer's file is not valid Python" in ended.err
