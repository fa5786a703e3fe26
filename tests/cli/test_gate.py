from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from provider import FakeProvider, Request
from workbench import answer, rows, task_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench import Outcome, Workbench

GOOD, WORSE = "Say the word: {{ text }}\n", "Say something BAD: {{ text }}\n"


def honest(request: Request) -> str:
    """Answer wrongly when the prompt is bad, and now and then when it is odd."""
    text = str(request.messages[0]["content"])
    if "BAD" in text:
        return "wrong"
    if "ODD" in text and answer(request)[-1] in "37":
        return "wrong"
    return answer(request)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Return a model that says what the prompt deserves."""
    with FakeProvider(answer=honest) as found:
        yield found


@pytest.fixture
def gated(repo: Workbench, provider: FakeProvider) -> Workbench:
    """Return a repository with a commit on `main` that has a good prompt."""
    repo.write(task_files(provider.url, count=60))
    repo.commit("Begin")
    return repo


def task(outcome: Outcome) -> Any:
    """Return the one task of a result."""
    (found,) = outcome.document["tasks"]
    return found


def gate(bench: Workbench, *arguments: str, base: str = "main") -> Outcome:
    """Run the gate and return its JSON."""
    return bench.run("gate", "--base", base, "--format", "json", *arguments)


def test_a_regression_in_the_working_tree_blocks(gated: Workbench) -> None:
    gated.write({"p.md": WORSE})

    outcome = gate(gated)

    assert outcome.code == 1
    assert task(outcome)["verdict"] == "regression"


def test_an_equal_prompt_passes(gated: Workbench) -> None:
    config = (gated.root / "gepa-ci.yml").read_text(encoding="utf-8")
    gated.write({"gepa-ci.yml": config + "    gate: {margin: 0.3}\n", "s.jsonl": rows(100)})
    gated.write({"p.md": "Say just the word: {{ text }}\n"})

    outcome = gate(gated)

    assert outcome.code == 0
    assert task(outcome)["verdict"] == "pass"


def test_changed_files_are_named_by_their_paths_in_the_repository(gated: Workbench) -> None:
    files = ("gepa-ci.yml", "p.md", "s.jsonl")
    gated.write({f"llm/{name}": (gated.root / name).read_bytes() for name in files})
    gated.commit()
    gated.write({"llm/p.md": WORSE})

    outcome = gate(gated, "--config", "llm/gepa-ci.yml")

    assert [change["path"] for change in task(outcome)["changes"]] == ["llm/p.md"]


def test_a_head_is_read_from_its_commit_and_nothing_is_checked_out(gated: Workbench) -> None:
    gated.git("checkout", "--quiet", "-b", "change")
    gated.write({"p.md": WORSE})
    gated.commit()
    gated.git("checkout", "--quiet", "main")
    gated.write({"p.md": "not looked at"})

    outcome = gate(gated, "--head", "change")

    assert outcome.code == 1
    assert (gated.root / "p.md").read_text(encoding="utf-8") == "not looked at"
    assert gated.git("rev-parse", "--abbrev-ref", "HEAD") == "main"


def test_an_unchanged_prompt_costs_no_call(gated: Workbench, provider: FakeProvider) -> None:
    outcome = gate(gated)

    assert outcome.code == 0
    assert task(outcome)["verdict"] is None
    assert "the same on base and head" in task(outcome)["reasons"][0]
    assert task(outcome)["cause"] == "unchanged"
    assert provider.calls == 0


def test_a_new_prompt_is_scored_without_a_verdict(gated: Workbench) -> None:
    config = (gated.root / "gepa-ci.yml").read_text(encoding="utf-8")
    new = config[config.index("  echo:") :].replace("echo", "new").replace("p.md", "new.md")
    gated.write({"gepa-ci.yml": config + new, "new.md": GOOD})

    outcome = gate(gated, "new")

    assert outcome.code == 0
    assert task(outcome)["verdict"] is None
    assert task(outcome)["reasons"][0].startswith("The prompt is new")


@pytest.mark.parametrize(("policy", "code"), [("warn", 0), ("fail", 1)])
def test_an_inconclusive_result_blocks_only_when_it_shall(
    gated: Workbench, policy: str, code: int
) -> None:
    config = (gated.root / "gepa-ci.yml").read_text(encoding="utf-8")
    more = f"    gate: {{on_inconclusive: {policy}, margin: 0.01, trials: 1}}\n"
    gated.write({"gepa-ci.yml": config + more, "s.jsonl": rows(20)})
    gated.commit()
    gated.write({"p.md": "ODD: {{ text }}\n"})

    outcome = gate(gated)

    assert task(outcome)["verdict"] == "inconclusive"
    assert outcome.code == code


def test_a_config_in_a_folder_is_found_in_the_commit(
    repo: Workbench, provider: FakeProvider
) -> None:
    files = task_files(provider.url, count=60)
    repo.write({f"ai/{name}": text for name, text in files.items()})
    repo.commit()
    repo.write({"ai/p.md": WORSE})

    outcome = gate(repo, "--config", "ai/gepa-ci.yml")

    assert outcome.code == 1


def test_a_prompt_file_that_brings_its_exam_is_gated_without_a_config(
    repo: Workbench, provider: FakeProvider
) -> None:
    prompt = (
        "messages:\n  - role: user\n    content: 'Say the word: {{text}}'\ntestData:\n"
        + "".join(f"  - {{text: word{i}, expected: word{i}}}\n" for i in range(40))
        + "evaluators:\n  - name: same\n    string: {equals: '{{expected}}'}\nmodel: openai/mock\n"
    )
    repo.write({"w.prompt.yml": prompt})
    repo.commit()

    outcome = repo.run("gate", "w.prompt.yml", "--base", "main", "--format", "json")

    assert outcome.code == 0
    assert task(outcome)["name"] == "w"


# Whose exam is taken


def test_with_trust_base_a_change_cannot_make_its_own_exam_easier(gated: Workbench) -> None:
    config = (gated.root / "gepa-ci.yml").read_text(encoding="utf-8")
    easier = config.replace("metric: exact_match", "metric: {name: contains, texts: [wrong]}")
    gated.write({"p.md": WORSE, "gepa-ci.yml": easier, "s.jsonl": rows(59)})

    outcome = gate(gated, "--trust", "base")

    assert outcome.code == 1
    assert task(outcome)["comparison"]["n"] == len(task(outcome)["examples"])
    assert task(outcome)["notes"][-1] == (
        "The exam differs between base and head (gepa-ci.yml, s.jsonl); the base's was taken."
    )


def test_with_trust_base_the_metric_code_is_the_bases(gated: Workbench) -> None:
    config = (gated.root / "gepa-ci.yml").read_text(encoding="utf-8")
    code = "def score(example, output):\n    return float(output == example.expected)\n"
    own = config.replace("metric: exact_match", "metric: metric.py:score")
    gated.write({"gepa-ci.yml": own, "metric.py": code})
    gated.commit()
    gated.write({"p.md": WORSE, "metric.py": "raise SystemExit('the head was run')\n"})

    outcome = gate(gated, "--trust", "base")

    assert outcome.code == 1
    assert "(metric.py)" in task(outcome)["notes"][-1]


def test_with_trust_head_a_changed_exam_is_noted_and_the_heads_is_taken(gated: Workbench) -> None:
    gated.write({"p.md": WORSE, "s.jsonl": rows(50)})

    outcome = gate(gated)

    assert task(outcome)["notes"][-1] == (
        "The exam differs between base and head (s.jsonl); the head's was taken."
    )


def test_an_equal_exam_is_not_noted(gated: Workbench) -> None:
    gated.write({"p.md": WORSE})

    assert not [note for note in task(gate(gated))["notes"] if "exam" in note]


def test_with_trust_base_a_new_task_is_listed_and_not_run(
    gated: Workbench, provider: FakeProvider
) -> None:
    config = (gated.root / "gepa-ci.yml").read_text(encoding="utf-8")
    new = config[config.index("  echo:") :].replace("echo", "new").replace("p.md", "new.md")
    gated.write({"gepa-ci.yml": config + new, "new.md": GOOD})

    outcome = gate(gated, "--trust", "base")

    assert outcome.code == 0
    assert [t["name"] for t in outcome.document["tasks"]] == ["echo", "new"]
    assert outcome.document["tasks"][1]["reasons"] == [
        "The task is new; its exam counts once the base has it."
    ]
    assert provider.calls == 0


# Renamed and deleted


@pytest.mark.parametrize("trust", ["head", "base"])
def test_a_renamed_prompt_is_compared_with_its_old_file(gated: Workbench, trust: str) -> None:
    config = (gated.root / "gepa-ci.yml").read_text(encoding="utf-8")
    (gated.root / "p.md").unlink()
    gated.write({"gepa-ci.yml": config.replace("p.md", "q.md"), "q.md": WORSE})

    outcome = gate(gated, "--trust", trust)

    assert outcome.code == 1
    assert task(outcome)["notes"][-1] == "The prompt file was p.md on the base."


def test_with_trust_base_a_task_cannot_hide_by_pointing_elsewhere(gated: Workbench) -> None:
    config = (gated.root / "gepa-ci.yml").read_text(encoding="utf-8")
    gated.write({"gepa-ci.yml": config.replace("p.md", "q.md"), "q.md": WORSE})

    assert gate(gated, "--trust", "base").code == 1


@pytest.mark.parametrize("trust", ["head", "base"])
def test_a_deleted_prompt_that_the_config_still_names_is_refused(
    gated: Workbench, trust: str
) -> None:
    (gated.root / "p.md").unlink()

    outcome = gated.run("gate", "--base", "main", "--trust", trust)

    assert outcome.code == 2
    assert outcome.err == (
        "error: p.md: the head has no prompt file for task 'echo'\n"
        "hint: restore the file, or correct or remove its task in the config\n"
    )


def test_with_trust_base_a_removed_task_is_listed_and_does_not_block(gated: Workbench) -> None:
    config = (gated.root / "gepa-ci.yml").read_text(encoding="utf-8")
    (gated.root / "p.md").unlink()
    gated.write({"gepa-ci.yml": config.replace("echo", "other").replace("p.md", "other.md")})

    outcome = gate(gated, "echo", "--trust", "base")

    assert outcome.code == 0
    assert task(outcome)["reasons"] == ["The head has no such task any more, so nothing was run."]


# Repositories that lack something


def test_a_shallow_clone_that_has_the_commit_is_enough(
    gated: Workbench, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    gated.write({"p.md": WORSE})
    gated.commit()
    clone = gated.root.parent / "clone"
    gated.git("clone", "--quiet", "--depth=2", f"file://{gated.root}", str(clone))
    monkeypatch.chdir(clone)

    assert gate(gated, base="HEAD~1").code == 1


def test_a_shallow_clone_without_the_commit_says_how_to_fetch_it(
    gated: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = gated.git("rev-parse", "HEAD")
    gated.commit("Second")
    clone = gated.root.parent / "clone"
    gated.git("clone", "--quiet", "--depth=1", f"file://{gated.root}", str(clone))
    monkeypatch.chdir(clone)

    outcome = gated.run("gate", "--base", old)

    assert outcome.code == 3
    assert outcome.err == (
        f"error: the repository has no commit '{old}'\n"
        f"hint: fetch it: git fetch --depth=1 origin {old}\n"
    )


def test_a_missing_ref_is_named(gated: Workbench) -> None:
    outcome = gated.run("gate", "--base", "mian")

    assert outcome.code == 3
    assert outcome.err.startswith("error: the repository has no commit 'mian'\nhint: ")


@pytest.mark.parametrize("ref", ["--upload-pack=x", "a..b", "", "main:p.md"])
def test_a_ref_that_git_should_not_be_given_is_refused(gated: Workbench, ref: str) -> None:
    outcome = gated.run("gate", f"--base={ref}")

    assert outcome.code in (2, 3)
    assert "is not a name of a commit" in outcome.err


def test_outside_a_repository_it_says_so(bench: Workbench) -> None:
    bench.write(task_files())

    outcome = bench.run("gate", "--base", "main")

    assert outcome.code == 3
    assert "is not in a git repository\nhint: run it inside a clone\n" in outcome.err


def test_with_trust_base_a_base_without_config_says_what_to_do(
    repo: Workbench, provider: FakeProvider
) -> None:
    repo.commit("Empty")
    repo.write(task_files(provider.url))

    outcome = repo.run("gate", "--base", "main", "--trust", "base")

    assert outcome.code == 2
    assert outcome.err == (
        "error: gepa-ci.yml: the base has no config file\n"
        "hint: with `--trust base` the config is the base's: commit it there first\n"
    )


def test_without_held_out_examples_the_gate_refuses(gated: Workbench) -> None:
    row = '{"inputs": {"text": "a"}, "expected": "a", "part": "train"}\n'
    gated.write({"s.jsonl": row, "p.md": WORSE})

    outcome = gated.run("gate", "--base", "main")

    assert outcome.code == 2
    assert outcome.err == (
        "error: gepa-ci.yml:5: task 'echo' has no held-out examples\n"
        "hint: give 'held_out' a share of `split:`, or mark examples `part: held_out`\n"
    )


def bare_prompt(count: int, operator: str = "equals") -> str:
    """Return a prompt file with its own examples and checks."""
    return (
        "messages:\n  - role: user\n    content: 'Say the word: {{text}}'\ntestData:\n"
        + "".join(f"  - {{text: word{i}, expected: word{i}}}\n" for i in range(count))
        + f"evaluators:\n  - name: same\n    string: {{{operator}: '{{{{expected}}}}'}}\n"
    )


def own_exam(bench: Workbench, provider: FakeProvider) -> None:
    """Commit a task whose prompt file brings its exam."""
    config = task_files(provider.url)["gepa-ci.yml"].split("tasks:")[0]
    bench.write(
        {
            "gepa-ci.yml": config + "tasks:\n  w:\n    prompts: [w.prompt.yml]\n",
            "w.prompt.yml": bare_prompt(60),
        }
    )
    bench.commit()


def test_with_trust_base_a_prompt_file_cannot_change_its_own_checks(
    repo: Workbench, provider: FakeProvider
) -> None:
    own_exam(repo, provider)
    changed = bare_prompt(50, "contains").replace("Say the word", "Say something BAD")
    repo.write({"w.prompt.yml": changed})

    outcome = gate(repo, "--trust", "base")

    assert outcome.code == 1
    assert task(outcome)["notes"][-1] == (
        "The exam differs between base and head (w.prompt.yml); the base's was taken."
    )


def test_a_prompt_file_with_the_same_checks_is_not_noted(
    repo: Workbench, provider: FakeProvider
) -> None:
    own_exam(repo, provider)
    repo.write({"w.prompt.yml": bare_prompt(60).replace("Say the word", "Say something BAD")})

    assert not [note for note in task(gate(repo))["notes"] if "exam" in note]


def test_a_broken_config_on_the_other_side_does_not_matter(gated: Workbench) -> None:
    gated.write({"gepa-ci.yml": "version: [", "p.md": WORSE})

    assert gate(gated, "--trust", "base").code == 1


def test_a_missing_suite_on_the_other_side_is_a_different_exam(gated: Workbench) -> None:
    (gated.root / "s.jsonl").unlink()
    gated.write({"p.md": WORSE})

    outcome = gate(gated, "--trust", "base")

    assert outcome.code == 1
    assert "(s.jsonl)" in task(outcome)["notes"][-1]


def test_all_problems_of_all_tasks_of_a_gate_are_said_at_once(gated: Workbench) -> None:
    config = (gated.root / "gepa-ci.yml").read_text(encoding="utf-8")
    new = config[config.index("  echo:") :].replace("echo", "new").replace("p.md", "new.rst")
    gated.write({"gepa-ci.yml": config + new, "new.rst": GOOD, "p.md": "{{ other }}"})

    outcome = gated.run("gate", "--base", "main")

    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert [error.split()[1] for error in errors] == ["s.jsonl:1:", "new.rst:"]


def test_a_gate_that_names_a_task_runs_only_that(gated: Workbench) -> None:
    config = (gated.root / "gepa-ci.yml").read_text(encoding="utf-8")
    new = config[config.index("  echo:") :].replace("echo", "new").replace("p.md", "new.md")
    gated.write({"gepa-ci.yml": config + new, "new.md": GOOD})

    assert task(gate(gated, "echo"))["name"] == "echo"
