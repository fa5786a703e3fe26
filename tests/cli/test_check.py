from __future__ import annotations

from typing import TYPE_CHECKING

from workbench import task_files

if TYPE_CHECKING:
    import pytest
    from workbench import Workbench

BARE = """\
messages:
  - role: user
    content: 'Say {{word}}'
testData:
  - {word: one, expected: one}
  - {word: two, expected: two}
  - {word: three, expected: three}
evaluators:
  - name: same
    string: {equals: '{{expected}}'}
model: openai/gpt-5-mini
"""


def test_a_good_task_is_one_line(bench: Workbench) -> None:
    bench.write(task_files())

    outcome = bench.run("check")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "ok: echo: p.md, 6 train, 2 val, 4 held-out\n"


def test_warnings_go_to_stderr_and_name_the_task(bench: Workbench) -> None:
    bench.write(task_files(count=2))
    row = '{"id": "d%s", "inputs": {"text": "same", "unused": 1}, "expected": "same"}\n'
    bench.write({"s.jsonl": row % 1 + row % 2})

    outcome = bench.run("check")

    assert outcome.code == 0
    assert outcome.out == "ok: echo: p.md, 0 train, 0 val, 2 held-out\n"
    assert outcome.err == (
        "warning: echo: In held_out, 1 example repeats the inputs of another: "
        "s.jsonl:2 and line 1.\n"
        "warning: echo: The part train has no examples, so nothing can be optimized.\n"
        "warning: echo: The part val has no examples, so nothing can be optimized.\n"
        "warning: echo: p.md does not use these inputs: 'unused'.\n"
    )


def test_json_is_one_document_and_says_the_same(bench: Workbench) -> None:
    bench.write(task_files())

    assert bench.run("check", "--format", "json").document == {
        "tasks": [
            {
                "name": "echo",
                "prompts": ["p.md"],
                "components": ["demos", "user"],
                "variables": ["text"],
                "examples": {"train": 6, "val": 2, "held_out": 4},
                "warnings": [],
            }
        ]
    }


def test_a_prompt_file_that_brings_its_exam_needs_no_config(bench: Workbench) -> None:
    bench.write({"prompts/word.prompt.yml": BARE})

    outcome = bench.run("check", "prompts/word.prompt.yml")

    assert outcome.code == 0
    assert outcome.out.startswith("ok: word: prompts/word.prompt.yml, ")


def test_an_absolute_path_of_a_prompt_file_works(bench: Workbench) -> None:
    bench.write({"word.prompt.yml": BARE})

    assert bench.run("check", str(bench.root / "word.prompt.yml")).code == 0


def test_a_prompt_file_that_is_not_there_is_named(bench: Workbench) -> None:
    bench.write({"word.prompt.yml": BARE})

    outcome = bench.run("check", "wrod.prompt.yml")

    assert outcome.code == 2
    assert outcome.err == (
        "error: wrod.prompt.yml: there is no such file\n"
        "hint: did you mean 'word.prompt.yml'? paths are relative to the config's folder\n"
    )


def test_an_unknown_task_gets_the_nearest_name(bench: Workbench) -> None:
    bench.write(task_files())

    outcome = bench.run("check", "ecco")

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "error: gepa-ci.yml: there is no task 'ecco'\n"
        "hint: did you mean 'echo'? known tasks: echo\n"
    )


def test_a_config_in_a_folder_is_the_root_of_its_paths(bench: Workbench) -> None:
    bench.write({f"ai/{name}": text for name, text in task_files().items()})

    outcome = bench.run("check", "--config", "ai/gepa-ci.yml")

    assert outcome.out == "ok: echo: p.md, 6 train, 2 val, 4 held-out\n"


def test_a_missing_config_says_what_to_do(bench: Workbench) -> None:
    outcome = bench.run("check")

    assert outcome.code == 2
    assert outcome.err == (
        "error: there is no config file 'gepa-ci.yml'\n"
        "hint: write one, name it with --config, or name a .prompt.yml file in place of a task\n"
    )


def test_a_prompt_without_a_model_is_refused(bench: Workbench) -> None:
    files = task_files()
    config = files["gepa-ci.yml"].replace("models:\n", "").split("\n")
    bench.write(files | {"gepa-ci.yml": "\n".join(x for x in config if "mock" not in x)})

    outcome = bench.run("check")

    assert outcome.err == (
        "error: p.md: no model is named for this prompt\n"
        "hint: add `model:` to the file, or `models: {task: ...}` to the config\n"
    )


def test_a_path_out_of_the_root_is_refused(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write(task_files())
    (bench.root.parent / "outside.md").write_text("{{ text }}", encoding="utf-8")
    (bench.root / "p.md").unlink()
    (bench.root / "p.md").symlink_to("../outside.md")

    outcome = bench.run("check")

    assert outcome.code == 2
    assert "error: p.md: the path leads out of the repository\n" in outcome.err


def test_a_bare_prompt_outside_the_folder_is_refused(bench: Workbench) -> None:
    outcome = bench.run("check", "../word.prompt.yml")

    assert outcome.code == 2
    assert outcome.err.startswith("error: '../word.prompt.yml' is not a path of a prompt file\n")


def test_a_folder_in_place_of_a_file_is_refused(bench: Workbench) -> None:
    bench.write({"word.prompt.yml/x": ""})

    assert bench.run("check", "word.prompt.yml").err == (
        "error: word.prompt.yml: this is not a file\nhint: name a file\n"
    )


def test_a_suite_that_is_too_large_is_not_read(bench: Workbench) -> None:
    bench.write(task_files())
    with (bench.root / "s.jsonl").open("wb") as file:
        file.truncate(2**27)

    assert bench.run("check").err == (
        "error: s.jsonl: the file has 134217728 bytes; 64 MiB is the most\nhint: make it smaller\n"
    )
