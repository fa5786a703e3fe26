from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from workbench import child

if TYPE_CHECKING:
    from workbench import Outcome, Workbench

CONFIG = """\
version: 1
models: {task: openai/mock}
tasks:
  echo:
    prompts: [p.md]
    suite: {file: s.jsonl, near_duplicates: 1}
    metric: exact_match
"""
TWIN = """\
  twin:
    prompts: [p.md]
    suite: {file: s.jsonl, near_duplicates: 1, split: {train: 0.5, held_out: 0.5}}
    metric: exact_match
"""


def lines(prefix: str, count: int, **more: object) -> str:
    found = (
        {"id": f"{prefix}{i}", "inputs": {"text": f"{prefix} {i}"}, "expected": "x", **more}
        for i in range(count)
    )
    return "".join(json.dumps(row) + "\n" for row in found)


@pytest.fixture
def suite(bench: Workbench) -> Workbench:
    bench.write(
        {
            "gepa-ci.yml": CONFIG,
            "p.md": "Say: {{ text }}\n",
            "s.jsonl": lines("t", 2, part="train")
            + lines("v", 2, part="val")
            + lines("h", 8, part="held_out"),
            "new.jsonl": lines("n", 20),
        }
    )
    return bench


def refresh(bench: Workbench, *arguments: str) -> Outcome:
    return bench.run("suite", "refresh", *arguments)


def refused(bench: Workbench, *arguments: str) -> str:
    """Run it, see that it changed nothing, and return what it said."""
    before = {path: path.read_bytes() for path in bench.root.rglob("*") if path.is_file()}
    outcome = refresh(bench, *arguments)
    after = {path: path.read_bytes() for path in bench.root.rglob("*") if path.is_file()}

    assert (outcome.code, outcome.out) == (2, "")
    assert after == before
    return outcome.err


def test_it_says_what_moved_and_what_comes_next(suite: Workbench) -> None:
    before = (suite.root / "s.jsonl").read_text()

    outcome = refresh(suite, "echo", "--new", "new.jsonl")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == (
        "echo: renewed\n"
        "  retired   8 examples (h0, h1, h2, h3, h4, h5 and 2 more), to train\n"
        "  new       20 examples (n0, n1, n2, n3, n4, n5 and 14 more), from new.jsonl\n"
        "  held-out  8 (7f7b60e900fb) -> 20 (445232d05939)\n"
        "  files     s.jsonl\n"
        "  ledger    starts anew with this version\n"
        "  next      commit it: git add s.jsonl && git commit\n"
    )
    assert (suite.root / "s.jsonl").read_text() == before.replace('"held_out"', '"train"') + lines(
        "n", 20, part="held_out"
    )
    assert suite.run("check").out == "ok: echo: p.md, 10 train, 2 val, 20 held-out\n"


def test_a_dry_run_says_the_same_and_writes_nothing(suite: Workbench) -> None:
    before = (suite.root / "s.jsonl").read_bytes()

    dry = refresh(suite, "--new", "new.jsonl", "--dry-run")

    assert (suite.root / "s.jsonl").read_bytes() == before
    assert dry.out.startswith("echo: would be renewed; nothing was written\n")
    assert dry.out.endswith("  next      run it again without --dry-run\n")
    assert dry.out.splitlines()[1:5] == refresh(suite, "--new", "new.jsonl").out.splitlines()[1:5]


def test_the_json_form_has_ids_and_whole_digests(suite: Workbench) -> None:
    found = refresh(
        suite, "--new=new.jsonl", "--retire-to=val", "--keep=3", "--format=json"
    ).document

    assert found["task"] == "echo"
    assert found["retired_to"] == "val"
    assert (len(found["kept"]), len(found["retired"]), len(found["added"])) == (3, 5, 20)
    assert found["held_out"]["before"]["examples"] == 8
    assert found["held_out"]["after"]["examples"] == 23
    assert len(found["held_out"]["after"]["digest"]) == 64
    assert found["files"] == ["s.jsonl"]


def test_what_is_kept_counts_in_the_ledger(suite: Workbench) -> None:
    out = refresh(suite, "--new", "new.jsonl", "--keep", "1").out

    assert "  kept      1 example (h" in out
    assert "  ledger    counts earlier uses of the kept examples in proportion: 1 of 21\n" in out


def test_a_first_held_out_set_retires_nothing(suite: Workbench) -> None:
    suite.write({"s.jsonl": lines("t", 2, part="train") + lines("v", 2, part="val")})

    outcome = refresh(suite, "--new", "new.jsonl")

    assert "  retired   0 examples, to train\n" in outcome.out
    assert "  held-out  0 (" in outcome.out


def test_few_new_examples_are_a_warning(suite: Workbench) -> None:
    suite.write({"new.jsonl": lines("n", 3)})

    outcome = refresh(suite, "--new", "new.jsonl")

    assert outcome.code == 0
    assert outcome.err.startswith("warning: echo: There are only 3 new examples; bring at least")


def test_every_problem_comes_at_once_and_nothing_is_written(suite: Workbench) -> None:
    rows = [
        {"id": "a", "inputs": {"text": "t 0"}, "expected": "x"},
        {"id": "b", "inputs": {"text": "fine"}},
        {"id": "h1", "inputs": {"other": "x"}, "expected": "x"},
    ]
    suite.write({"new.jsonl": "".join(json.dumps(row) + "\n" for row in rows)})

    said = refused(suite, "--new", "new.jsonl")

    assert [line for line in said.splitlines() if line.startswith("error: ")] == [
        (
            "error: new.jsonl:1: held_out example 'a' has the same inputs as train example 't0' at "
            "s.jsonl:1"
        ),
        "error: new.jsonl:2: example 'b' has no 'expected', which metric 'exact_match' needs",
        "error: new.jsonl:3: the prompt asks for 'text', which the example's inputs do not have",
        "error: new.jsonl:3: id 'h1' is there twice, the first time at s.jsonl:6",
    ]


def test_a_task_that_shares_the_file_is_checked_and_named(suite: Workbench) -> None:
    suite.write({"gepa-ci.yml": CONFIG + TWIN})

    outcome = refresh(suite, "echo", "--new", "new.jsonl")

    assert outcome.code == 0
    assert "warning: echo: Task twin uses s.jsonl too, so its suite changes.\n" in outcome.err


def test_a_suite_that_another_task_could_not_use_is_refused(suite: Workbench) -> None:
    twin = TWIN.replace("p.md", "q.md").replace("exact_match", "levenshtein")
    suite.write(
        {
            "gepa-ci.yml": CONFIG.replace("exact_match", "{name: one_of, values: [x, y]}") + twin,
            "q.md": "Say: {{ text }}\n",
            "new.jsonl": "".join(
                json.dumps({"inputs": {"text": f"n {i}"}, "expected": ["x"]}) + "\n"
                for i in range(20)
            ),
        }
    )

    assert "error: s.jsonl:13: " in refused(suite, "echo", "--new", "new.jsonl")


def test_one_of_several_tasks_has_to_be_named(suite: Workbench) -> None:
    suite.write({"gepa-ci.yml": CONFIG + TWIN})

    assert refused(suite, "--new", "new.jsonl") == (
        "error: gepa-ci.yml: the config has 2 tasks, and one suite is renewed at a time\n"
        "hint: name one of echo, twin\n"
    )


def test_the_test_data_of_a_prompt_is_refused(suite: Workbench) -> None:
    suite.write(
        {
            "q.prompt.yml": "model: openai/mock\nmessages: [{role: user, content: '{{a}}'}]\n"
            "testData: [{a: b, expected: c}]\n"
            "evaluators: [{name: e, string: {contains: '{{expected}}'}}]\n"
        }
    )

    assert refused(suite, "q.prompt.yml", "--new", "new.jsonl") == (
        "error: q.prompt.yml: the suite is the prompt file's own testData, which has no parts to "
        "renew\nhint: move the examples to a file of their own, and name it as the task's `suite`\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "missing option '--new'"),
        (["--new", "none.jsonl"], "none.jsonl: there is no such file"),
        (["--new", "../new.jsonl"], "../new.jsonl: the path leads out of the repository"),
        (["--new", "/etc/hostname"], "the path leads out of the repository"),
        (["--new", "."], ".: this is not a file"),
        (["--new", "s.jsonl"], "s.jsonl: the file is part of the suite already"),
        (["--new", "./s.jsonl"], "s.jsonl: the file is part of the suite already"),
        (["--new", "p.md"], "p.md: '.md' is not an ending of a suite file"),
        (["--new", "new.jsonl", "--keep", "8"], "8 held-out examples cannot be kept"),
        (["--new", "new.jsonl", "--keep", "-1"], "'--keep'"),
        (["--new", "new.jsonl", "--retire-to", "held_out"], "'held_out' is not a value of"),
        (["nobody", "--new", "new.jsonl"], "there is no task 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_refused(
    arguments: list[str], message: str, suite: Workbench
) -> None:
    assert message in refused(suite, *arguments)


def test_a_suite_behind_a_link_is_refused(suite: Workbench) -> None:
    (suite.root / "s.jsonl").rename(suite.root / "real.jsonl")
    (suite.root / "s.jsonl").symlink_to("real.jsonl")

    assert refused(suite, "--new", "new.jsonl") == (
        "error: s.jsonl: a symbolic link is not written through\nhint: name the real file\n"
    )


def test_paths_are_those_of_the_working_directory(
    suite: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (suite.root / "sub").mkdir()
    (suite.root / "new.jsonl").rename(suite.root / "sub/new.jsonl")
    monkeypatch.chdir(suite.root / "sub")

    outcome = refresh(suite, "--config", "../gepa-ci.yml", "--new", "new.jsonl")

    assert "from sub/new.jsonl\n" in outcome.out
    assert "commit it: git add ../s.jsonl && git commit\n" in outcome.out


def test_the_command_that_comes_next_works(suite: Workbench, repository: object) -> None:
    del repository
    suite.git("init", "--quiet")
    suite.commit("Start")
    command = refresh(suite, "--new", "new.jsonl").out.rpartition("commit it: ")[2].strip()

    subprocess.run(f"{command} --quiet --message Renew", shell=True, check=True, cwd=suite.root)

    assert suite.git("show", "--stat", "--format=%s").splitlines()[0] == "Renew"


def test_the_group_shows_its_commands(suite: Workbench) -> None:
    done = child("suite", "--help", cwd=suite.root)

    assert done.returncode == 0
    assert "refresh  Give a suite new held-out examples" in done.stdout
    assert suite.run("suite").code == 2
