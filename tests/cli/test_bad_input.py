from __future__ import annotations

import json
import re
import sys

import pytest
from bad_configs import BAD_CONFIGS, BadConfig
from bad_files import BAD_METRICS, BAD_PROMPTS, BadMetric, BadPrompt, config_with
from bad_suites import BAD_SUITES, BadSuite
from workbench import Outcome, Workbench, child, rows, task_files

HEAVY = ("dspy", "litellm", "numpy", "scipy", "git", "rich", "gepa", "xllamacpp")


def assert_refused(outcome: Outcome) -> None:
    """Check that all of a refusal's parts are there, and nothing else."""
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    lines = outcome.err.splitlines()
    assert lines
    assert all(line.startswith(("error: ", "hint: ")) for line in lines), outcome.err
    errors = [i for i, line in enumerate(lines) if line.startswith("error: ")]
    assert all(lines[i + 1 : i + 2] and lines[i + 1].startswith("hint: ") for i in errors), (
        outcome.err
    )
    assert not any(lines[i].endswith(".") for i in errors)


def both_formats(bench: Workbench, *command: str) -> Outcome:
    """Run a command in both formats; they must say the same."""
    text, machine = bench.run(*command), bench.run(*command, "--format", "json")
    assert_refused(text)
    assert text.out == ""
    assert machine.err == text.err
    assert machine.code == 2
    problems = machine.document["error"]["problems"]
    assert machine.document["error"]["exit_code"] == 2
    said = []
    for problem in problems:
        where = "".join(f"{p}:" for p in (problem["path"], problem["line"]) if p is not None)
        said += [f"error: {where} {problem['message']}".replace("error:  ", "error: ")]
        said += [f"hint: {problem['hint']}"]
    assert len("\n".join(said)) == len(text.err.rstrip("\n"))
    return text


@pytest.mark.parametrize("bad", BAD_CONFIGS.values(), ids=BAD_CONFIGS)
def test_a_bad_config_is_refused(bench: Workbench, bad: BadConfig) -> None:
    bench.write({"gepa-ci.yml": bad.source, "p.md": "{{ text }}", "s.jsonl": rows(9)})

    outcome = both_formats(bench, "check")

    where = "gepa-ci.yml:" if bad.line is None else f"gepa-ci.yml:{bad.line}:"
    assert where in outcome.err
    assert bad.message in outcome.err


@pytest.mark.parametrize("bad", BAD_SUITES.values(), ids=BAD_SUITES)
def test_a_bad_suite_is_refused(bench: Workbench, bad: BadSuite) -> None:
    suite = json.dumps({k: v for k, v in _suite_entry(bad).items() if v is not None})
    bench.write(
        {
            "gepa-ci.yml": "version: 1\nmodels: {task: openai/mock}\ntasks:\n  t:\n"
            f"    prompts: [p.md]\n    suite: {suite}\n"
            "    metric: {name: contains, texts: [a]}\n",
            "p.md": "{{ input }}",
            **bad.files,
        }
    )

    assert_refused(bench.run("check"))


def _suite_entry(bad: BadSuite) -> dict[str, str | None]:
    spec = bad.spec
    return {"file": spec.file, "train": spec.train, "held_out": spec.held_out}


@pytest.mark.parametrize("bad", BAD_PROMPTS.values(), ids=BAD_PROMPTS)
def test_a_bad_prompt_is_refused(bench: Workbench, bad: BadPrompt) -> None:
    name = bad.path.split("/", maxsplit=1)[0]
    bench.write({"gepa-ci.yml": config_with(name, "exact_match"), "s.jsonl": rows(9)})
    bench.write({bad.path: bad.source})

    outcome = both_formats(bench, "check")

    assert bad.said in outcome.err
    if bad.line is not None:
        assert re.search(rf"error: \S+:{bad.line}: ", outcome.err)


@pytest.mark.parametrize("bad", BAD_METRICS.values(), ids=BAD_METRICS)
def test_a_bad_metric_is_refused(bench: Workbench, bad: BadMetric) -> None:
    bench.write({"gepa-ci.yml": config_with("p.md", bad.entry), "s.jsonl": rows(9)})
    bench.write({"p.md": "{{ text }}", "metric.py": bad.code.encode("utf-8", "surrogateescape")})

    outcome = both_formats(bench, "check")

    assert bad.said in outcome.err
    assert re.search(r"error: \S+:", outcome.err)


@pytest.mark.parametrize("command", ["evaluate", "optimize", "plan", "render"])
@pytest.mark.parametrize("name", ["unknown ending", "yml broken", "asks for an input"])
def test_every_command_refuses_a_bad_prompt_before_it_calls_a_model(
    bench: Workbench, command: str, name: str
) -> None:
    bad = BAD_PROMPTS[name]
    bench.write({"gepa-ci.yml": config_with(bad.path, "exact_match"), "s.jsonl": rows(9)})
    bench.write({bad.path: bad.source})
    arguments = [command, "t"] if command == "render" else [command]

    both_formats(bench, *arguments)


@pytest.mark.parametrize("command", ["evaluate", "optimize", "check"])
def test_a_refusal_imports_no_library_that_could_call_a_model(
    bench: Workbench, command: str
) -> None:
    bench.write(task_files() | {"p.md": "{{ other }}"})
    code = (
        "import sys; from gepa_ci.cli import run; code = run(sys.argv[1:]); "
        f"print(code, [name for name in {HEAVY} if name in sys.modules])"
    )

    done = _python(bench, code, command)

    assert done == "2 []\n"


def test_check_of_a_text_prompt_imports_no_heavy_library(bench: Workbench) -> None:
    bench.write(task_files(count=40))
    names = (*HEAVY, "jinja2", "pydantic")
    code = (
        "import sys; from gepa_ci.cli import run; run(['check']); "
        f"print([name for name in {names} if name in sys.modules])"
    )

    assert _python(bench, code).splitlines()[-1] == "[]"


def _python(bench: Workbench, code: str, *arguments: str) -> str:
    import subprocess

    from workbench import child_environment

    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=bench.root,
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_one_cause_on_a_thousand_examples_is_said_once(bench: Workbench) -> None:
    bench.write(task_files(count=1000) | {"p.md": "{{ other }} {{ text }}"})

    outcome = bench.run("check")

    assert outcome.err == (
        "error: s.jsonl:1: the prompt asks for 'other', which the example's inputs do not have; "
        "the same on lines 2, 3, 4, 5 and 995 more\n"
        "hint: inputs of this example: text\n"
    )


def test_a_thousand_missing_labels_do_not_flood_the_log(bench: Workbench) -> None:
    text = "".join(json.dumps({"inputs": {"text": f"w{i}"}}) + "\n" for i in range(1000))
    bench.write(task_files() | {"s.jsonl": text})

    outcome = bench.run("check")

    assert outcome.code == 2
    assert outcome.err.count("error: ") == 51
    assert "error: s.jsonl: and 950 more problems\n" in outcome.err


def test_all_problems_of_all_tasks_are_said_at_once(bench: Workbench) -> None:
    bench.write(
        {
            "gepa-ci.yml": "version: 1\nmodels: {task: openai/mock}\ntasks:\n"
            "  one: {prompts: [one.md], suite: s.jsonl, metric: 'm.py:score'}\n"
            "  two: {prompts: [two.md], suite: t.jsonl, metric: exact_match}\n",
            "one.md": b"\xff",
            "two.md": "{{ text }}",
            "s.jsonl": "{\n",
        }
    )

    outcome = bench.run("check")

    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert [error.split(" ")[1] for error in errors] == [
        "one.md:1:",
        "s.jsonl:1:",
        "m.py:",
        "t.jsonl:",
    ]


def test_a_missing_file_names_its_neighbour(bench: Workbench) -> None:
    bench.write(task_files())
    (bench.root / "p.md").rename(bench.root / "pp.md")

    assert bench.run("check").err == (
        "error: p.md: there is no such file\n"
        "hint: did you mean 'pp.md'? paths are relative to the config's folder\n"
    )


def test_a_control_character_of_a_file_does_not_reach_the_terminal(bench: Workbench) -> None:
    bench.write(task_files() | {"gepa-ci.yml": b"version: 1\ntasks: {'a\x1b[2Jb': 3}\n"})

    outcome = bench.run("check")

    assert outcome.code == 2
    assert "\x1b" not in outcome.err


def test_a_subprocess_says_the_same(bench: Workbench) -> None:
    bench.write(task_files() | {"p.md": "{{ other }}"})

    done = child("check", cwd=bench.root)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == bench.run("check").err
