"""What a user's metric can see, touch and break: it runs in a process without keys."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from metric_examples import example, reader

from gepa_ci.core.config import MetricSpec
from gepa_ci.errors import ConfigError, MetricError
from gepa_ci.metrics.user_metric import build_user_metric
from gepa_ci.workers.answers import harmless, read_told
from gepa_ci.workers.child import End, WorkerError
from gepa_ci.workers.process import WorkerProcess
from gepa_ci.workers.seclusion import forbid_inspection, import_path, worker_environment
from gepa_ci.workers.source import Sources
from gepa_ci.workers.user_file import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

CANARY = "canary-7f3a"
LINUX = sys.platform == "linux"
DEFINE = "def quality(example, output):\n"


def landlock_version() -> int:
    return ctypes.CDLL(None).syscall(444, None, 0, 1) if LINUX else -1


needs_landlock = pytest.mark.skipif(
    landlock_version() < 1, reason="this kernel has no Landlock, so a process of ours can look"
)
needs_scopes = pytest.mark.skipif(
    landlock_version() < 6, reason="this kernel's Landlock does not hold back signals"
)


def build(body: str, *, top: str = "", files: dict[str, str] | None = None, **limits: float) -> Any:
    """Build the metric whose function has this body; one line or several."""
    source = f"import json, os, sys, time\n{top}\n{DEFINE}" + "".join(
        f"    {line}\n" for line in body.splitlines()
    )
    return build_user_metric(
        MetricSpec(name="metrics.py:quality"),
        reader({"metrics.py": source, **(files or {})}),
        where="gepa-ci.yml",
        line=3,
        limits=Limits(**limits),
    )


def said(body: str, output: str = "", *, top: str = "") -> Any:
    """Return the JSON that a metric gives as feedback."""
    return json.loads(
        build(f"{body}\nreturn 1, json.dumps(said)", top=top)(example(), output).feedback
    )


def failure(metric: Callable[..., Any], output: str = "") -> MetricError:
    with pytest.raises(MetricError) as caught:
        metric(example(), output)
    return caught.value


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A machine without an init process keeps what has ended on its list.
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def ends(process: int) -> bool:
    deadline = time.monotonic() + 10
    while is_running(process) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_running(process)


def test_a_metric_sees_no_secret_and_no_file_command_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (
        *("OPENAI_API_KEY", "GITHUB_TOKEN", "INPUT_TOKEN", "MY_SECRET", "AWS_SESSION_TOKEN"),
        *("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"),
        *("ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "HTTPS_PROXY", "PYTHONPATH"),
    ):
        monkeypatch.setenv(name, f"/{CANARY}")

    seen = said("said = [dict(os.environ), sys.argv, sys.path, os.getcwd()]")

    assert CANARY not in json.dumps(seen)
    assert "PATH" in seen[0]
    assert seen[0]["HOME"] == seen[0]["TMPDIR"] == seen[3]


def test_only_listed_variables_are_given_to_a_worker() -> None:
    given = {"PATH": "/bin", "LC_ALL": "C", "TZ": "UTC", "SYSTEMROOT": "C", "LC_KEY_TOKEN": "x"}
    ours = {**given, "HOME": "/root", "GITHUB_ENV": "/env", "PATH_KEY": "x", "PYTHONSTARTUP": "x"}

    environment = worker_environment("/folder", ours)

    folder = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), "/folder")
    del given["LC_KEY_TOKEN"]
    assert environment == {**given, **folder, "PYTHONHASHSEED": "0"}


def test_all_workers_order_sets_alike() -> None:
    assert said("said = hash('a')") == said("said = hash('a')")


def test_a_metric_starts_in_an_empty_folder_that_goes_away_with_it() -> None:
    built = build("return 1, json.dumps([os.getcwd(), os.listdir()])")
    folder, files = json.loads(built(example(), "").feedback)
    existed = Path(folder).is_dir()
    built.scorer.close()

    assert files == []
    assert existed
    assert not Path(folder).exists()


def test_modules_are_not_looked_for_in_the_working_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted.py").write_text("VALUE = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    assert str(tmp_path) not in import_path()
    with pytest.raises(ConfigError, match="No module named 'planted'"):
        build("return 1", top="import planted")


@pytest.mark.skipif(not LINUX, reason="other systems have no such call")
def test_our_own_process_cannot_be_inspected_by_another_of_the_same_user() -> None:
    script = (
        "import ctypes; from gepa_ci.workers.seclusion import forbid_inspection as forbid;"
        "get = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0); print(get(), forbid(), get())"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "1 True 0\n"


def test_other_systems_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    assert not forbid_inspection()


ANCESTORS = """
said, process = [], os.getppid()
while process > 0:
    try:
        said.append([process, open(f"/proc/{process}/environ", "rb").read().decode("latin-1")])
    except PermissionError:
        pass
    try:
        process = int(open(f"/proc/{process}/stat").read().rpartition(")")[2].split()[1])
    except OSError:
        break
"""


@needs_landlock
def test_a_metric_cannot_read_the_environment_of_any_process_above_it() -> None:
    assert said(ANCESTORS) == []


@pytest.mark.skipif(not LINUX, reason="other systems have no /proc")
@pytest.mark.skipif(
    landlock_version() < 1 and os.geteuid() == 0,
    reason="root may look into every process where there is no Landlock",
)
def test_a_metric_cannot_read_our_memory_or_environment() -> None:
    body = "said = []\nfor name in ('environ', 'mem', 'maps'):\n    try:\n"
    body += (
        "        open(f'/proc/{os.getppid()}/{name}', 'rb').read(1)\n        said.append(name)\n"
    )
    body += "    except PermissionError:\n        pass"

    assert said(body) == []


@needs_landlock
def test_a_metric_writes_nowhere_but_in_its_folder(tmp_path: Path) -> None:
    output = tmp_path / "github_output"
    output.write_text("")
    inside = "open('a.txt', 'w').write('x'); os.mkdir('b'); os.rename('a.txt', 'b/a.txt')\n"
    inside += "import tempfile; tempfile.NamedTemporaryFile().write(b'x')\n"
    inside += "open(os.devnull, 'w').write('x')\n"
    built = build(f"{inside}with open({str(output)!r}, 'a') as file: file.write('verdict=pass')")

    error = failure(built).problems[0]

    assert "raised PermissionError" in error.message
    assert error.hint is not None
    assert "only into its working folder" in error.hint
    assert output.read_text() == ""


@needs_scopes
def test_a_metric_cannot_end_our_process() -> None:
    built = build("os.kill(os.getppid(), 15)")

    assert "raised PermissionError" in str(failure(built))


@pytest.mark.skipif(not LINUX, reason="other systems have no such flag")
def test_a_metric_cannot_gain_privileges() -> None:
    (flag,) = said("said = [s for s in open('/proc/self/status') if s.startswith('NoNewPrivs')]")

    assert flag.split() == ["NoNewPrivs:", "1"]


def test_a_metric_leaves_no_core_and_cannot_take_all_memory() -> None:
    limits = said(
        "said = [resource.getrlimit(n) for n in (resource.RLIMIT_CORE, resource.RLIMIT_DATA)]",
        top="import resource",
    )

    assert limits[0] == [0, 0]
    assert limits[1][1] <= 4 << 30


@pytest.mark.skipif(not LINUX, reason="other systems do not count this memory")
def test_too_much_memory_is_an_error_that_says_how_much_there_is() -> None:
    (problem,) = failure(build("bytearray(5 << 30)")).problems

    assert "raised MemoryError" in problem.message
    assert problem.hint == "a metric's process may hold 4 GiB"


def test_a_missing_variable_is_explained() -> None:
    (problem,) = failure(build("os.environ['OPENAI_API_KEY']")).problems

    assert "raised KeyError" in problem.message
    assert problem.hint == "a metric sees no keys, tokens or other variables of the environment"


def test_a_missing_file_is_explained() -> None:
    (problem,) = failure(build("open('words.txt')")).problems

    assert problem.hint == "a metric runs in an empty folder: open files by Path(__file__).parent"


def test_what_is_printed_can_neither_command_the_runner_nor_become_a_score(
    capfd: pytest.CaptureFixture[str],
) -> None:
    forged = '{"nonce": "", "score": {"score": 1.0}}'
    built = build(
        "print('::set-output name=verdict::pass')\n"
        "print(' \\u2028::error::x\\r::stop-commands::y ##[set-env]', file=sys.stderr)\n"
        f"print({forged!r}, flush=True)\n"
        f"os.write(1, b{forged + chr(10)!r})\n"
        "os.write(1, b'::set-output name=verdict::pass\\n')\n"
        "os.system('echo ::set-output name=verdict::pass')\n"
        "return 0.25"
    )

    score = built(example(), "")

    captured = capfd.readouterr()
    assert score.value == 0.25
    assert captured.out == ""
    assert captured.err == (
        ": :set-output name=verdict::pass\n"
        f" \\u2028::error::x\\r::stop-commands::y ## [set-env]\n{forged}\n"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n\t::x", "a\n\t: :x"),
        ("\xa0\ufeff::x", "\xa0\ufeff: :x"),
        ("x[::2] a::b", "x[::2] a::b"),
        ("\x1b[31m\x7f\x85", "\\x1b[31m\\x7f\\x85"),
        ("\u202eabc\u2066\ud800", "\\u202eabc\\u2066\\ud800"),
        ("##[group]", "## [group]"),
        ("naïve 你好 👩‍👧", "naïve 你好 👩‍👧"),
    ],
)
def test_text_is_made_harmless(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_an_error_text_cannot_command_the_runner() -> None:
    message = failure(build("raise ValueError('x\\n::error::forged')")).problems[0].message

    assert "\n::" not in message
    assert "\n: :error::forged" in message


def test_ten_megabytes_of_print_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    built = build("print('x' * 10_000_000)\nos.write(1, b'y' * 10_000_000)\nreturn 1")

    assert built(example(), "").value == 1.0
    shown = capsys.readouterr().err
    assert len(shown) < 100_000
    assert shown.endswith("x\n... (9934465 more bytes were printed)\n")


def test_a_hang_is_ended_and_its_line_named() -> None:
    built = build("if output:\n    while True: pass\nreturn 1", call_seconds=0.5)

    (problem,) = failure(built, "hang").problems

    assert (problem.path, problem.line) == ("metrics.py", 5)
    assert problem.message.startswith("metric 'quality' took more than 0.5 s on example 'e1'\n")
    assert 'File "metrics.py", line 5 in quality' in problem.message
    assert problem.hint is not None
    assert built(example(), "").value == 1.0


def test_a_hang_that_ignores_signals_is_ended() -> None:
    top = "import signal\nsignal.signal(signal.SIGABRT, signal.SIG_IGN)"

    message = str(failure(build("time.sleep(60)", top=top, call_seconds=0.3)))

    assert "took more than 0.3 s" in message


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("os._exit(3)", "exit code 3"),
        ("os._exit(0)", "exit code 0"),
        ("os.kill(os.getpid(), 9)", "SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("os.kill(os.getpid(), 40)", "signal 40"),
    ],
)
def test_a_crash_is_an_error_that_names_metric_and_example(body: str, status: str) -> None:
    built = build(f"if output: {body}\nreturn 1")

    (problem,) = failure(built, "crash").problems

    assert str(problem).startswith(
        f"metrics.py:{4 if status == 'SIGSEGV' else 3}: "
        f"metric 'quality' ended its process ({status}) on example 'e1'"
    )
    assert ("memory" in str(problem.hint)) == (status == "SIGKILL")
    assert built(example(), "").value == 1.0


def test_the_last_words_of_a_process_are_told() -> None:
    built = build("os.write(2, b'out of luck\\n::x\\n')\nos._exit(1)")

    assert failure(built).problems[0].message.endswith("on example 'e1'\nout of luck\n: :x")


def test_deep_recursion_is_an_error_of_bounded_length() -> None:
    top = "def down(n): return up(n)\ndef up(n): return down(n)"

    message = str(failure(build("return down(0)", top=top)))

    assert "raised RecursionError" in message
    assert len(message) < 13_000


@pytest.mark.parametrize(
    ("returned", "error"),
    [
        ("1, 'x' * 1_000_001", "feedback of 1000001 characters, more than 1000000"),
        ("{'score': 1, 'parts': dict.fromkeys(range(1_001), 1)}", "1001 parts, more than 1000"),
        ("{'score': 1, 'parts': {'a': float('nan')}}", "'nan', which is not a number"),
        ("['x' * 20_000_000]", "xxx...', which is not a number"),
    ],
)
def test_what_is_too_much_or_no_number_is_an_error(returned: str, error: str) -> None:
    assert error in str(failure(build(f"return {returned}")))


def test_a_value_whose_text_raises_is_an_error() -> None:
    top = "class Odd(Exception):\n    def __repr__(self): raise Odd\n    __str__ = __repr__"

    assert "raised Odd on example 'e1': <its text raised Odd>" in str(
        failure(build("return Odd()", top=top))
    )


def test_threads_of_a_metric_neither_hold_it_up_nor_outlive_it() -> None:
    built = build(
        "threading.Thread(target=time.sleep, args=(60,)).start()\nreturn 1, str(os.getpid())",
        top="import threading",
    )
    process = int(built(example(), "").feedback)

    built.scorer.close()

    assert not is_running(process)


def test_a_metric_that_forks_answers_once() -> None:
    built = build("if output: os.fork()\nreturn 0.5")

    assert [built(example(), text).value for text in ("fork", "", "")] == [0.5, 0.5, 0.5]


def test_a_processs_own_children_end_with_it() -> None:
    built = build(
        "said = subprocess.Popen(['sleep', '60']).pid\nreturn 1, str(said)", top="import subprocess"
    )
    process = int(built(example(), "").feedback)

    built.scorer.close()

    assert ends(process)


@pytest.mark.parametrize("line", ["{}", '{"score": {"score": 1}}', "[]", "no json", "[" * 100_000])
def test_writing_to_a_guessed_descriptor_is_an_error_and_no_score(line: str) -> None:
    built = build(
        "for number in range(3, 20):\n"
        "    try: os.write(number, output.encode() + b'\\n')\n"
        "    except OSError: pass\n"
        "return 0.5"
    )

    assert "wrote where only gepa-ci writes on example 'e1'" in str(failure(built, line))


def test_a_flood_of_answers_is_an_error() -> None:
    flood = "os.write({0}, b'{{}}\\n' * 20000)\n"
    built = build(
        "for number in range(3, 20):\n    try: "
        + flood.format("number")
        + "    except OSError: pass",
        call_seconds=5.0,
    )

    assert "wrote where only gepa-ci writes" in str(failure(built))


def test_many_threads_get_their_own_answers_from_few_processes() -> None:
    built = build("return 1, f'{os.getpid()} {output}'")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: built(example(), str(n)).feedback.split(), range(400)))

    assert [number for _, number in answers] == [str(n) for n in range(400)]
    assert len({process for process, _ in answers}) <= 4


def test_a_later_worker_loads_the_same_code() -> None:
    files = {"words.py": "VALUE = 1\n", "metrics.py": ""}
    source = (
        f"import os, words\n{DEFINE}    if output: os._exit(1)\n    return 1, str(words.VALUE)\n"
    )
    files["metrics.py"] = source
    built = build_user_metric(
        MetricSpec(name="metrics.py:quality"), reader(files), where="g.yml", line=None
    )
    files.update({"words.py": "VALUE = 2\n", "metrics.py": ""})
    failure(built, "crash")

    assert built(example(), "").feedback == "1"


def test_what_is_not_in_the_digest_cannot_be_imported_later() -> None:
    built = build("import words, later", top="import words", files={"words.py": "", "later.py": ""})

    assert "raised ModuleNotFoundError" in str(failure(built))
    assert "'later'" in str(failure(built))


@pytest.mark.parametrize("name", ["os", "../secret", "a..b", "", "nothing"])
def test_only_python_files_beside_the_metric_are_read(name: str) -> None:
    asked: list[str] = []

    def read(path: str) -> bytes:
        asked.append(path)
        if path != "eval/metrics.py":
            raise FileNotFoundError(2, "No such file or directory", path)
        return b""

    sources = Sources("eval/metrics.py", read)

    assert sources.neighbour(name) is None
    assert set(asked) <= {"eval/metrics.py", "eval/nothing.py", "eval/nothing/__init__.py"}


def test_what_is_there_only_later_is_no_neighbour() -> None:
    files = {"metrics.py": "", "early.py": ""}
    sources = Sources("metrics.py", reader(files))
    found = sources.neighbour("early")
    digest = sources.complete()
    files["late.py"] = ""

    assert sources.neighbour("late") is None
    assert sources.neighbour("early") == found
    assert sources.complete() == digest


@pytest.mark.parametrize(
    ("top", "error"),
    [
        (
            "os._exit(3)",
            "metrics.py: the metric's file cannot be imported: its process ended (exit code 3)",
        ),
        ("while True: pass", "cannot be imported: that took more than 1 s"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_a_config_error(top: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build("return 1", top=top, load_seconds=1.0 if "while" in top else 60.0)

    assert error in str(caught.value)
    assert caught.value.problems[0].hint is not None


def test_without_an_interpreter_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    with pytest.raises(ConfigError, match=r"could not be started \(No such file or directory\)"):
        build("return 1")


def test_a_worker_that_cannot_be_replaced_is_a_metric_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = build("os._exit(1)")
    failure(built)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    with pytest.raises(ConfigError, match="could not be started"):
        built(example(), "")


def test_a_metric_that_nobody_holds_ends_its_processes() -> None:
    built = build("return 1, str(os.getpid())")
    process = int(built(example(), "").feedback)

    del built
    gc.collect()

    assert not is_running(process)


def test_a_closed_metric_is_an_error_and_starts_nothing() -> None:
    built = build("return 1")
    built.scorer.close()
    built.scorer.close()

    assert "ended its process" in str(failure(built))
    assert "ended its process" in str(failure(built))


def test_a_worker_that_is_tampered_with_gives_no_forbidden_score() -> None:
    top = "from gepa_ci.core.score import Score\nimport gepa_ci.metrics.worker as worker\n"
    top += "worker.read_score = lambda value: Score(value=value)"

    assert "returned '7', which is outside 0 to 1" in str(failure(build("return 7", top=top)))
    assert "returned '[]'" in str(failure(build("return []", top=top)))


def test_a_process_that_leaves_the_group_holds_nobody_up() -> None:
    body = "child = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
    built = build(f"{body}return 1, str(child.pid)", top="import subprocess")
    process = int(built(example(), "").feedback)
    started = time.monotonic()

    built.scorer.close()

    assert time.monotonic() - started < 5
    os.kill(process, signal.SIGKILL)


SCRIPT = f"""
import os, sys
from gepa_ci.core.config import MetricSpec
from gepa_ci.core.suite import Example
from gepa_ci.metrics.user_metric import build_user_metric
source = b"import os\\n{DEFINE.strip()}\\n    while output: pass\\n    return 1, str(os.getpid())"
metric = build_user_metric(
    MetricSpec(name="m.py:quality"), lambda path: source, where="g.yml", line=None
)
print(metric(Example(id="a", inputs={{}}), "").feedback, flush=True)
if "hang" in sys.argv:
    metric(Example(id="a", inputs={{}}), "hang")
"""


def test_workers_end_without_a_word_when_the_interpreter_does() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == ""
    assert not is_running(int(done.stdout))


def test_workers_end_even_within_a_call_when_we_are_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "hang"], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        process = int(parent.stdout.readline())
        was_running = is_running(process)
        parent.send_signal(signal.SIGKILL)

    assert was_running
    assert ends(process)


def test_what_a_worker_tells_may_have_any_shape() -> None:
    values: tuple[Any, ...] = (None, [], {"type": 1, "line": "x", "key": 3, "text": None})
    for value in values:
        told = read_told(value)

        assert (told.type, told.text, told.line, told.hint) == ("an error", "", None, None)


def test_an_answer_without_an_end_is_an_error() -> None:
    worker = WorkerProcess("gepa_ci.metrics.worker")
    source = "import os\nfor n in range(3, 20):\n    try: os.write(n, b'x' * (17 << 20))\n"
    source += "    except OSError: pass\n"
    request = {"path": "m.py", "file": "/m.py", "source": source, "function": "quality"}

    with pytest.raises(WorkerError) as caught:
        worker.ask(request, seconds=30)

    assert caught.value.end is End.BROKEN
