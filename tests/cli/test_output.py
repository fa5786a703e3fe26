from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from provider import FakeProvider, Request
from workbench import ROOT, answer, task_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench import Workbench

SCHEMA = ROOT / "gepa_ci" / "reports" / "result.schema.json"
OPTIMIZE = "    optimize: {proposer: examples, max_metric_calls: 60}\n"
LACKS_REFLECTION = (
    "error: gepa-ci.yml: `proposer: reflection` needs a reflection LM, and the config names none"
)
COMMANDS = {
    "evaluate": ["evaluate"],
    "gate": ["gate", "--base", "main"],
    "optimize": ["optimize"],
}


def learner(request: Request) -> str:
    """Answer rightly only after examples as turns."""
    return answer(request) if len(request.messages) > 1 else "no idea"


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Return a model that learns from examples."""
    with FakeProvider(answer=learner) as found:
        yield found


@pytest.fixture
def ready(repo: Workbench, provider: FakeProvider) -> Workbench:
    """Return a repository whose prompt differs from the commit on `main`."""
    repo.write(task_files(provider.url, count=60, more=OPTIMIZE))
    repo.commit()
    repo.write({"p.md": "Repeat: {{ text }}\n"})
    return repo


def valid(path: Path) -> Any:
    """Read a result file, which must be as the schema says."""
    document = json.loads(path.read_bytes())
    jsonschema.validate(document, json.loads(SCHEMA.read_bytes()))
    return document


@pytest.mark.parametrize("command", COMMANDS)
def test_the_result_file_is_what_json_prints_and_as_the_schema_says(
    ready: Workbench, command: str
) -> None:
    arguments = [*COMMANDS[command], "--output", "out/result.json", "--format", "json"]

    outcome = ready.run(*arguments)

    assert outcome.code in (0, 1)
    assert outcome.err == ""
    document = valid(ready.root / "out" / "result.json")
    assert document == outcome.document
    assert document["command"] == command


@pytest.mark.parametrize(
    ("arguments", "again"),
    [
        (["evaluate", "--part=val", "--output", "r.json"], "evaluate --part=val"),
        (["optimize", "--report=r.html", "--state", "s", "echo"], "optimize --state s echo"),
        (["evaluate", "--output=r.json", "--report", "r.md", "--", "echo"], "evaluate -- echo"),
        (["evaluate", "--config", "gepa-ci.yml"], "evaluate --config gepa-ci.yml"),
    ],
)
def test_the_command_to_run_it_again_says_nothing_of_files_and_formats(
    ready: Workbench, arguments: list[str], again: str
) -> None:
    document = ready.run(arguments[0], "--format", "json", *arguments[1:]).document

    assert document["replay"] == f"gepa-ci {again}"


def test_a_gate_run_again_is_about_the_commits_that_it_was_about(ready: Workbench) -> None:
    base = ready.git("rev-parse", "HEAD")
    ready.run("gate", "--base", "HEAD", "--output", "r.json", "--report=r.md")
    head = ready.commit()
    written = {path.name: path.read_bytes() for path in ready.root.glob("r.*")}
    name, *arguments = shlex.split(json.loads(written["r.json"])["replay"])

    again = ready.run(*arguments, "--format", "json").document

    assert [name, *arguments] == ["gepa-ci", "gate", "--base", base]
    assert again["tasks"][0]["verdict"] == json.loads(written["r.json"])["tasks"][0]["verdict"]
    assert again["tasks"][0]["verdict"] is not None
    assert {path.name: path.read_bytes() for path in ready.root.glob("r.*")} == written
    pinned = ready.run("gate", "--base=HEAD~1", "--head", "main", "--format=json").document
    assert pinned["replay"] == f"gepa-ci gate --base={base} --head {head}"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("shown", ["text", "markdown", "junit"])
def test_every_format_of_every_command_equals_the_report_of_its_result(
    ready: Workbench, command: str, shown: str
) -> None:
    outcome = ready.run(*COMMANDS[command], "--output", "r.json", "--format", shown)

    assert ready.run("report", "r.json", "--format", shown).out == outcome.out


def test_a_promoted_prompt_is_written_and_named(ready: Workbench) -> None:
    outcome = ready.run("optimize", "--format", "json")

    (task,) = outcome.document["tasks"]
    assert (task["verdict"], task["written"]) == ("promote", ["p.md"])
    assert ready.run("evaluate", "--format", "json").document["tasks"][0]["candidate"]["mean"] == 1


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("place", ["p.md/result.json", "folder"])
def test_an_output_that_cannot_be_written_is_refused_before_any_call(
    ready: Workbench, provider: FakeProvider, command: str, place: str
) -> None:
    (ready.root / "folder").mkdir()

    outcome = ready.run(*COMMANDS[command], "--output", place)

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert place in outcome.err
    assert provider.calls == 0


def test_the_check_of_the_output_leaves_no_file_when_the_run_fails(
    ready: Workbench, provider: FakeProvider
) -> None:
    provider.keys = ()

    outcome = ready.run("evaluate", "--output", "out/result.json")

    assert outcome.code == 3
    assert not (ready.root / "out" / "result.json").exists()


def test_the_check_of_the_output_keeps_an_older_result(
    ready: Workbench, provider: FakeProvider
) -> None:
    ready.write({"result.json": "older"})
    provider.keys = ()

    ready.run("evaluate", "--output", "result.json")

    assert (ready.root / "result.json").read_text(encoding="utf-8") == "older"


def test_a_state_folder_that_cannot_be_made_is_refused(
    ready: Workbench, provider: FakeProvider
) -> None:
    outcome = ready.run("evaluate", "--state", "p.md/state")

    assert outcome.code == 2
    assert outcome.err == (
        "error: p.md/state: cannot write the state folder: not a directory\n"
        "hint: name another one with --state\n"
    )
    assert provider.calls == 0


def test_the_state_folder_is_kept_out_of_git(ready: Workbench) -> None:
    ready.run("evaluate")

    assert ready.git("status", "--porcelain") == "M p.md"


@pytest.mark.parametrize("part", ["train", "val", "held_out"])
def test_an_empty_part_is_refused_before_any_call(
    ready: Workbench, provider: FakeProvider, part: str
) -> None:
    other = "train" if part != "train" else "val"
    ready.write({"s.jsonl": json.dumps({"inputs": {"text": "a"}, "expected": "a", "part": other})})

    outcome = ready.run("evaluate", "--part", part)

    assert outcome.code == 2
    said = part.replace("_", "-")
    assert f"error: gepa-ci.yml:5: task 'echo' has no {said} examples\n" in outcome.err
    assert provider.calls == 0


def test_optimize_names_all_that_it_lacks_at_once(ready: Workbench, provider: FakeProvider) -> None:
    config = (ready.root / "gepa-ci.yml").read_text(encoding="utf-8")
    row = json.dumps({"inputs": {"text": "a"}, "expected": "a", "part": "train"})
    ready.write({"gepa-ci.yml": config.replace(OPTIMIZE, ""), "s.jsonl": row})

    outcome = ready.run("optimize")

    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: gepa-ci.yml:5: task 'echo' has no val examples",
        "error: gepa-ci.yml:5: task 'echo' has no held-out examples",
        LACKS_REFLECTION,
    ]
    assert provider.calls == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_reports_are_written_beside_the_result_by_their_endings(
    ready: Workbench, command: str
) -> None:
    names = ("r/page.HTML", "r/junit.xml", "r/examples.jsonl", "r/found.sarif", "r/post.md")
    reports = [argument for name in names for argument in ("--report", name)]
    outcome = ready.run(*COMMANDS[command], *reports)
    page, junit, examples, found, post = (
        (ready.root / name).read_text(encoding="utf-8") for name in names
    )

    assert outcome.err == ""
    assert page.startswith("<!doctype html>")
    assert junit.startswith("<?xml")
    assert json.loads(examples.splitlines()[0])["task"] == "echo"
    assert json.loads(found)["version"] == "2.1.0"
    assert post.startswith("## echo: ")


def test_a_report_whose_ending_says_nothing_is_refused_before_a_call(
    ready: Workbench, provider: FakeProvider
) -> None:
    outcome = ready.run("evaluate", "--report", "report.pdf")

    assert (outcome.code, provider.calls) == (2, 0)
    assert outcome.err == (
        "error: the ending of 'report.pdf' says no format of a report\n"
        "hint: known endings: .html, .md, .xml, .sarif, .jsonl, .json, .txt\n"
    )


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["--report", "r.html"], ["--report", "r.html"]),
        (["--output", "r.json"], ["--report", "folder/../r.json"]),
        (["--output", "r.json"], ["--report", "link.json"]),
    ],
)
def test_two_outputs_in_one_file_are_refused_before_any_call(
    ready: Workbench, provider: FakeProvider, command: str, first: list[str], second: list[str]
) -> None:
    (ready.root / "link.json").symlink_to("r.json")
    (ready.root / "folder").mkdir()

    outcome = ready.run(*COMMANDS[command], *first, *second)

    assert (outcome.code, provider.calls) == (2, 0)
    assert outcome.err == (
        f"error: '{first[1]}' and '{second[1]}' are the same file\n"
        "hint: give each of --output and --report a file of its own\n"
    )


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("folder.html", "is a directory"),
        (
            "p.md/r.html",
            "cannot write the file: a file is in the place of its folder",
        ),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_before_any_call(
    ready: Workbench, provider: FakeProvider, place: str, said: str
) -> None:
    (ready.root / "folder.html").mkdir()

    outcome = ready.run("evaluate", "--report", place)

    assert (outcome.code, outcome.out, provider.calls) == (2, "", 0)
    assert said in outcome.err


def test_a_link_that_leads_nowhere_is_not_removed(ready: Workbench) -> None:
    (ready.root / "page.html").symlink_to("there.html")

    outcome = ready.run("evaluate", "--report", "page.html")

    assert outcome.code == 0
    assert (ready.root / "page.html").is_symlink()
    assert (ready.root / "there.html").read_text(encoding="utf-8").startswith("<!doctype html>")
