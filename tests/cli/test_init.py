"""`gepa-ci init`: what it writes, what it leaves alone, and that all of it is checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from gepa_ci.cli.starter import WORKFLOWS, default_branch, shipped, workflow

if TYPE_CHECKING:
    from pathlib import Path

    from workbench import Workbench

_PATHS = [f".github/workflows/{name}" for name in WORKFLOWS]
_TESTED = """\
model: local
messages:
  - {role: user, content: "Say {{input}}."}
testData:
  - {input: one, expected: one}
  - {input: two, expected: two}
  - {input: three, expected: three}
evaluators:
  - {name: same, string: {contains: "{{expected}}"}}
"""


def _tasks(bench: Workbench) -> dict[str, dict[str, object]]:
    document = yaml.safe_load((bench.root / "gepa-ci.yml").read_text(encoding="utf-8"))
    found: dict[str, dict[str, object]] = document["tasks"]
    return found


def test_an_empty_repository_gets_an_example_and_the_workflows(repo: Workbench) -> None:
    done = repo.run("init")

    assert (done.code, done.err) == (0, "")
    written = ["gepa-ci.yml", "prompts/triage.md", "prompts/triage.csv", *_PATHS]
    assert done.out.splitlines()[: len(written) + 1] == [
        *(f"wrote {path}" for path in written),
        "ok: triage: prompts/triage.md",
    ]
    assert "Put your own examples into prompts/triage.csv" in done.out
    assert repo.git("status", "--short", "--untracked-files=all").count("??") == len(written)


def test_what_it_writes_passes_check_and_can_be_planned(repo: Workbench) -> None:
    repo.run("init")

    checked = repo.run("check", "--format", "json")
    planned = repo.run("plan")

    assert (checked.code, planned.code) == (0, 0)
    (task,) = checked.document["tasks"]
    assert task["warnings"] == []
    assert task["examples"]["held_out"] >= 20


def test_the_example_has_no_answer_twice_for_one_text() -> None:
    rows = shipped("triage.csv").decode().splitlines()[1:]

    assert len({row.rpartition(",")[0] for row in rows}) == len(rows)
    assert {row.rpartition(",")[2] for row in rows} == {"billing", "bug", "howto"}


def test_a_second_time_it_keeps_everything(repo: Workbench) -> None:
    repo.run("init")
    repo.write({"gepa-ci.yml": shipped("gepa-ci.yml") + b"# mine\n", _PATHS[0]: "name: mine\n"})

    done = repo.run("init")

    assert done.code == 0
    kept = ["gepa-ci.yml", *_PATHS]
    assert done.out.splitlines()[: len(kept)] == [
        f"kept {path}: it was there; --force overwrites it" for path in kept
    ]
    assert (repo.root / "gepa-ci.yml").read_bytes().endswith(b"# mine\n")
    assert (repo.root / _PATHS[0]).read_bytes() == b"name: mine\n"


def test_force_overwrites_config_and_workflows_but_no_prompt(repo: Workbench) -> None:
    repo.run("init")
    repo.write({"gepa-ci.yml": "mine", _PATHS[0]: "mine", "prompts/triage.md": "Say which team."})

    done = repo.run("init", "--force")

    assert done.code == 0
    assert (repo.root / _PATHS[0]).read_bytes() == workflow(WORKFLOWS[0])
    assert (repo.root / "prompts/triage.md").read_bytes() == b"Say which team."
    assert _tasks(repo)["triage"] == {
        "prompts": ["prompts/triage.md"],
        "suite": "prompts/triage.csv",
        "metric": "exact_match",
        "model": "openai/gpt-5-mini",
    }


def test_prompt_files_that_are_there_get_a_task_each(repo: Workbench) -> None:
    repo.write(
        {
            "app/greet.prompt.yml": _TESTED,
            ".github/prompts/greet.prompt.yml": _TESTED,
            "prompts/Order mail.md": "---\nrole: system\n---\nRead {{ mail }} as {{ input }}.\n",
            "prompts/README.md": "# Prompts\n",
            ".github/prompts/agent.prompt.md": "Not ours\n",
            "node_modules/x/prompts/a.md": "Not ours\n",
            "docs/page.md": "Not a prompt\n",
        }
    )

    done = repo.run("init")

    assert done.code == 0, done.err
    assert _tasks(repo) == {
        "greet": {"prompts": [".github/prompts/greet.prompt.yml"]},
        "greet-2": {"prompts": ["app/greet.prompt.yml"]},
        "order-mail": {
            "prompts": ["prompts/Order mail.md"],
            "suite": "prompts/Order mail.jsonl",
            "metric": "exact_match",
            "model": "openai/gpt-5-mini",
        },
    }
    first = (repo.root / "prompts/Order mail.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert json.loads(first) == {
        "inputs": {"input": "input 1", "mail": "mail 1", "question": "question 1"},
        "expected": "answer 1",
    }
    assert "Put your own examples into prompts/Order mail.jsonl" in done.out
    assert not (repo.root / "prompts/triage.md").exists()
    assert repo.run("check").code == 0


def test_the_models_that_prompt_files_name_are_not_replaced(repo: Workbench) -> None:
    repo.write({"greet.prompt.yml": _TESTED})

    repo.run("init")

    document = yaml.safe_load((repo.root / "gepa-ci.yml").read_text(encoding="utf-8"))
    assert document["models"] == {"reflection": "openai/gpt-5"}


def test_a_suite_beside_the_prompt_is_used_and_not_written(repo: Workbench) -> None:
    rows = "".join(f'{{"inputs": {{"text": "w{i}"}}, "expected": "x"}}\n' for i in range(9))
    repo.write(
        {"prompts/a.md": "Say {{ text }}.", "prompts/a.jsonl": rows.replace("text", "input")}
    )
    repo.write({"prompts/a.md": "Say a word."})

    done = repo.run("init")

    assert done.code == 0, done.err
    assert _tasks(repo)["a"]["suite"] == "prompts/a.jsonl"
    assert "wrote prompts/a.jsonl" not in done.out
    assert "Put your own examples" not in done.out


def test_named_prompts_are_the_only_ones(repo: Workbench) -> None:
    repo.write({"one.prompt.yml": _TESTED, "two.prompt.yml": _TESTED, "deep/three.md": "Say it.\n"})

    done = repo.run("init", "--prompt", "two.prompt.yml", "--prompt", "deep/three.md")

    assert done.code == 0, done.err
    assert list(_tasks(repo)) == ["two", "three"]


def test_a_prompt_that_is_found_but_broken_is_left_out_with_its_reason(repo: Workbench) -> None:
    repo.write(
        {
            "bad.prompt.yml": "messages: 3\n",
            "empty.prompt.yml": "messages: [{role: user, content: Say a word.}]\n",
            "good.prompt.yml": _TESTED,
        }
    )

    done = repo.run("init")

    assert done.code == 0
    assert list(_tasks(repo)) == ["good"]
    assert "bad.prompt.yml got no task: bad.prompt.yml:1: " in done.out
    assert "the prompt has no placeholder, so every example would be the same." in done.out


def test_a_named_prompt_that_is_broken_is_an_error_and_nothing_is_written(repo: Workbench) -> None:
    repo.write({"bad.prompt.yml": "messages: 3\n"})

    done = repo.run("init", "--prompt", "bad.prompt.yml")

    assert done.code == 2
    assert done.err.startswith("error: bad.prompt.yml:1: ")
    assert not (repo.root / "gepa-ci.yml").exists()
    assert not (repo.root / ".github").exists()


def test_a_config_that_is_there_and_wrong_is_an_error(repo: Workbench) -> None:
    repo.write({"gepa-ci.yml": "version: 2\n"})

    done = repo.run("init")

    assert done.code == 2
    assert done.err.startswith("error: gepa-ci.yml:1: ")
    assert not (repo.root / ".github").exists()


def test_a_prompt_outside_of_the_repository_is_refused(repo: Workbench) -> None:
    done = repo.run("init", "--prompt", "../other.md")

    assert done.code == 2
    assert done.err.startswith("error: the prompt '../other.md' is not in the repository\n")


def test_it_writes_at_the_root_of_the_repository(
    repo: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.write({"app/say.prompt.yml": _TESTED})
    monkeypatch.chdir(repo.root / "app")

    done = repo.run("init", "--prompt", "say.prompt.yml")

    assert done.code == 0, done.err
    assert _tasks(repo) == {"say": {"prompts": ["app/say.prompt.yml"]}}
    assert (repo.root / _PATHS[0]).is_file()


def test_a_folder_without_git_is_its_own_root(bench: Workbench) -> None:
    assert bench.run("init").code == 0
    assert (bench.root / "gepa-ci.yml").is_file()


def test_nothing_is_written_through_a_link(repo: Workbench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (repo.root / ".github").symlink_to(outside)

    done = repo.run("init")

    assert done.code == 2
    assert "a symbolic link is not written through" in done.err
    assert list(outside.iterdir()) == []
    assert not (repo.root / "gepa-ci.yml").exists()


def test_a_dangling_link_in_place_of_the_config_is_kept(repo: Workbench) -> None:
    (repo.root / "gepa-ci.yml").symlink_to("nowhere.yml")

    done = repo.run("init")

    assert done.code == 0, done.err
    assert (repo.root / "gepa-ci.yml").is_symlink()
    assert not (repo.root / "nowhere.yml").exists()


def test_a_folder_that_cannot_be_made_is_an_error(repo: Workbench) -> None:
    repo.write({"prompts": "a file"})

    done = repo.run("init")

    assert done.code == 2
    assert "cannot write the file: " in done.err


def test_the_default_branch_of_the_remote_is_the_one_that_is_recorded(repo: Workbench) -> None:
    repo.write({".git/refs/remotes/origin/HEAD": "ref: refs/remotes/origin/develop\n"})

    repo.run("init")

    text = (repo.root / ".github/workflows/gepa-ci-nightly.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)[True]["push"] == {"branches": ["develop"]}


@pytest.mark.parametrize(
    "said", ["", "ref: refs/heads/main", "\xff", "ref: refs/remotes/origin/a b"]
)
def test_a_default_branch_that_is_not_known_is_not_guessed(repo: Workbench, said: str) -> None:
    repo.write({".git/refs/remotes/origin/HEAD": said.encode("latin-1")})

    assert default_branch(repo.root) is None
    assert b"branches: [main, master]" in workflow("gepa-ci-nightly.yml")


def test_json_says_what_was_done(repo: Workbench) -> None:
    repo.write({_PATHS[0]: "name: mine\n", "bad.prompt.yml": "messages: 3\n"})

    done = repo.run("init", "--format", "json")

    assert done.code == 0
    assert done.document == {
        "written": ["gepa-ci.yml", "prompts/triage.md", "prompts/triage.csv", *_PATHS[1:]],
        "kept": [_PATHS[0]],
        "tasks": ["triage"],
        "to_fill": ["prompts/triage.csv"],
        "left_out": done.document["left_out"],
    }
    assert len(done.document["left_out"]) == 1
