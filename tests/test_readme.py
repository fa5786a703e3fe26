"""Runs what the README says: its files, commands, tables, links and error messages."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
import yaml
from config_reference import PATH as REFERENCE
from config_reference import SECTIONS, config_reference, part
from provider import FakeProvider

from gepa_ci.cli import main, run
from gepa_ci.cli.results import exit_code
from gepa_ci.cli.starter import workflow
from gepa_ci.config import config_schema, read_config
from gepa_ci.core.config import GatePolicy, OnInconclusive
from gepa_ci.core.result import RunResult, TaskResult
from gepa_ci.core.spend import Usage
from gepa_ci.core.verdict import Promotion, Verdict
from gepa_ci.errors import ExitCode, PromptError
from gepa_ci.formats import read_prompt, render
from gepa_ci.gate import MIN_UNITS, auto_margin, planned_mde
from gepa_ci.metrics import metric_descriptions, metric_options
from gepa_ci.suites.load import read_examples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provider import Request

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]+) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
BETTER = "Answer with one word, the team for this message: billing, bug or howto."
USUAL_SHARE = 0.4
"""Of the held-out part, when nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block, with the comment that stands before it."""

    mark: str
    kind: str
    text: str


BLOCKS = [
    Block(mark=found["mark"] or "", kind=found["kind"], text=found["text"])
    for found in BLOCK.finditer(README)
]
FILES = {
    block.mark.removeprefix("file: "): block.text
    for block in BLOCKS
    if block.mark.startswith("file: ")
}


def marked(mark: str) -> Block:
    (block,) = [block for block in BLOCKS if block.mark == mark]
    return block


def table(first: str, text: str = README) -> list[list[str]]:
    """Return the rows of the table that begins with these header cells."""
    start = text.index(f"\n| {first} |") + 1
    lines = text[start:].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def code(cell: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


# What a model would answer.


def answers(request: Request) -> str:
    if "<current_text>" in request.text:
        return f"Diagnosis: no label is named.\n\n```text\n{BETTER}\n```\n"
    *_, question = [str(message["content"]) for message in request.messages]
    labels = {
        row["text"]: row["expected"]
        for row in csv.DictReader(FILES["prompts/triage.csv"].splitlines())
    }
    if BETTER in request.text:
        return labels[question]
    return "Thank you for writing: the support team is glad, or sorry, on Sunday."


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    with FakeProvider(answer=answers) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-readme")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        yield server


@pytest.fixture
def project(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository with the files that the README shows."""
    for name, text in FILES.items():
        write(repository / name, text)
    monkeypatch.chdir(repository)
    return repository


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def shell(command: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-e", "-c", command], check=False, capture_output=True, text=True, **more
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command of a console block, with the output that the block shows."""

    command: str
    shown: str
    exit_code: int


def steps(block: Block) -> list[Step]:
    _, _, wanted = block.mark.partition("exit ")
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    return [
        Step(
            command=part.partition("\n")[0],
            shown=part.partition("\n")[2],
            exit_code=int(wanted or 0) if number == len(parts) else 0,
        )
        for number, part in enumerate(parts, start=1)
    ]


# Files and commands.


def test_every_example_is_tested() -> None:
    demo = README[README.index("<!-- demo:start -->") : README.index("<!-- demo:end -->")]
    untested = [
        block
        for block in BLOCKS
        if not block.mark and block.kind != "sh" and block.text not in demo
    ]

    assert untested == []


def test_the_demo_shows_a_promotion() -> None:
    demo = README[README.index("<!-- demo:start -->") : README.index("<!-- demo:end -->")]

    assert demo.splitlines()[2].startswith("orders: promote.")


def test_the_quick_start_runs_from_check_to_gate(
    provider: FakeProvider, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed: dict[str, str] = {}
    for step in [step for b in BLOCKS if b.mark.startswith("story") for step in steps(b)]:
        if step.command.startswith("gepa-ci "):
            code = run(shlex.split(step.command)[1:])
            printed[step.command] = capsys.readouterr().out
            assert printed[step.command].startswith(step.shown)
        else:
            code = shell(step.command, cwd=project).returncode
        assert (step.command, code) == (step.command, step.exit_code)
        if step.command == "gepa-ci optimize":
            assert (project / "prompts/triage.md").read_text() == f"{BETTER}\n"

    assert provider.calls > 0
    assert "triage: promote." in printed["gepa-ci optimize"]
    assert "triage: regression." in printed["gepa-ci gate --base HEAD"]


def test_the_workflow_is_the_one_that_init_writes() -> None:
    assert FILES[".github/workflows/gepa-ci.yml"].encode() == workflow("gepa-ci.yml")


def test_the_inputs_and_outputs_are_those_of_the_action() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    shown = {
        name: (f"`{given['default']}`" if given["default"] else "", given["description"].strip())
        for name, given in action["inputs"].items()
    }
    rows = re.findall(r"^\| `([\w-]+)` \| (.*?) ?\| (.*) \|$", README, re.MULTILINE)

    assert {name: (value.strip(), what) for name, value, what in rows if name in shown} == shown
    (outputs,) = re.findall(r"^Outputs: (.*?)\.", README, re.MULTILINE)
    assert outputs == ", ".join(f"`{name}`" for name in action["outputs"])


def test_a_github_models_file_runs_unchanged(
    provider: FakeProvider, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "prompts/reply.prompt.yml", marked("github-models").text)
    (commands,) = [b for b in BLOCKS if b.kind == "sh" and "reply.prompt.yml" in b.text]
    for line in commands.text.splitlines():
        assert run(shlex.split(line, comments=True)[1:]) == ExitCode.OK

    # The gate finds the file new, and scores it too.
    assert capsys.readouterr().out.count("reply: mean score 1.00") == 2
    assert provider.calls == 3


@pytest.mark.parametrize("mark", ["config", "programs", "file: gepa-ci.yml"])
def test_a_config_example_is_a_config(mark: str) -> None:
    config = read_config("gepa-ci.yml", marked(mark).text.encode())

    assert {task.name for task in config.tasks} <= {"triage", "reply", "search"}


def test_the_whole_config_example_fits_the_files(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "prompts/reply.prompt.yml", marked("github-models").text)
    write(project / "gepa-ci.yml", marked("config").text)

    assert run(["check"]) == ExitCode.OK
    assert capsys.readouterr().out.count("ok: ") == 2


def test_the_suite_example_can_be_read() -> None:
    rows = read_examples("suite.jsonl", marked("suite").text.encode())

    assert [row.example.id for row in rows] == ["may", "pdf", "500"]


def test_the_prompt_example_renders_its_examples_as_turns() -> None:
    prompt = read_prompt("triage.md", marked("prompt").text.encode())
    messages = render(prompt, {"text": "Saving fails."}).messages

    assert [message.role.value for message in messages] == ["user", "assistant", "user"]
    assert messages[-1].content.endswith("\n\nSaving fails.\n")
    assert prompt.parameters == {"max_tokens": 500}


def test_what_the_install_commands_name_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert all(f"\n{target}:" in makefile for target in ("demo", "test"))
    assert "local" in extras["optional-dependencies"]


# Tables.


def test_the_metrics_are_those_of_the_code() -> None:
    rows = {code(name)[0]: (text, code(options)) for name, text, options in table("metric")}

    assert rows == {
        name: (text, [option.name for option in metric_options()[name]])
        for name, text in metric_descriptions().items()
    }


def test_the_verdicts_are_those_of_the_code() -> None:
    found = {(command, verdict) for command, verdict, *_ in table("command | verdict")}

    assert found == {("gate", verdict.value) for verdict in Verdict} | {
        ("optimize", verdict.value) for verdict in Promotion
    }


@pytest.mark.parametrize(
    ("verdict", "policy", "expected"),
    [
        *((row[1], OnInconclusive.WARN, int(row[3][0])) for row in table("command | verdict")),
        ("inconclusive", OnInconclusive.FAIL, 1),
    ],
)
def test_a_verdict_has_its_exit_code(verdict: str, policy: OnInconclusive, expected: int) -> None:
    config = read_config("gepa-ci.yml", FILES["gepa-ci.yml"].encode())
    (task,) = config.tasks
    object.__setattr__(task, "gate", GatePolicy(on_inconclusive=policy))
    result = RunResult(
        command="gate",
        tasks=(TaskResult(name=task.name, verdict=found_verdict(verdict), reasons=("Because.",)),),
        spend=Usage(),
        seconds=1.0,
        config_digest="",
        versions={},
        replay="",
    )

    assert exit_code(result, config) == expected


def found_verdict(name: str) -> Verdict | Promotion:
    return Promotion(name) if name in list(Promotion) else Verdict(name)


def test_the_exit_codes_are_those_of_the_code() -> None:
    assert [int(row[0]) for row in table("exit code")] == [int(code) for code in ExitCode]


def test_the_prompt_formats_are_those_of_the_code() -> None:
    with pytest.raises(PromptError) as caught:
        read_prompt("prompt.unknown", b"")
    hint = caught.value.problems[0].hint or ""
    shown = [ending for row in table("file | format") for ending in code(row[0])]

    assert sorted(shown) == sorted(f"*{ending}" for ending in re.findall(r"\.[\w.]+", hint))


def test_the_plan_is_that_of_the_code() -> None:
    for held_out, total, seen, margin in table("held-out examples"):
        mde = planned_mde(int(held_out))

        assert int(total) == int(held_out) / USUAL_SHARE
        assert seen == f"{mde:.2f}"
        assert float(margin) == auto_margin(mde)


def test_the_figures_in_the_gates_text_are_those_of_the_code() -> None:
    assert f"Fewer than {MIN_UNITS} held-out examples cannot pass" in " ".join(README.split())
    assert f"they show a change of {100 * planned_mde(100):.0f} points" in README


def test_the_commands_are_those_of_the_code() -> None:
    shown = {code(row[0])[0].split()[1] for row in table("command | does")}

    assert shown == set(main.list_commands(click.Context(main)))


def test_every_option_exists() -> None:
    context = click.Context(main)
    commands = [main.get_command(context, name) for name in main.list_commands(context)]
    commands += [c for g in commands if isinstance(g, click.Group) for c in g.commands.values()]
    known = {o for c in commands if c is not None for p in c.params for o in p.opts}
    mentioned = {
        option
        for line in re.findall(r"(?:gepa-ci [^`\n]*|`--[^`\n]*)", README)
        for option in re.findall(r"(?<!\S)`?(--[a-z-]+)", line)
    }

    assert mentioned - {"--no-deps", "--no-build-isolation"} <= known


# Links and error messages.


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    local = [link.partition("#")[0] for link in links if not link.startswith(("https://", "#"))]

    assert [link for link in local if not (page.parent / link).exists()] == []
    assert {link[1:] for link in links if link.startswith("#")} <= anchors


def with_model(model: str, **more: object) -> str:
    config = yaml.safe_load(FILES["gepa-ci.yml"])
    config["models"]["task"] = {"model": model}
    if "spend" in more and more["spend"] is None:
        del config["spend"]
    return yaml.safe_dump({**config, **{k: v for k, v in more.items() if v is not None}})


NEAR = """text,expected,part
The export button does nothing in Firefox.,bug,train
The page is blank after signing in.,bug,val
The export button does nothing in Firefox 9.,bug,held_out
"""
CASES: Mapping[str, tuple[dict[str, str], str]] = {
    "model 'openai/gpt-5-mini' cannot be called: there is no key for it": ({}, "evaluate"),
    "the spend cap 'usd: 0.2' is reached after 0 calls": (
        {"gepa-ci.yml": with_model("openai/gpt-5-mini", spend={"usd": 0.2})},
        "evaluate",
    ),
    "the price of model 'openai/qwen3-8b' is not known, and a dollar cap is set": (
        {"gepa-ci.yml": with_model("openai/qwen3-8b")},
        "evaluate",
    ),
    "the prompt asks for 'mesage', which the example's inputs do not have": (
        {"prompts/triage.md": "Which team? {{ mesage }}\n"},
        "check",
    ),
    "is 98% the same as train example": ({"prompts/triage.csv": NEAR}, "check"),
    "6 examples are too few for a verdict, which needs 20": (
        {"prompts/triage.md": "Which team is it?\n"},
        "gate --base main",
    ),
    "No candidate beat the baseline on the val examples": (
        {"prompts/triage.md": BETTER},
        "optimize",
    ),
    "the repository has no commit 'origin/main'": ({}, "gate --base origin/main"),
}


def test_every_message_in_troubleshooting_has_a_case() -> None:
    start, end = README.index("## Troubleshooting"), README.index("## Development")

    assert re.findall(r"^### `(.+)`$", README[start:end], re.MULTILINE) == list(CASES)


@pytest.mark.parametrize("message", CASES)
def test_a_message_in_troubleshooting_is_what_the_code_says(
    message: str,
    provider: FakeProvider,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shell("git add --all && git commit --quiet --message Base", cwd=project)
    files, command = CASES[message]
    for name, text in files.items():
        write(project / name, text)
    if "no key" in message:
        monkeypatch.delenv("OPENAI_API_KEY")
    if "origin/main" in message:
        shell("git remote remove origin", cwd=project)
    run(shlex.split(command))
    said = capsys.readouterr()

    assert message in " ".join((said.out + said.err).split())


def test_the_config_reference_is_that_of_the_schema() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == config_reference()


def test_the_config_reference_has_every_mapping_of_the_schema() -> None:
    described = {id_of(part(config_schema(), title)) for title in SECTIONS}
    # The options of each optimizer have their tables in docs/optimizers.md.
    options = part(config_schema(), "Optimize")["properties"]["options"]

    assert set(mappings(config_schema())) - set(mappings(options)) == described


def id_of(schema: dict[str, Any]) -> tuple[str, ...]:
    return tuple(sorted(schema["properties"]))


def mappings(schema: Any) -> Iterator[tuple[str, ...]]:
    """Yield the key names of every mapping in a schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield id_of(schema)
        for value in schema.values():
            yield from mappings(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from mappings(value)
