"""A team's own report templates: found wrong before anything is paid for, and used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from provider import FakeProvider
from workbench import answer, task_files

from gepa_ci.config import read_config
from gepa_ci.delivery.commit_files import commit_names
from gepa_ci.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench import Workbench

OWN = "report: {templates: tmpl}\n"
TITLE = '{% extends "gepa-ci/report.md.j2" %}\n{% block title %}## TITLE\n{% endblock %}\n'


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Return a model that answers rightly."""
    with FakeProvider(answer=answer) as found:
        yield found


def mine(bench: Workbench, url: str = "http://127.0.0.1:9/v1", **sources: str) -> None:
    """Write a task with templates, given `report="..."` for `tmpl/report.md.j2`."""
    bench.write(task_files(url, extra=OWN))
    bench.write({f"tmpl/{name}.md.j2": text for name, text in sources.items()})


def test_check_tries_the_templates_and_names_them(bench: Workbench) -> None:
    mine(bench, report=TITLE)
    bench.write({"tmpl/README.md": "Ours.", "tmpl/.hidden": ""})

    outcome = bench.run("check")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.endswith("ok: report templates: tmpl/report.md.j2\n")


def test_check_tells_everything_that_is_wrong_with_them(bench: Workbench) -> None:
    wrong = '{% extends "gepa-ci/report.md.j2" %}\n{% block titel %}{% endblock %}\n'
    mine(bench, report=wrong, comment="{% if %}", coment="x", measured="y")
    bench.write({"tmpl/nothing.md": "x", "tmpl/page.html.j2": b"\xff"})

    outcome = bench.run("check")

    assert outcome.code == 2
    for said in (
        "error: tmpl/report.md.j2:2: 'report.md.j2' has no block 'titel'\nhint: did you",
        "error: tmpl/comment.md.j2:1: ",
        "error: tmpl/measured.md.j2: 'measured.md.j2' is the name of a part of gepa-ci's own",
        "error: tmpl/nothing.md: no template is called 'nothing.md'\nhint: did",
        "error: tmpl/page.html.j2:1: this is not UTF-8\n",
    ):
        assert said in outcome.err, outcome.err


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "gepa-ci.yml:4: there is no folder 'tmpl'"),
        ({"tmpl": "x"}, "gepa-ci.yml:4: 'tmpl' is not a folder"),
        ({"tmpl/notes.txt": "x"}, "gepa-ci.yml:4: there is no template in 'tmpl'"),
        (
            {"tmpl/report.md.j2": TITLE + "x" * 2**18},
            "tmpl/report.md.j2: the template has 262222 bytes; 256 KiB is the most",
        ),
        (
            {f"tmpl/p{n}.md.j2": "x" for n in range(51)},
            "gepa-ci.yml:4: 'tmpl' has 51 templates; 50 are the most",
        ),
        ({"tmpl/report.md.j2/x": "x"}, "tmpl/report.md.j2: this is not a file"),
    ],
)
def test_folder_that_cannot_be_used_is_an_error(
    bench: Workbench, files: dict[str, str], said: str
) -> None:
    bench.write({**task_files(extra=OWN), **files})

    outcome = bench.run("check")

    assert outcome.code == 2
    assert said in outcome.err


def test_no_link_leads_to_a_template(bench: Workbench) -> None:
    bench.write({**task_files(extra=OWN), "real/report.md.j2": TITLE})
    link = bench.root / "tmpl"
    link.symlink_to("real")
    folder = bench.run("check")
    link.unlink()
    link.mkdir()
    (link / "report.md.j2").symlink_to("../real/report.md.j2")
    file = bench.run("check")

    assert "the folder 'tmpl' is reached by a symbolic link" in folder.err
    assert "tmpl/report.md.j2: a symbolic link is not read as a template" in file.err


@pytest.mark.parametrize("command", ["evaluate", "optimize"])
def test_wrong_template_costs_no_call(
    bench: Workbench, provider: FakeProvider, command: str
) -> None:
    mine(bench, provider.url, report=TITLE.replace("TITLE", "{{ report.sumary }}"))
    bench.write({"gepa-ci.yml": (bench.root / "gepa-ci.yml").read_text() + REFLECTION})

    outcome = bench.run(command)

    assert outcome.code == 2
    assert "tmpl/report.md.j2:2: a Report has no field 'sumary'" in outcome.err
    assert provider.calls == 0


REFLECTION = "    optimize: {proposer: examples}\n"


def test_evaluate_prints_by_the_teams_template(bench: Workbench, provider: FakeProvider) -> None:
    mine(bench, provider.url, report=TITLE)

    outcome = bench.run("evaluate", "--format", "markdown")

    assert outcome.code == 0
    assert outcome.out.startswith("## TITLE\n")


def test_template_that_fails_after_the_run_gives_way_to_ours(
    bench: Workbench, provider: FakeProvider
) -> None:
    late = "{% for task in report.tasks if task.name == 'echo' %}{{ 1 // 0 }}{% endfor %}"
    mine(bench, provider.url, report=TITLE.replace("TITLE", late))

    outcome = bench.run("evaluate", "--format", "markdown", "--output", "r.json")
    again = bench.run("report", "r.json")

    assert outcome.code == 0
    assert outcome.out.startswith("## echo: mean score 1.00\n")
    assert "warning: tmpl/report.md.j2:2: " in outcome.err
    assert "the built-in template is used" in outcome.err
    assert again.code == 2
    assert "error: tmpl/report.md.j2:2: integer division" in again.err


def test_report_without_a_config_is_ours(bench: Workbench, provider: FakeProvider) -> None:
    mine(bench, provider.url, report=TITLE)
    bench.run("evaluate", "--output", "r.json")

    by_own = bench.run("report", "r.json")
    (bench.root / "gepa-ci.yml").unlink()
    by_ours = bench.run("report", "r.json")

    assert by_own.out.startswith("## TITLE\n")
    assert by_ours.out.startswith("## echo: mean score 1.00\n")


def test_result_has_no_texts_where_the_config_says_ids(
    bench: Workbench, provider: FakeProvider
) -> None:
    bench.write(task_files(provider.url, extra="report: {held_out: ids}\n"))
    outcome = bench.run("evaluate", "--output", "r.json", "--format", "json")
    written = (bench.root / "r.json").read_text()

    assert outcome.code == 0
    for text in (outcome.out, written):
        assert '"id": "e' in text
        assert "word" not in text


def test_gate_takes_the_templates_of_the_side_that_is_trusted(
    repo: Workbench, provider: FakeProvider
) -> None:
    repo.write(task_files(provider.url, count=60, extra=OWN))
    repo.write({"tmpl/report.md.j2": TITLE.replace("TITLE", "OF THE BASE")})
    repo.commit("Begin")
    repo.write({"tmpl/report.md.j2": TITLE.replace("TITLE", "OF THE HEAD")})
    repo.write({"p.md": "Please say the word: {{ text }}\n", "tmpl/zzz.j2": "wrong {% if"})

    trusted = repo.run("gate", "--base", "main", "--trust", "base", "--format", "markdown")
    (repo.root / "tmpl/zzz.j2").unlink()
    own = repo.run("gate", "--base", "main", "--format", "markdown")

    assert trusted.out.startswith("## OF THE BASE\n"), trusted.err
    assert own.out.startswith("## OF THE HEAD\n"), own.err


def test_names_in_a_commit(repo: Workbench) -> None:
    repo.write({"a/b/x.j2": "", "a/b/c/y.j2": "", "a/z": ""})
    repo.commit("Begin")

    assert sorted(commit_names(repo.root, "main", "a/b")) == ["c", "x.j2"]
    for path, said in (("a/../a", "leads out"), ("a/z", "not a folder"), ("no", "no folder 'no'")):
        with pytest.raises(GitError, match=said):
            commit_names(repo.root, "main", path)


def test_config_has_nothing_of_its_own_by_default() -> None:
    found = read_config("c.yml", task_files()["gepa-ci.yml"].encode()).report

    assert (found.templates, found.view, found.held_out) == (None, 1, "texts")
