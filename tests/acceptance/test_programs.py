"""Programs of several prompts, run through the command line against a real provider."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from killing import Hitman
from pipeline_world import COMMAND, PATHS, PYTHON, TEXTS, answer, pipeline, rules_of, source
from provider import FakeProvider, after, hang, rate_limited, share
from world import Run, command, commit, counted, git, job, process, spend_of

from gepa_ci.cli import workspace
from gepa_ci.cli.task_program import task_program
from gepa_ci.lm.local_files import default_cache_dir

if TYPE_CHECKING:
    from pathlib import Path

    from gepa_ci.programs import Program

KINDS = ("python", "command")


def outcome(run: Run) -> dict[str, Any]:
    """Return what must not depend on how the same pipeline is run."""
    task = run.task
    search = task["optimization"] or {}
    kept = ("verdict", "comparison", "changes", "written", "examples")
    found = {key: task[key] for key in kept}
    return {**found, **{key: search.get(key) for key in ("metric_calls", "stop_reason", "best")}}


def optimized(root: Path, provider: FakeProvider, kind: str, **keys: Any) -> Run:
    ended = job(pipeline(root, provider, kind, **keys), "optimize")
    assert ended.code == 0, ended.said
    return ended


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int]:
    """Return the outcome of the pipeline as a function, and how many calls it took."""
    with FakeProvider(answer) as provider:
        root = tmp_path_factory.mktemp("calm") / "repository"
        ended = optimized(root, provider, "python")
        assert spend_of(ended) == counted(provider)
    assert rules_of(root) == list(TEXTS)
    assert ended.task["written"] == list(PATHS)
    assert ended.task["candidate"]["mean"] == 1.0
    return outcome(ended), provider.answered


def test_a_command_is_optimized_to_the_same_by_the_same_calls(
    calm: tuple[dict[str, Any], int], tmp_path: Path
) -> None:
    with FakeProvider(answer) as provider:
        ended = optimized(tmp_path / "repository", provider, "command")

    assert (outcome(ended), provider.answered) == calm


@pytest.mark.parametrize("kind", KINDS)
def test_refused_calls_change_no_result(
    kind: str, calm: tuple[dict[str, Any], int], tmp_path: Path
) -> None:
    faults = [(share(0.25, 7), rate_limited(0.01))]
    with FakeProvider(answer, faults=faults) as provider:
        ended = optimized(tmp_path / "repository", provider, kind, model={"retries": 12})

    assert provider.calls > provider.answered * 1.2
    assert (outcome(ended), provider.answered) == calm


def test_kills_cost_nothing_but_what_was_in_flight(
    calm: tuple[dict[str, Any], int], tmp_path: Path
) -> None:
    with FakeProvider(answer) as provider:
        hitman = Hitman.on(provider)
        root = pipeline(tmp_path / "repository", provider, "command", concurrency=4)
        for at in (15, 110):
            code = hitman.kill_at(at, partial(process, root, "optimize"))
            assert code == -signal.SIGKILL
        ended = job(root, "optimize")

    assert ended.code == 0, ended.said
    assert (outcome(ended), hitman.bodies.total()) == calm


@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_compares_all_prompt_files(kind: str, tmp_path: Path) -> None:
    with FakeProvider(answer) as provider:
        root = pipeline(tmp_path / "repository", provider, kind, rules=True, held_out=40)
        commit(root)
        (root / "prompts/retrieve.md").write_text(source("retrieve"))
        ended = job(root, "gate", "--base", "main")

    assert ended.code == 1, ended.said
    assert ended.task["verdict"] == "regression"
    assert (ended.task["baseline"]["mean"], ended.task["candidate"]["mean"]) == (1.0, 0.75)
    assert [change["path"] for change in ended.task["changes"]] == ["prompts/retrieve.md"]
    # Both sides share what the first prompt is asked, and the last one about what came through;
    # ten examples were run once more to see whether the model repeats itself.
    assert provider.answered == 40 + 80 + 50 + 3 * 10


# Whose code is run


LOADING = COMMAND.replace(
    "import json, sys\n",
    "import json, sys\nsys.path[:0] = ['programs', '.']\nimport words, installed.here\n",
)
HEADS_CODE = "raise SystemExit('code of the head was run')\n"


def loading(root: Path, provider: FakeProvider, kind: str) -> Path:
    """Write a pipeline whose file loads modules, one of which only the workflow has made."""
    own = PYTHON if kind == "python" else LOADING
    code = f"import words\n{own}" if kind == "python" else own
    pipeline(root, provider, kind, rules=True, code=code, held_out=40)
    (root / "programs/words.py").write_text("BASE = True\n")
    (root / ".gitignore").write_text("/installed\n.gepa-ci\n")
    commit(root)
    (root / "installed").mkdir()
    (root / "installed/here.py").write_text("")
    return root


@pytest.mark.parametrize("head", ["commit", "working tree"])
@pytest.mark.parametrize("kind", KINDS)
def test_with_trust_base_all_code_is_the_bases_and_the_prompts_are_the_heads(
    kind: str, head: str, tmp_path: Path
) -> None:
    with FakeProvider(answer) as provider:
        root = loading(tmp_path / "repository", provider, kind)
        git(root, "checkout", "--quiet", "-b", "change")
        (root / "prompts/answer.md").write_text(source("answer"))
        for name in ("words.py", "pipeline.py", "json.py"):
            (root / "programs" / name).write_text(HEADS_CODE)
        (root / "json.py").write_text(HEADS_CODE)
        named = []
        if head == "commit":
            commit(root)
            named = ["--head", "change"]
        ended = job(root, "gate", "--base", "main", "--trust", "base", *named)

    assert ended.code == 1, ended.said
    assert ended.task["candidate"]["mean"] == 0.75
    assert list((default_cache_dir(os.environ)).glob("trees/*")) == []


def test_with_trust_base_what_the_head_tracks_is_not_there(tmp_path: Path) -> None:
    with FakeProvider(answer) as provider:
        root = loading(tmp_path / "repository", provider, "command")
        git(root, "checkout", "--quiet", "-b", "change")
        (root / "prompts/answer.md").write_text(source("answer"))
        git(root, "add", "--force", "installed/here.py")
        commit(root)
        ended = job(root, "gate", "--base", "main", "--trust", "base", "--head", "change")

    assert ended.code == 2
    assert "ModuleNotFoundError: No module named 'installed'" in ended.err
    assert provider.calls == 0


def test_nothing_is_copied_where_nothing_is_run(tmp_path: Path) -> None:
    with FakeProvider(answer) as provider:
        root = loading(tmp_path / "repository", provider, "command")
        ended = job(root, "gate", "--base", "main", "--trust", "base")

    assert ended.code == 0, ended.said
    assert not (default_cache_dir(os.environ) / "trees").exists()


# Keys of a program


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_a_program_tells_is_shown_nowhere(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEARCH_AT", "opensesame-8472")
    told = "os.environ['SEARCH_AT']"
    code = {
        "python": "import os\ndef answer(prompts, inputs, lm):\n"
        f"    print({told})\n    return {told}, {{'trace': {told}}}\n",
        "command": "import json, os, sys\nfor line in sys.stdin:\n    id = json.loads(line)['id']\n"
        f"    print({told}, file=sys.stderr)\n"
        f"    print(json.dumps({{'id': id, 'output': {told}, 'trace': {told}}}), flush=True)\n",
    }
    spec: dict[str, dict[str, Any]] = {
        "python": {"python": "programs/pipeline.py:answer"},
        "command": {"command": ["python3", "programs/pipeline.py"]},
    }
    task = {"program": {**spec[kind], "environment": ["SEARCH_AT"]}}
    with FakeProvider(answer) as provider:
        root = pipeline(tmp_path / "repository", provider, kind, code=code[kind], task=task)
        ended = job(root, "evaluate")
        (root / "programs/pipeline.py").write_text(
            code[kind].replace("return", "raise ValueError(os.environ['SEARCH_AT']) #")
            if kind == "python"
            else code[kind].replace("'output'", "'error'")
        )
        failed = job(root, "evaluate")

    assert ended.code == 0, ended.said
    assert "[secret SEARCH_AT]" in json.dumps(ended.result)
    assert failed.code == 2
    assert "[secret SEARCH_AT]" in failed.err
    shown = capfd.readouterr()
    for text in (json.dumps(ended.result), ended.said, failed.said, *shown):
        assert "opensesame" not in text


# Spend of a program's own calls


def test_calls_of_its_own_are_in_the_report_and_under_the_cap(tmp_path: Path) -> None:
    code = (
        "import json, sys\nusd = 0.001\nfor line in sys.stdin:\n    id = json.loads(line)['id']\n"
        "    usage = {'calls': 3, 'input_tokens': 100, 'output_tokens': 10, 'usd': usd}\n"
        "    print(json.dumps({'id': id, 'output': 'x', 'usage': usage}), flush=True)\n"
        "    usd = 0.02\n"
    )
    model = {"price": {"input": 1, "output": 1}, "max_tokens": 10}
    keys: dict[str, Any] = {"code": code, "concurrency": 1, "model": model}
    with FakeProvider(answer) as provider:
        root = pipeline(tmp_path / "repository", provider, "command", **keys)
        ended = job(root, "evaluate")
        capped = pipeline(tmp_path / "capped", provider, "command", spend={"usd": 0.05}, **keys)
        stopped = job(capped, "evaluate")

    assert ended.task["spend"]["calls"] == ended.result["spend"]["calls"] == 36
    assert ended.result["spend"]["usd"] == pytest.approx(0.221)
    assert ended.result["spend"]["input_tokens"] == 1200
    assert (stopped.code, stopped.result) == (3, {})
    assert "the spend cap 'usd: 0.05' is reached after 9 calls" in stopped.err


# The end of processes


def noting(folder: Path, kind: str) -> str:
    """Return the pipeline's code, which notes its process before all else."""
    note = f"import os\nopen(os.path.join({str(folder)!r}, str(os.getpid())), 'w').close()\n"
    return note + (PYTHON if kind == "python" else COMMAND)


def all_gone(folder: Path) -> bool:
    """Wait until no process that was noted is left."""
    pids = [int(path.name) for path in folder.iterdir()]
    assert pids
    deadline = time.monotonic() + 10
    while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(is_running(pid) for pid in pids)


def is_running(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return done.stdout.strip()[:1] not in (b"", b"Z")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_process_outlives_a_run_that_is_ended(
    kind: str, end: signal.Signals, tmp_path: Path
) -> None:
    (notes := tmp_path / "notes").mkdir()
    # Where a worker of a metric may not write, a program's worker may not either.
    code = noting(notes, kind) if kind == "command" else PYTHON
    with FakeProvider(answer, faults=[(after(9), hang())]) as provider:
        root = pipeline(tmp_path / "repository", provider, kind, code=code, concurrency=4)
        run = process(root, "evaluate")
        while provider.calls < 12:
            time.sleep(0.02)
        if kind == "python":
            note_workers(run.pid, notes)
        run.send_signal(end)
        assert run.wait(30) == (130 if end is signal.SIGINT else -end)

    assert all_gone(notes)


def note_workers(pid: int, notes: Path) -> None:
    """Note the processes that a process has started."""
    done = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, check=True, text=True
    )
    for child in done.stdout.split():
        (notes / child).touch()


@pytest.mark.parametrize("arguments", [("check",), ("plan",), ("evaluate",), ("render", "parcels")])
def test_no_process_outlives_a_command(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    kept: list[Program] = []
    begin = subprocess.Popen.__init__

    def beginning(self: Any, *given: Any, **more: Any) -> None:
        started.append(self)
        begin(self, *given, **more)

    def keeping(*given: Any) -> Program:
        # What somebody still holds is not ended by being forgotten.
        kept.append(task_program(*given))
        return kept[-1]

    monkeypatch.setattr(subprocess.Popen, "__init__", beginning)
    monkeypatch.setattr(workspace, "task_program", keeping)
    with FakeProvider(answer) as provider:
        root = pipeline(tmp_path / "repository", provider, "python")
        command(root, *arguments)

    assert started
    assert kept
    assert all(child.returncode is not None for child in started)


# What is wrong with a program


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (
            {"program": "programs/missing.py:answer"},
            "programs/missing.py: cannot read the program's file: there is",
        ),
        ({"program": "programs/pipeline.py:reply"}, "functions there: answer"),
        ({"program": ["no-such-command", "x"]}, "'no-such-command' is not there"),
        ({"program": ["./programs/run.sh"]}, "'./programs/run.sh' is not there"),
        (
            {"prompts": [*PATHS, "other/answer.md"]},
            "same name 'answer': prompts/answer.md and other/answer.md",
        ),
        ({"program": "chat"}, "a chat task has one"),
    ],
)
def test_check_says_what_is_wrong_with_a_program(
    task: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with FakeProvider(answer) as provider:
        root = pipeline(tmp_path / "repository", provider, task=task)
    (root / "other").mkdir()
    (root / "other/answer.md").write_text(source("answer"))
    ended = command(root, "check")

    assert ended.code == 2
    assert said in ended.err
    assert "error: " in ended.err
    assert "hint: " in ended.err
